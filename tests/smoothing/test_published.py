"""Certification logs of Cohen et al. (2019): each printed radius must come from a count that sampling can give."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import NormalDist

import pytest

from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.radius import l2_radius, radius_ceiling

N = 100_000
ALPHA = 0.01
"""The paper states 0.001. Its committed logs can only come from 0.01: with that alpha, and with no other that was tried,
every printed radius is the radius of a whole number of votes (test_another_alpha_does_not_reproduce_the_logs)."""

LOGS = [
    ("cifar10_resnet110_noise_0.25_test_sigma_0.25.tsv", 0.25),
    ("cifar10_resnet110_noise_0.50_test_sigma_0.50.tsv", 0.5),
    ("imagenet_resnet50_noise_0.50_test_sigma_0.50.tsv", 0.5),
]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def reproduce(printed: str, sigma: float, alpha: float) -> bool:
    """Whether some count of N votes has a radius that three significant digits print like this."""
    low, high = N // 2, N
    while low < high:  # the least count whose radius, as printed, is not below
        middle = (low + high) // 2
        if float(f"{radius(middle, sigma, alpha):.3}") < float(printed):
            low = middle + 1
        else:
            high = middle
    return f"{radius(low, sigma, alpha):.3}" == printed


def radius(k: int, sigma: float, alpha: float) -> float:
    return l2_radius(clopper_pearson_lower(k, N, alpha), sigma)


@pytest.mark.parametrize(("name", "sigma"), LOGS)
def test_every_published_radius_is_reproduced(published_logs, name, sigma):
    rows = read(published_logs / name)
    certified = {row["radius"] for row in rows if row["predict"] != "-1"}
    assert len(rows) == 500
    assert len(certified) > 200
    assert [printed for printed in sorted(certified) if not reproduce(printed, sigma, ALPHA)] == []
    assert {row["radius"] for row in rows if row["predict"] == "-1"} == {"0.0"}


@pytest.mark.parametrize(("name", "sigma"), LOGS)
def test_the_greatest_published_radius_is_the_ceiling(published_logs, name, sigma):
    greatest = max(float(row["radius"]) for row in read(published_logs / name))
    assert greatest == float(f"{radius_ceiling(sigma, N, ALPHA):.3}")
    assert radius_ceiling(sigma, N, ALPHA) == pytest.approx(sigma * NormalDist().inv_cdf(ALPHA ** (1 / N)), abs=1e-6)


@pytest.mark.parametrize(("name", "sigma"), LOGS)
@pytest.mark.parametrize("alpha", [0.001, 0.005, 0.02])
def test_another_alpha_does_not_reproduce_the_logs(published_logs, name, sigma, alpha):
    # Near the ceiling the radii of neighbouring counts lie further apart than the printed digits.
    top = {row["radius"] for row in read(published_logs / name) if float(row["radius"]) > 3.4 * sigma}
    assert not all(reproduce(printed, sigma, alpha) for printed in top)


@pytest.mark.parametrize(
    ("k", "n", "sigma", "alpha", "p_lower", "expected"),
    [
        # Solved outside the project: bisection of the binomial sum, then the inverse error function, in 40-digit arithmetic.
        (75, 100, 0.25, 0.001, 0.59739315519379, 0.0616513291323),
        (90, 100, 0.25, 0.001, 0.77532988016777, 0.189128851278),
        (990, 1_000, 0.25, 0.001, 0.97603618715531, 0.494502395535),
        (9_500, 10_000, 0.12, 0.001, 0.94290861094443, 0.189560233057),
        (10_000, 10_000, 1.0, 0.001, 0.99930946300259, 3.19857751474),
        (99_500, 100_000, 0.5, 0.001, 0.99427181839661, 1.26423077833),
        (99_990, 100_000, 0.5, 0.01, 0.99979856341577, 1.76909725305),
    ],
)
def test_known_counts_give_known_radii(k, n, sigma, alpha, p_lower, expected):
    assert clopper_pearson_lower(k, n, alpha) == pytest.approx(p_lower, abs=1e-12)
    assert l2_radius(clopper_pearson_lower(k, n, alpha), sigma) == pytest.approx(expected, abs=1e-10)
