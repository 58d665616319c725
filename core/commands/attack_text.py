"""Attacks as text for a terminal."""

from __future__ import annotations

from core.attacks.dataset_log import AttackSummary
from core.attacks.records import AttackSearch, AttackStudy, AttackVerdict
from core.report.notation import class_name, duration, sigma_text

WHO = {
    "smoothed": "smoothed classifier",
    "base": "base classifier alone",
    "denoised": "base classifier behind the denoiser, no noise",
}


def study_text(name: str, study: AttackStudy, labels: tuple[str, ...] | None) -> str:
    """A block: the number line first, then the change that was shown, then what none of this says."""
    r, c = study.request, study.certificate
    if c.prediction is None:
        lines = [f"{name}: abstains, so nothing is certified; attacks are on the leading class."]
    else:
        lines = [f"{name}: {class_name(c.prediction, labels)}, certified within {r.norm} radius {study.certified:.4g}"]
    for target, search in study.searches.items():
        lines.append(f"  {_smallest(target, search)}")
    if study.gap is not None:
        lines.append(f"  gap between certificate and attack: {study.gap:.4g}")
    if study.attacked is not None:
        a = study.attacked
        how = f"{a.kind}, up the gradient of the {WHO[a.target]}" if a.kind == "gradient" else a.kind
        lines.append(f"  change of {r.norm} size {a.size:.4g} (at most {a.radius:.4g} asked; {how})")
        for target, verdict in a.verdicts.items():
            lines.append(f"    {WHO[target]}: {_verdict(a.clean[target], labels)} -> {_verdict(verdict, labels)}")
    lines.append(f"  settings  sigma {sigma_text(r.sigma)}, alpha {r.alpha:g}, {r.steps} steps, {r.draws} draws, seed {r.seed}")
    lines.append(f"  took      {duration(study.seconds)}{'' if study.complete else ', not all of the search was done'}")
    if study.violation:
        lines.append(
            "  VIOLATION a change within the certified radius made PREDICT return another class. Certificate and PREDICT may\n"
            f"            each be wrong with probability {r.alpha:g}: try another seed and more samples."
        )
    lines.append(
        "  caveats   the smallest attack found is an upper bound: a smaller one may exist. Nothing within the certified\n"
        f"            radius can succeed, with probability at least 1 - {c.failure_probability:g}."
    )
    return "\n".join(lines)


def _smallest(target: str, search: AttackSearch) -> str:
    if search.radius is None:
        why = "" if search.settled else " (the search was cut short)"
        return f"{WHO[target]}: no attack up to {search.held:.4g} succeeded{why}"
    return f"{WHO[target]}: smallest successful attack found {search.radius:.4g} ({len(search.trials)} trials)"


def _verdict(verdict: AttackVerdict, labels: tuple[str, ...] | None) -> str:
    if verdict.prediction is None:
        return "abstains"
    return f"{class_name(verdict.prediction, labels)} ({dict(verdict.top)[verdict.prediction]:.0%})"


def summary_text(summary: AttackSummary, norm: str, alpha: float) -> str:
    """A block: violations first, then radii."""
    s = summary
    mean = _number(s.mean_certified)
    return "\n".join(
        [
            f"{s.images} pictures, {s.certified} certified, mean {norm} radius {mean}",
            f"  violations      {s.violations} of {s.inside} attacks within the certified radius, on {s.violated} pictures;"
            f" {s.rechecked} borne out by ten times the votes",
            f"  by bad luck     at most {s.expected:.2g} pictures on average; more than {s.allowed} has a chance below 0.001"
            f" (alpha {alpha:g} for each certificate and each PREDICT)",
            f"  abstentions     {s.abstentions} of these attacks made PREDICT abstain; no other class was returned",
            f"  smoothed        smallest attack found: mean {_number(s.mean_smoothed)} on {s.found} of {s.certified} pictures,"
            f" median {_number(s.median_ratio)} times the certified radius; the budget ended {s.found - s.settled} of these"
            " searches early",
            f"  base alone      smallest attack found: mean {_number(s.mean_base)};"
            f" {s.base_inside} lie within the radius certified for the smoothed classifier",
            f"  smallest gap    {_number(s.smallest_gap)} between certificate and attack",
            f"  took            {duration(s.seconds)}",
        ]
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"
