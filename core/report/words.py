"""A certificate in sentences and formulas: what it says and does not, why it abstains, how its radius follows, what changed."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from core.report.notation import certainty, class_name, norm_name, percent, radius_text
from core.smoothing.bounds import RANDOMISED, clopper_pearson_upper
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.conclusion import OUT_OF_REACH, REACHED, TABLE, WITHIN, samples_fixed_beforehand
from core.smoothing.radius import OWN_NORM, floored, own_radius, raised

UNSURE = 0.5
"""The share of a classifier's confidence below which its answer to the clean picture is called unsure."""

_FORMULAS = tomllib.loads(Path(__file__).with_name("formulas.toml").read_text(encoding="utf-8"))


def headline(certificate: Certificate) -> str:
    """What the certificate says, in one or two sentences; never more than the theorem."""
    name = class_name(certificate.candidate, certificate.labels)
    if not certificate.abstained:
        pictures = "8-bit picture" if certificate.sound else "picture"
        return (
            f"For every {pictures} within {distance_text(certificate)} of this one, the smoothed classifier says {name}."
            f" This holds with probability at least {percent(certainty(certificate.failure_probability))} over the noise drawn."
        )
    return f"The smoothed classifier abstains. {cause_of_abstention(certificate)}"


def distance_text(certificate: Certificate) -> str:
    """The certified radius with its norm, as in ``l2 distance 0.250``; in l-infinity also as grey levels."""
    words = f"{norm_name(certificate.norm)} distance {radius_text(certificate.radius)}"
    return f"{words} ({floored(255 * certificate.radius, '.3g')} of 255 grey levels)" if certificate.norm == "linf" else words


def settled_text(certificate: Certificate) -> str:
    """How the question whether a radius can be certified ended, and what it cost; empty where it was not asked."""
    c = certificate
    took = f"{c.n:,} of at most {c.n_planned:,} samples"
    if c.within is not None:
        return _settled_within_text(c, took)
    if c.table_radii:
        told = ", ".join(f"{radius:g}" for radius in c.table_radii)
        word = "settled" if c.settled == TABLE else "not settled"
        return f"The {norm_name(c.norm)} radii {told} are {word} after {took}; no other radius was tested."
    if c.until_radius is None:
        return ""
    asked = f"The {norm_name(c.norm)} radius {c.until_radius:g}"
    if c.settled == OUT_OF_REACH:
        return (
            f"{asked} is out of reach, settled after {took}: with probability at least {percent(certainty(c.terms.alpha))}, a"
            " statement of its own beside the certificate, more samples would not certify it by this bound."
        )
    if c.settled != REACHED or c.candidate is None:
        return f"{asked} is not settled after {took}."
    fixed = samples_fixed_beforehand(c.counts[c.candidate] / c.n, c.until_radius, c.terms)
    words = f"{asked} is reached, settled after {took}."
    if fixed is None:
        return words
    return f"{words} A run of a fixed number of samples would have needed {fixed:,}, had this share of votes been known before."


def _settled_within_text(c: Certificate, took: str) -> str:
    if c.settled == WITHIN:
        return (
            f"The radius is within {percent(c.within or 0)} of what {c.n_planned:,} samples would give if the shares of the"
            f" votes stayed as they are, settled after {took}."
        )
    if c.settled == OUT_OF_REACH:
        return (
            f"A certificate is out of reach, settled after {took}: with probability at least"
            f" {percent(certainty(c.terms.alpha))}, a statement of its own, more samples would not certify a class by this"
            " bound."
        )
    return f"The radius is not settled after {took}."


def noise_text(certificate: Certificate | Prediction) -> str:
    """The noise, as in ``Gaussian noise on the 8-bit grid (sound)``."""
    name = "Gaussian" if certificate.noise == "gaussian" else certificate.noise.capitalize()
    return f"{name} noise on the 8-bit grid (sound)" if certificate.sound else f"{name} noise"


