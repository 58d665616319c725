"""CERTIFY or PREDICT over the pictures of a command line: one bad picture does not stop the rest. The results as text."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from core.commands.options import read_picture_remarking
from core.commands.terminal import InterruptFlag, ProgressLine, print_json, say
from core.errors import LabError
from core.report.notation import class_name, duration, norm_name, radius_text, sigma_text
from core.report.words import cause_of_abstention, noise_text, settled_text
from core.smoothing.certificate import Certificate, ModelRecord, Prediction
from core.smoothing.certify import Progress
from core.smoothing.radius import floored, raised

Result = TypeVar("Result", Certificate, Prediction)


def run_over_pictures(
    args: argparse.Namespace,
    run_one: Callable[..., Result],
    *,
    tell: Callable[[str, Result], list[str]],
    labels: tuple[str, ...] | None,
    plural: str,
) -> int:
    """Run ``run_one`` (picture, on_progress=, should_stop=) over ``args.images`` and print the results, as text or JSON.

    Of one picture the document is its result; of several it is ``{plural: [...], "failed": [...]}``, each with its path.
    Returns the exit code: 0, 2 where a picture failed (of one it is raised), 130 where Ctrl-C stopped it.
    """
    paths: list[Path] = args.images
    done: list[dict[str, object]] = []
    failed: list[dict[str, str]] = []
    with InterruptFlag() as interrupt:
        for number, path in enumerate(paths):
            if interrupt.is_set():
                failed.append({"path": str(path), "error": "not begun: stopped by Ctrl-C"})
                continue
            head = f"{path.name} ({number + 1} of {len(paths)})" if len(paths) > 1 else path.name
            line = ProgressLine()
            try:
                picture = read_picture_remarking(path)
                show = partial(_show, line, head, labels)
                result = run_one(picture.image, on_progress=show, should_stop=interrupt.is_set)
            except LabError as error:
                line.clear()
                if len(paths) == 1:
                    raise
                failed.append({"path": str(path), "error": str(error)})
                say(f"{args.verb}: {str(path)!r} failed: {' '.join(str(error).split())}", file=sys.stderr)
                continue
            line.clear()
            if result.stopped and not (isinstance(result, Certificate) and result.settled):
                say(f"{args.verb}: stopped after {result.n:,} samples; what they allow to say follows.", file=sys.stderr)
            done.append({"path": str(path)} | result.to_dict())
            if not args.json:
                say(*tell(path.name, result))
    if args.json:
        if len(paths) == 1 and done:
            print_json({key: value for key, value in done[0].items() if key != "path"})
        else:
            print_json({plural: done, "failed": failed})
    if interrupt.is_set():
        return 130
    return 2 if failed else 0


def _show(line: ProgressLine, head: str, labels: tuple[str, ...] | None, progress: Progress) -> None:
    speed = progress.done / progress.seconds if progress.seconds else 0.0
    parts = [f"{head}: {progress.done:,} of {progress.total:,} samples", f"{speed:.0f}/s"]
    parts.append(f"{'at most ' if progress.until_radius else ''}{duration(progress.seconds_left)} left")
    if progress.candidate is not None and progress.radius_possible is not None:
        name = class_name(progress.candidate, labels)
        parts.append(
            f"{name}, radius between {radius_text(progress.radius)} and {raised(progress.radius_possible, '.3f')} so far"
        )
        parts.append(f"settling {progress.until_radius:g}")
    elif progress.candidate is not None:
        parts.append(f"{class_name(progress.candidate, labels)}, radius at least {radius_text(progress.radius)} so far")
    line.show(", ".join(parts))


def certificate_lines(name: str, certificate: Certificate) -> list[str]:
    """A short block: the answer first, then what it rests on, then what it does not say."""
    c = certificate
    if c.prediction is not None:
        who = class_name(c.prediction, c.labels)
        within = f"{norm_name(c.norm)} radius {_number(c.radius)}"
        lines = [f"{name}: {who}, certified within {within} (pixels in [0, 1]; ceiling {_number(c.radius_ceiling)})"]
    else:
        lines = [f"{name}: abstains. {cause_of_abstention(c)}"]
    if c.candidate is not None and c.n:
        said = f"lower bound on the share of noisy copies called {class_name(c.candidate, c.labels)}"
        lines.append(f"  p_lower   {floored(c.p_lower, '.5f')}, {said}")
    if c.p_upper is not None:
        lines.append(f"  p_upper   {raised(c.p_upper, '.5f')}, upper bound on the share of any other class")
    if c.prediction is not None and c.radii:
        lines.append("  radii     " + ", ".join(f"{norm_name(norm)} {_number(radius)}" for norm, radius in c.radii.items()))
    stopped = f", stopped of {c.n_planned:,} planned" if c.stopped and c.settled is None else ""
    lines.append(f"  votes     {_top_counts(c)} ({c.n:,} samples{stopped}; {c.n0:,} others chose the class)")
    sides = ", two-sided" if c.two_sided else ""
    lines.append(
        f"  settings  sigma {sigma_text(c.sigma)}, {noise_text(c)}, alpha {c.alpha:g}, {c.method}{sides}, seed {c.seed}"
    )
    settled = settled_text(c)
    if settled:
        lines.append(f"  settled   {settled}")
    lines += _footing(c)
    if c.prediction is not None:
        changes = "changes between 8-bit pictures" if c.sound else "changes"
        lines += [
            f"  caveats   of the smoothed classifier, not of the classifier alone; for {changes} measured in the"
            f" {norm_name(c.norm)} norm only;",
            f"            with probability at least 1 - {c.failure_probability:g}, if picture and models were chosen without"
            " knowledge",
            "            of the seed; robust is not the same as right.",
        ]
    return lines


def prediction_lines(name: str, prediction: Prediction) -> list[str]:
    """A short block: the answer first, then what it rests on."""
    p = prediction
    if p.prediction is not None:
        lines = [f"{name}: {class_name(p.prediction, p.labels)}, by the smoothed classifier (p-value {p.p_value:.2g})"]
    elif p.stopped:
        lines = [f"{name}: abstains, since it was stopped, and the test holds for the planned number of samples only"]
    else:
        lines = [
            f"{name}: abstains, since the two leading classes are too close to tell (p-value {p.p_value:.2g}):"
            " more samples (--n) may decide"
        ]
    lines.append(f"  votes     {_top_counts(p)} ({p.n:,} samples)")
    lines.append(f"  settings  sigma {sigma_text(p.sigma)}, {noise_text(p)}, alpha {p.alpha:g}, seed {p.seed}")
    lines += _footing(p)
    if p.prediction is not None:
        lines += [
            f"  caveats   the smoothed classifier's class with probability at least 1 - {p.alpha:g}, if picture and models were"
            " chosen",
            "            without knowledge of the seed; no radius comes with it, and it may be the wrong class.",
        ]
    return lines


def _top_counts(result: Certificate | Prediction, most: int = 4) -> str:
    ranked = sorted(enumerate(result.counts), key=lambda pair: -pair[1])
    named = [f"{class_name(index, result.labels)} {count:,}" for index, count in ranked if count]
    rest = sum(count for _, count in ranked[most:])
    return ", ".join(named[:most] + ([f"others {rest:,}"] if rest else [])) or "none"


def _footing(result: Certificate | Prediction) -> list[str]:
    r = result
    return [
        f"  models    {_model(r.classifier)} behind {_model(r.denoiser)}",
        f"  picture   {r.image.width} x {r.image.height} pixels as the noise saw it, sha256 {r.image.sha256[:12]}",
        f"  speed     {r.samples_per_second:.0f} samples/s on {r.device}, {r.seconds:.1f} s",
    ]


def _number(radius: float) -> str:
    return floored(radius, ".4f" if radius >= 0.1 or radius == 0 else ".4g")


def _model(record: ModelRecord) -> str:
    if record.ref == "none":
        return "no denoiser"
    return record.ref if record.revision is None else f"{record.ref} ({record.revision[:8]})"
