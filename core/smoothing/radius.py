"""Certified radii from a lower bound on the top class's probability."""

from __future__ import annotations

import math

from scipy import special

from core.errors import LabError
from core.smoothing.bounds import lower_bound


def l2_radius(p_lower: float, sigma: float) -> float:
    """Cohen et al. (2019), theorem 1 with one bound: sigma * Phi^-1(p), and 0 where p <= 1/2.

    >>> round(l2_radius(0.99, 0.5), 4)
    1.1632
    """
    if not 0 <= p_lower <= 1 or math.isnan(p_lower):
        raise LabError(f"A probability of {p_lower} is impossible: expected 0 to 1.")
    check_sigma(sigma)
    return sigma * float(special.ndtri(p_lower)) if p_lower > 0.5 else 0.0


def radius_ceiling(sigma: float, n: int, alpha: float, method: str = "clopper-pearson") -> float:
    """The greatest radius that ``n`` samples can show, were every vote the same.

    >>> round(radius_ceiling(1.0, 10_000, 0.001), 3)
    3.199
    """
    return l2_radius(lower_bound(n, n, alpha, method), sigma)


def check_sigma(sigma: float) -> None:
    """Raise LabError unless sigma is a finite number above 0."""
    if not math.isfinite(sigma) or sigma <= 0:
        raise LabError(f"sigma is {sigma}: expected a number above 0, in [0, 1] pixel units (0.25 is 64/255).")