def cause_of_abstention(certificate: Certificate) -> str:
    """Why nothing could be certified, and what may help."""
    if certificate.candidate is None or certificate.n == 0:
        return "It was stopped before a class was chosen: start again, or let it run longer."
    k, n = certificate.counts[certificate.candidate], certificate.n
    name = class_name(certificate.candidate, certificate.labels)
    vote = f"{k:,} of {n:,} noisy copies said {name}"
    if certificate.two_sided and certificate.runner_up is not None:
        other = certificate.counts[certificate.runner_up]
        vote = f"{vote} and {other:,} said {class_name(certificate.runner_up, certificate.labels)}"
        if k > other:
            return f"{vote}: a lead, but too slim to be sure of with this many samples. More samples may settle it."
        return f"{vote}: no class leads surely under this much noise. A smaller sigma or a better denoiser may help."
    if clopper_pearson_upper(k, n, certificate.terms.alpha) > 0.5 and k > n / 2:
        return f"{vote}: a majority, but too slim to be sure of with this many samples. More samples may settle it."
    return f"{vote}: no class has a sure majority under this much noise. A smaller sigma or a better denoiser may help."


def caveats(certificate: Certificate) -> tuple[str, str, str, str]:
    """The four things a certificate does not say."""
    pictures = "between 8-bit pictures, measured" if certificate.sound else "measured"
    arithmetic = " Noise was added in floating point, whose rounding the theorem leaves aside; sound mode closes that gap."
    return (
        "It speaks of the smoothed classifier (the vote over noisy, denoised copies), not of the classifier alone.",
        f"It holds for changes {pictures} in the {norm_name(certificate.norm)} norm, on the picture at"
        f" {certificate.image.width} x {certificate.image.height} pixels. Rotation, blur or another crop can be far away in"
        " that norm.",
        f"It is a statistical statement: wrong with probability at most {percent(certificate.failure_probability)}, if picture"
        " and models were chosen without knowledge of the seed." + ("" if certificate.sound else arithmetic),
        "Robust is not the same as right: a wrong answer can be certified too.",
    )


class NamedRadius(NamedTuple):
    """A run and its radius, for a figure that compares runs; ``clean`` is the clean picture's class where that is another."""

    name: str
    radius: float
    clean: str = ""


def named_radius(name: str, certificate: Certificate, clean: int | None = None) -> NamedRadius:
    """A run with the class it certifies; ``clean`` is the classifier's own answer to the picture without noise."""
    if certificate.abstained:
        return NamedRadius(name, 0.0)
    said = f"{name}: {class_name(certificate.prediction, certificate.labels)}"
    if clean is None or clean == certificate.prediction:
        return NamedRadius(said, certificate.radius)
    return NamedRadius(said, certificate.radius, class_name(clean, certificate.labels))


def clean_answer_text(certificate: Certificate, clean: int, share: float) -> str:
    """What a certificate is of where the classifier's own answer to the clean picture is another, or unsure; else empty."""
    answer = class_name(clean, certificate.labels)
    if not certificate.abstained and certificate.prediction != clean:
        voted = class_name(certificate.prediction, certificate.labels)
        return (
            f"The classifier alone calls the clean picture {answer}. What is certified is another answer: that the vote says"
            f" {voted}. A radius of a class that the picture does not show is no merit."
        )
    if share < UNSURE:
        return f"The classifier alone is unsure of the clean picture: {answer} has {share:.0%} of its confidence."
    return ""


def what_changed(before: Certificate, now: Certificate) -> str:
    """What was changed between two certificates of one picture, what came of it, and why, in a sentence or two.

    Empty where nothing was, and where norms or classifiers differ. It says no more than they do: both are samples of noise.
    """
    comparable = before.image == now.image and before.classifier.ref == now.classifier.ref and before.norm == now.norm
    moved = _moved(before, now)
    if not comparable or not moved:
        return ""
    return f"{moved}: {_came_of_it(before, now)}"


def _moved(before: Certificate, now: Certificate) -> str:
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
            return f"the majority for {class_name(now.candidate, now.labels)} is too thin to certify now, so it abstains."
        return f"it no longer abstains; it says {class_name(now.candidate, now.labels)}, radius {radius_text(now.radius)}."
    if before.prediction != now.prediction:
        return (
            f"it says {class_name(now.candidate, now.labels)} now, radius {radius_text(now.radius)}, where it said"
            f" {class_name(before.candidate, before.labels)}, radius {radius_text(before.radius)}."
        )
    return (
        f"the lower bound on p went from {floored(before.p_lower, '.3f')} to {floored(now.p_lower, '.3f')}, the"
        f" {norm_name(now.norm)} radius from {radius_text(before.radius)} to {radius_text(now.radius)}. {_why(before, now)}"
    ).rstrip()


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


