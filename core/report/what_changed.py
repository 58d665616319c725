"""One sentence on what moving a control did: this certificate beside the last one of the same picture."""

from __future__ import annotations

from core.report.words import class_name, norm_name, radius_text
from core.smoothing.certificate import Certificate


def what_changed(before: Certificate, now: Certificate) -> str:
    """What was changed between two certificates, what came of it, and why; empty where there is nothing to compare.

    Args:
        before, now: of the same picture. Radii in different norms, or of different classifiers, are not compared.

    Returns:
        a sentence or two that say no more than the two certificates do: both are samples of noise.
    """
    comparable = before.image == now.image and before.classifier.ref == now.classifier.ref and before.norm == now.norm
    moved = _moved(before, now)
    if not comparable or not moved:
        return ""
    return f"{moved}: {_came_of_it(before, now)}"


def _moved(before: Certificate, now: Certificate) -> str:
    """The controls that differ, in words."""
    pairs = {
        "sigma": (f"{before.sigma:g}", f"{now.sigma:g}"),
        "denoiser": (before.denoiser.ref, now.denoiser.ref),
        "noise": (before.noise, now.noise),
        "n": (f"{before.n_planned:,}", f"{now.n_planned:,}"),
        "alpha": (f"{before.alpha:g}", f"{now.alpha:g}"),
        "seed": (str(before.seed), str(now.seed)),
    }
    return ", ".join(f"{name} {old} → {new}" for name, (old, new) in pairs.items() if old != new)


def _came_of_it(before: Certificate, now: Certificate) -> str:
    if before.abstained or now.abstained:
        if before.abstained and now.abstained:
            return "it abstains as before."
        if now.abstained:
            return f"the majority for {class_name(now, now.candidate)} is too thin to certify now, so it abstains."
        return f"it no longer abstains; it says {class_name(now, now.candidate)}, radius {radius_text(now.radius)}."
    if before.prediction != now.prediction:
        return (
            f"it says {class_name(now, now.candidate)} now, radius {radius_text(now.radius)}, where it said"
            f" {class_name(before, before.candidate)}, radius {radius_text(before.radius)}."
        )
    return (
        f"the lower bound on p went from {before.p_lower:.3f} to {now.p_lower:.3f}, the {norm_name(now.norm)} radius from"
        f" {radius_text(before.radius)} to {radius_text(now.radius)}. {_why(before, now)}".rstrip()
    )


def _why(before: Certificate, now: Certificate) -> str:
    """Sigma stretches what p gives; only where sigma alone was moved is the reason that simple."""
    if _moved(before, now).count("→") != 1 or before.sigma == now.sigma:
        return ""
    up, surer, farther = now.sigma > before.sigma, now.p_lower > before.p_lower, now.radius > before.radius
    if up and not surer:
        return (
            "More noise hides more of the picture, but what is sure reaches further: here the reach won."
            if farther
            else "More noise reaches further, but hides more of the picture: here the lost votes weighed more."
        )
    if not up and surer:
        return (
            "Less noise leaves more of the picture to see, but reaches less far: here the won votes weighed more."
            if farther
            else "Less noise leaves more of the picture to see, but what is sure reaches less far: here the reach was lost."
        )
    return ""
