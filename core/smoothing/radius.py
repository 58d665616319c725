"""Certified radii from bounds on the probabilities of classes under noise.

Every noise has a norm of its own, in which its radius is tight; in the other norms it certifies the largest ball inside that
one. Proofs and sources: docs/statistics.md.
"""

import math
from collections.abc import Callable
from decimal import Decimal

from scipy import special

from core.errors import LabError
from core.smoothing.bounds import lower_bound

OWN_NORM = {"gaussian": "l2", "uniform": "l1", "laplace": "l1"}
"""The kinds of noise, each with its own norm."""

NOISES = tuple(OWN_NORM)
NORMS = ("l1", "l2", "linf")


def l2_radius(p_lower: float, sigma: float) -> float:
    """Cohen et al. (2019), theorem 1 with one bound: sigma * Phi^-1(p), and 0 where p <= 1/2.

    >>> round(l2_radius(0.99, 0.5), 4)
    1.1632
    """
    return own_radius("gaussian", p_lower, None, sigma)


def own_radius(noise: str, p_lower: float, p_upper: float | None, sigma: float) -> float:
    """The radius in the noise's own norm: (F^-1(pA) - F^-1(pB)) / 2, F the distribution function of the noise of one channel.

    For Gaussian noise that is Cohen et al. (2019), theorem 1. For uniform and Laplace noise with one bound it is the radius of
    Lee et al. (2019), Teng et al. (2019) and Yang et al. (2020); for Laplace noise with two it is at least that of Teng et al.
    A proof for every noise with a log-concave density is in docs/statistics.md.

    Args:
        p_lower: lower bound on the probability of the class that is certified.
        p_upper: upper bound on that of every other class; None takes 1 - p_lower.

    Returns:
        0 where nothing is certified.

    >>> round(own_radius("uniform", 0.9, None, 0.25), 4), round(own_radius("laplace", 0.9, None, 0.25), 4)
    (0.3464, 0.2845)
    """
    for p in (p_lower, *(() if p_upper is None else (p_upper,))):
        if not 0 <= p <= 1 or math.isnan(p):
            raise LabError(f"A probability of {p} is impossible: expected 0 to 1.")
    check_sigma(sigma)
    if p_lower <= (0.5 if p_upper is None else p_upper):
        return 0.0
    quantile = _QUANTILES[noise]
    if p_upper is None:
        return sigma * quantile(p_lower)
    return sigma / 2 * (quantile(p_lower) - quantile(p_upper))


def _laplace_quantile(p: float) -> float:
    if p < 0.5:
        return math.log(2 * p) / math.sqrt(2) if p > 0 else -math.inf
    return -math.log(2 * (1 - p)) / math.sqrt(2) if p < 1 else math.inf


_QUANTILES: dict[str, Callable[[float], float]] = {
    "gaussian": lambda p: float(special.ndtri(p)),
    "uniform": lambda p: math.sqrt(3) * (2 * p - 1),
    "laplace": _laplace_quantile,
}
"""Of the noise with standard deviation 1."""


def radii(noise: str, p_lower: float, p_upper: float | None, sigma: float, shape: tuple[int, ...]) -> dict[str, float]:
    """The radius in every norm: ``l1``, ``l2`` and ``linf``. Arguments as for :func:`own_radius`; ``shape`` is the picture's.

    >>> radii("gaussian", 0.975, None, 0.25, (3, 32, 32))["linf"] < 0.009
    True
    """
    own = own_radius(noise, p_lower, p_upper, sigma)
    return {norm: own / steepness(noise, norm, shape) for norm in NORMS}


def steepness(noise: str, norm: str, shape: tuple[int, ...]) -> float:
    """The greatest length in the noise's own norm of a change of length 1 in another: so much smaller is the ball inside.

    >>> steepness("gaussian", "linf", (3, 10, 30)), steepness("laplace", "linf", (3, 10, 30))
    (30.0, 900.0)
    """
    d = math.prod(shape)
    if OWN_NORM[noise] == "l2":
        return math.sqrt(d) if norm == "linf" else 1.0
    return {"l1": 1.0, "l2": math.sqrt(d), "linf": float(d)}[norm]


def share_needed(radius: float, noise: str, norm: str, sigma: float, shape: tuple[int, ...]) -> float:
    """The probability that a class must have for a radius to be certified, the others' share not looked at.

    The inverse of :func:`radii` with ``p_upper`` None; 1 or above where no probability suffices.

    >>> round(share_needed(0.5, "gaussian", "l2", 0.25, (3, 32, 32)), 4)
    0.9772
    """
    own = radius * steepness(noise, norm, shape)
    if noise == "gaussian":
        return float(special.ndtr(own / sigma))
    if noise == "uniform":
        return 0.5 + own / (2 * math.sqrt(3) * sigma)
    return 1 - math.exp(-own * math.sqrt(2) / sigma) / 2


def radius_ceiling(sigma: float, n: int, alpha: float, method: str = "clopper-pearson") -> float:
    """The greatest l2 radius that ``n`` samples of Gaussian noise can show, were every vote the same.

    >>> round(radius_ceiling(1.0, 10_000, 0.001), 3)
    3.199
    """
    return l2_radius(lower_bound(n, n, alpha, method, uniform=0.0), sigma)


def floored(value: float, form: str) -> str:
    """A number that is proven, in a format such as ``.3f`` or ``.4g``; never written as more than it is.

    >>> floored(0.6157, ".3f"), floored(0.3, ".3f"), floored(2 / 255, ".6g")
    ('0.615', '0.300', '0.00784313')
    """
    return _one_sided(value, form, -1)


def asked_text(radius: float) -> str:
    """A radius at which something is told, to six digits: what holds there holds at what is written.

    >>> asked_text(0.25), asked_text(2 / 255)
    ('0.25', '0.00784313')
    """
    return floored(radius, ".6g")


def raised(value: float, form: str) -> str:
    """The same of what is proven not to be exceeded: never written as less than it is."""
    return _one_sided(value, form, 1)


def _one_sided(value: float, form: str, side: int) -> str:
    text = format(value, form)
    if not math.isfinite(value) or (float(text) - value) * side >= 0:
        return text
    digits = Decimal(format(value, f"#{form}"))  # its last digit's place, though it be 0
    return f"{digits + side * Decimal(1).scaleb(int(digits.as_tuple().exponent)):f}"


def check_sigma(sigma: float) -> None:
    """Raise LabError unless sigma is a finite number above 0."""
    if not math.isfinite(sigma) or sigma <= 0:
        raise LabError(f"sigma is {sigma}: expected a number above 0, in [0, 1] pixel units (0.25 is 64/255).")
