"""The formula behind a certificate's radius, filled with its own numbers, with the theorem that it comes from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.report.notation import norm_name, radius_text
from core.smoothing.certificate import Certificate
from core.smoothing.radius import OWN_NORM, own_radius

_ONE_BOUND = {
    "gaussian": (r"\sigma\,\Phi^{-1}(\underline{p})", "Cohen et al. 2019, theorem 1"),
    "uniform": (r"2\lambda\,(\underline{p}-\tfrac12),\quad\lambda=\sqrt3\,\sigma", "Lee et al. 2019; Yang et al. 2020"),
    "laplace": (r"-b\,\ln\!\left(2(1-\underline{p})\right),\quad b=\sigma/\sqrt2", "Teng et al. 2019; Yang et al. 2020"),
}
_TWO_BOUNDS = {
    "gaussian": (
        r"\tfrac{\sigma}{2}\left(\Phi^{-1}(\underline{p_A})-\Phi^{-1}(\overline{p_B})\right)",
        "Cohen et al. 2019, theorem 1",
    ),
    "uniform": (
        r"\lambda\,(\underline{p_A}-\overline{p_B}),\quad\lambda=\sqrt3\,\sigma",
        "proof in docs/statistics.md; Lee et al. 2019 for one bound",
    ),
    "laplace": (
        r"\tfrac12\left(F^{-1}(\underline{p_A})-F^{-1}(\overline{p_B})\right),\quad F\text{: Laplace},\ b=\sigma/\sqrt2",
        "proof in docs/statistics.md; never less than Teng et al. 2019",
    ),
}


@dataclass(frozen=True)
class Formula:
    """How a radius was computed.

    Attributes:
        words: from the votes to the bound, and the source of the radius; ends where the formula follows.
        own: the radius in the noise's own norm, as LaTeX, with this certificate's numbers.
        inside: how the radius in another norm follows from it; empty where the certificate is in the own norm.
    """

    words: str
    own: str
    inside: str = ""


def radius_formula(certificate: Certificate) -> Formula:
    """The formula of a certificate that certifies a class."""
    c = certificate
    k = c.counts[c.candidate or 0]
    two = c.two_sided and c.p_upper is not None
    formula, source = (_TWO_BOUNDS if two else _ONE_BOUND)[c.noise]
    votes = f"{k:,} of {c.n:,} votes, alpha {c.terms.alpha:g}, {c.method} bound"
    if two:
        other = 0 if c.runner_up is None else c.counts[c.runner_up]
        words = (
            f"{votes} at alpha/2 each: the class has probability pA of at least {c.p_lower:.5f}, and no other class"
            f" (the next has {other:,} votes) more than pB = {c.p_upper:.5f}. Then ({source})"
        )
    else:
        words = f"{votes}: p is at least {c.p_lower:.5f}. Then ({source})"
    own = own_radius(c.noise, c.p_lower, c.p_upper if two else None, c.sigma)
    return Formula(words, f"R = {formula} \\\\ = {_filled(c, two)} = {_number(own)}", _inside(c, own))


def abstention_reason(certificate: Certificate) -> str:
    """Why no radius can be certified, in numbers."""
    c = certificate
    if c.two_sided and c.p_upper is not None:
        return (
            f"The lower bound on the class's probability is {c.p_lower:.4f}, not above the upper bound of the others'"
            f" {c.p_upper:.4f}, so no radius can be certified."
        )
    return f"The lower bound on p is {c.p_lower:.4f}, not above 1/2, so no radius can be certified."


def _filled(c: Certificate, two: bool) -> str:
    p = f"{c.p_lower:.5f}"
    if two:
        q = f"{c.p_upper:.5f}"
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
    return f"{radius:.4f}" if radius >= 0.01 else f"{radius:.3g}"


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