@dataclass(frozen=True)
class Formula:
    """How a radius was computed; ``own`` is LaTeX."""

    words: str  # from the votes to the bound, and the source
    own: str  # in the noise's norm
    inside: str = ""  # how another norm's radius follows; empty in the own norm


def radius_formula(certificate: Certificate) -> Formula:
    """The formula of a certificate that certifies a class."""
    c = certificate
    k = c.counts[c.candidate or 0]
    two = c.two_sided and c.p_upper is not None
    told = _FORMULAS["two bounds" if two else "one bound"][c.noise]
    formula, source = told["formula"], told["source"]
    drawn = f" with the uniform number {c.terms.uniform:.4f} of seed {c.seed}" if c.method == RANDOMISED else ""
    votes = f"{k:,} of {c.n:,} votes, alpha {c.terms.alpha:g}, {c.method} bound{drawn}"
    if two:
        other = 0 if c.runner_up is None else c.counts[c.runner_up]
        words = (
            f"{votes}, alpha shared {c.lower_part:.0%} to {1 - c.lower_part:.0%}: the class has probability pA of at least"
            f" {floored(c.p_lower, '.5f')}, and no other class"
            f" (the next has {other:,} votes) more than pB = {raised(c.p_upper or 0.0, '.5f')}. Then ({source})"
        )
    else:
        words = f"{votes}: p is at least {floored(c.p_lower, '.5f')}. Then ({source})"
    own = own_radius(c.noise, c.p_lower, c.p_upper if two else None, c.sigma)
    return Formula(words, f"R = {formula} \\\\ = {_filled(c, two)} = {_number(own)}", _inside(c, own))


def abstention_reason(certificate: Certificate) -> str:
    c = certificate
    if c.two_sided and c.p_upper is not None:
        return (
            f"The lower bound on the class's probability is {floored(c.p_lower, '.4f')}, not above the upper bound of the"
            f" others' {raised(c.p_upper, '.4f')}, so no radius can be certified."
        )
    return f"The lower bound on p is {floored(c.p_lower, '.4f')}, not above 1/2, so no radius can be certified."


def _filled(c: Certificate, two: bool) -> str:
    p = floored(c.p_lower, ".5f")
    if two:
        q = raised(c.p_upper or 0.0, ".5f")
        return {
            "gaussian": rf"\tfrac{{{c.sigma:g}}}{{2}}\left(\Phi^{{-1}}({p})-\Phi^{{-1}}({q})\right)",
            "uniform": rf"{math.sqrt(3) * c.sigma:.4f}\cdot({p}-{q})",
            "laplace": rf"\tfrac12\left(F^{{-1}}({p})-F^{{-1}}({q})\right)",
        }[c.noise]
    return {
        "gaussian": rf"{c.sigma:g}\cdot\Phi^{{-1}}({p})",
        "uniform": rf"2\cdot{math.sqrt(3) * c.sigma:.4f}\cdot({p}-\tfrac12)",
        "laplace": rf"-{c.sigma / math.sqrt(2):.4f}\cdot\ln\!\left(2(1-{p})\right)",
    }[c.noise]


def _number(radius: float) -> str:
    return floored(radius, ".4f" if radius >= 0.01 else ".3g")


def _inside(c: Certificate, own: float) -> str:
    """From the noise's own norm to the certificate's: the largest ball inside."""
    base = OWN_NORM[c.noise]
    if c.norm == base:
        return ""
    d = 3 * c.image.height * c.image.width
    name, first = norm_name(c.norm), f"That is in {norm_name(base)}."
    if (base, c.norm) == ("l2", "l1"):
        return f"{first} The l2 norm is at most the l1 norm, so the l1 radius is the same, {radius_text(c.radius)}."
    divisor = f"d = {d:,}" if (base, c.norm) == ("l1", "linf") else f"sqrt(d) = {math.sqrt(d):.4g}"
    most = f"A change of {name} size r has {norm_name(base)} size at most {divisor.partition(' = ')[0]} times r"
    return (
        f"{first} {most}, with d = {d:,} values in this picture, so the {name} radius is {radius_text(own)} divided by"
        f" {divisor.partition(' = ')[2]}: {radius_text(c.radius)}."
    )
