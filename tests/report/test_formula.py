"""The formula on the page is the one that made the radius."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import Tensor

from core.report.formula import abstention_reason, radius_formula
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify
from core.smoothing.radius import NOISES, NORMS


def leaning(x: Tensor) -> Tensor:
    """Three classes, of which the first gets most votes, and the others their share."""
    mean = x.mean(dim=(1, 2, 3))
    return torch.stack([mean - 0.35, 0.35 - mean + 0.01, x[:, 0].mean(dim=(1, 2)) - 0.9], dim=1)


def made(**settings: object) -> Certificate:
    picture = torch.full((3, 4, 4), 128 / 255)
    return certify(picture, leaning, sigma=0.5, n=500, seed=3, device="cpu", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("norm", NORMS)
def test_the_formula_ends_in_the_certificates_own_radius(noise: str, norm: str, two_sided: bool) -> None:
    certificate = made(noise=noise, norm=norm, two_sided=two_sided)
    assert certificate.radius > 0
    formula = radius_formula(certificate)
    own = "l2" if noise == "gaussian" else "l1"
    assert float(formula.own.rpartition("=")[2]) == pytest.approx(certificate.radii[own], abs=6e-5)
    assert f"{certificate.p_lower:.5f}" in formula.own
    assert ("pB" in formula.words) == two_sided
    assert bool(formula.inside) == (norm != own)
    if formula.inside:
        assert float(
            formula.inside.rpartition(": ")[2].rstrip(".")
            if "divided" in formula.inside
            else formula.inside.rpartition(", ")[2].rstrip(".")
        ) == pytest.approx(certificate.radius, rel=0.01)


def test_the_numbers_put_into_the_formula_give_the_radius() -> None:
    """Worked out by hand from what is shown: uniform and Laplace noise need no table of the normal distribution."""
    uniform = radius_formula(made(noise="uniform")).own
    width, p, radius = (float(x) for x in re.findall(r"= 2\\cdot([\d.]+)\\cdot\(([\d.]+)-\\tfrac12\) = ([\d.]+)", uniform)[0])
    assert 2 * width * (p - 0.5) == pytest.approx(radius, abs=1e-3)
    laplace = radius_formula(made(noise="laplace")).own
    b, p, radius = (float(x) for x in re.findall(r"= -([\d.]+)\\cdot\\ln.*2\(1-([\d.]+)\).* = ([\d.]+)", laplace)[0])
    assert -b * math.log(2 * (1 - p)) == pytest.approx(radius, abs=1e-3)
    two = radius_formula(made(noise="uniform", two_sided=True)).own
    width, p, q, radius = (float(x) for x in re.findall(r"= ([\d.]+)\\cdot\(([\d.]+)-([\d.]+)\) = ([\d.]+)", two)[0])
    assert width * (p - q) == pytest.approx(radius, abs=1e-3)


def test_sources_are_those_of_the_noise() -> None:
    assert "Cohen et al. 2019, theorem 1" in radius_formula(made()).words
    assert "Lee et al. 2019" in radius_formula(made(noise="uniform")).words
    assert "Teng et al. 2019" in radius_formula(made(noise="laplace")).words


def test_an_abstention_gives_its_own_reason() -> None:
    def torn(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0, 0, 0], x[:, 1, 0, 0]], dim=1)

    for two_sided, said in ((False, "not above 1/2"), (True, "upper bound of the others'")):
        certificate = certify(torch.full((3, 4, 4), 0.5), torn, sigma=0.5, n=200, two_sided=two_sided, device="cpu")
        assert certificate.abstained
        assert said in abstention_reason(certificate)
