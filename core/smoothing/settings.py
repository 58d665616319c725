"""The numbers and names that CERTIFY and PREDICT take, checked before anything is loaded or sampled."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

from core.errors import LabError
from core.smoothing.bounds import GROUP_SEQUENTIAL, METHODS, least_n_to_certify, least_n_to_predict
from core.smoothing.question import check_question
from core.smoothing.radius import NOISES, NORMS, check_sigma

MAX_N = 1_000_000

MAX_SOUND_SIGMA = 16.0
"""Of noise on the grid of grey levels: the table of its thresholds grows with sigma, 0.1 s of work for 1.0, 2 s for this."""


def check_certify_settings(
    *,
    sigma: float,
    n0: int,
    n: int,
    alpha: float,
    seed: int,
    method: str = "clopper-pearson",
    noise: str = "gaussian",
    norm: str | None = None,
    sound: bool = False,
    two_sided: bool = False,
    until_radius: float | None = None,
    within: float | None = None,
    table_radii: Sequence[float] | None = None,
) -> None:
    """Raise LabError where :func:`core.certify` cannot run with these settings, whatever the picture and the models."""
    _check_numbers(sigma=sigma, n0=n0, n=n, alpha=alpha, seed=seed)
    check_noise(noise, sound)
    _check_sound_sigma(sigma, sound)
    if method not in (*METHODS, GROUP_SEQUENTIAL):
        raise LabError(f"Unknown bound {method!r}: choose one of {', '.join(METHODS)}.")
    if norm is not None and norm not in NORMS:
        raise LabError(f"{noise.capitalize()} noise certifies no radius in {norm!r}: choose one of {', '.join(NORMS)}.")
    least = least_n_to_certify(alpha / 2 if two_sided else alpha, method if method in METHODS else METHODS[0])
    if n < least:
        raise LabError(f"n is {n}: with alpha {alpha:g} no vote of fewer than {least} samples can be certified; use more.")
    check_question(until_radius=until_radius, within=within, table_radii=table_radii, method=method, two_sided=two_sided)


def check_predict_settings(
    *, sigma: float, n: int, alpha: float, seed: int, noise: str = "gaussian", sound: bool = False
) -> None:
    """Raise LabError where :func:`core.predict` cannot run with these settings."""
    _check_numbers(sigma=sigma, n0=1, n=n, alpha=alpha, seed=seed)
    check_noise(noise, sound)
    _check_sound_sigma(sigma, sound)
    least = least_n_to_predict(alpha)
    if n < least:
        raise LabError(f"n is {n}: with alpha {alpha:g} no vote of fewer than {least} samples can decide; use more.")


def check_noise(noise: str, sound: bool) -> None:
    """Raise LabError where there is no such noise."""
    if noise not in NOISES:
        raise LabError(f"Unknown noise {noise!r}: choose one of {', '.join(NOISES)}.")
    if sound and noise != "gaussian":
        raise LabError(
            f"Sound mode draws Gaussian noise on the 8-bit grid, not {noise} noise: use gaussian, or leave sound out."
        )


def _check_sound_sigma(sigma: float, sound: bool) -> None:
    if sound and sigma > MAX_SOUND_SIGMA:
        raise LabError(
            f"sigma is {sigma:g}: sound mode draws exact noise on the 8-bit grid for a sigma of at most {MAX_SOUND_SIGMA:g};"
            " use a smaller sigma, or leave sound out."
        )


def _check_numbers(*, sigma: float, n0: int, n: int, alpha: float, seed: int) -> None:
    check_sigma(sigma)
    for name, value in (("n0", n0), ("n", n)):
        if not isinstance(value, Integral) or not 1 <= value <= MAX_N:
            raise LabError(f"{name} is {value}: expected a whole number of samples, 1 to {MAX_N:,}.")
    if not 0 < alpha < 0.5:
        raise LabError(f"alpha is {alpha}: expected a number above 0 and below 0.5, such as 0.001.")
    if not isinstance(seed, Integral) or seed < 0:
        raise LabError(f"seed is {seed}: expected a whole number of at least 0.")
