"""Certificates in sentences, and what moving a control did."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import core
from core.report import words
from core.report.notation import radius_text
from core.report.words import abstention_reason, radius_formula, what_changed
from core.smoothing.certificate import Certificate, ModelRecord
from core.smoothing.certify import certify
from core.smoothing.conclusion import samples_fixed_beforehand
from core.smoothing.radius import NOISES, NORMS, floored
from core.smoothing.settings import Terms


def test_headline_and_caveats_promise_no_more_than_the_theorem(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    sure = dataclasses.replace(certificate, abstained=False, prediction=1, candidate=1, radius=0.25, failure_probability=0.002)
    text = words.headline(sure)
    assert "0.250" in text
    assert "b" in text
    assert "99.8%" in text
    assert "smoothed classifier" in text
    assert len(words.caveats(sure)) == 4
    assert "0.2%" in words.caveats(sure)[2]


def test_a_radius_of_another_class_than_the_clean_pictures_is_told(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    sure = dataclasses.replace(certificate, abstained=False, prediction=1, candidate=1, radius=0.25)
    assert words.named_radius("no denoiser", sure, 1) == ("no denoiser: b", 0.25, "")
    assert words.named_radius("no denoiser", sure) == ("no denoiser: b", 0.25, "")
    assert words.named_radius("no denoiser", sure, 0) == ("no denoiser: b", 0.25, "a")
    assert words.clean_answer_text(sure, 1, 0.9) == ""
    assert "alone calls the clean picture a" in words.clean_answer_text(sure, 0, 0.9)
    assert "unsure of the clean picture: b has 34%" in words.clean_answer_text(sure, 1, 0.34)
    abstains = dataclasses.replace(sure, abstained=True, prediction=None, radius=0.0)
    assert words.named_radius("one", abstains, 0) == ("one", 0.0, "")
    assert words.clean_answer_text(abstains, 0, 0.9) == ""


def test_abstention_names_its_cause(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    abstains = dataclasses.replace(certificate, abstained=True, prediction=None, candidate=1, radius=0.0, n=100)
    slim = dataclasses.replace(abstains, counts=(45, 55, 0))
    assert "More samples" in words.headline(slim)
    lost = dataclasses.replace(abstains, counts=(40, 41, 19))
    assert "smaller sigma" in words.headline(lost)
    nothing = dataclasses.replace(abstains, candidate=None, n=0)
    assert "stopped before" in words.headline(nothing)


def test_norm_and_noise_are_named(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    sure = dataclasses.replace(certificate, abstained=False, prediction=1, candidate=1, radius=0.25)
    assert "within l2 distance 0.250 of this one" in words.headline(sure)
    l1 = dataclasses.replace(sure, noise="laplace", norm="l1")
    assert "within l1 distance 0.250" in words.headline(l1)
    assert "in the l1 norm" in words.caveats(l1)[1]
    assert words.noise_text(l1) == "Laplace noise"
    linf = dataclasses.replace(sure, norm="linf", radius=0.0087)
    assert "within l-infinity distance 0.0087 (2.21 of 255 grey levels)" in words.headline(linf)
    sound = dataclasses.replace(sure, sound=True)
    assert words.headline(sound).startswith("For every 8-bit picture within l2 distance")
    assert "8-bit pictures" in words.caveats(sound)[1]
    assert "floating point" in words.caveats(sure)[2]
    assert "floating point" not in words.caveats(sound)[2]
    assert "sound" in words.noise_text(sound)


def test_abstention_of_two_sides_names_both_classes(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    abstains = dataclasses.replace(
        certificate, abstained=True, prediction=None, candidate=1, radius=0.0, n=100, two_sided=True, runner_up=0
    )
    slim = words.headline(dataclasses.replace(abstains, counts=(36, 40, 24)))
    assert "40 of 100 noisy copies said b and 36 said a" in slim
    assert "More samples" in slim
    assert "smaller sigma" in words.headline(dataclasses.replace(abstains, counts=(41, 40, 19)))


def test_how_the_question_of_a_radius_ended(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    assert words.settled_text(certificate) == ""
    asked = dataclasses.replace(
        certificate, candidate=1, counts=(2, 398, 0), n=400, n_planned=10_000, until_radius=0.1, settled="reached"
    )
    text = words.settled_text(asked)
    assert "l2 radius 0.1 is reached, settled after 400 of at most 10,000 samples" in text
    fixed = samples_fixed_beforehand(398 / 400, 0.1, Terms(alpha=0.001, sigma=0.1, shape=(3, 16, 16)))
    assert f"would have needed {fixed:,}" in text
    out = words.settled_text(dataclasses.replace(asked, settled="out of reach"))
    assert "out of reach" in out
    assert "99.9%, a statement of its own" in out
    assert "not settled" in words.settled_text(dataclasses.replace(asked, settled=None))


GREY = torch.full((3, 4, 4), 0.5)


def certificate(sigma=0.25, margin=0.3, **settings):
    """Of a half-space whose border is ``margin`` from the picture: the more noise, the fewer votes."""

    def classifier(pixels):
        side = (pixels - 0.5).flatten(1).sum(dim=1) / 48**0.5 + margin
        return torch.stack([-side, side], dim=1)

    chosen = {"n": 1_000, "device": "cpu"} | settings
    return core.certify(GREY, classifier, sigma=sigma, **chosen)


def test_sigma_moved():
    before, now = certificate(0.2), certificate(0.5)
    said = what_changed(before, now)
    assert said.startswith("sigma 0.2 → 0.5: the lower bound on p went from 0.")
    assert f"{floored(before.p_lower, '.3f')} to {floored(now.p_lower, '.3f')}" in said
    assert f"l2 radius from {radius_text(before.radius)} to {radius_text(now.radius)}" in said
    assert now.p_lower < before.p_lower
    assert ("the reach won" in said) == (now.radius > before.radius)
    back = what_changed(now, before)
    assert back.startswith("sigma 0.5 → 0.2")
    assert back.endswith(("the won votes weighed more.", "the reach was lost."))


def test_reasons_are_given_only_where_they_are_those_of_sigma():
    before = certificate(0.2)
    assert what_changed(before, replace(before, sigma=0.4, p_lower=0.99, radius=0.9)).endswith("0.900.")
    assert what_changed(before, replace(before, sigma=0.4, seed=5, p_lower=0.8)).startswith("sigma 0.2 → 0.4, seed 0 → 5: ")
    assert "weighed" not in what_changed(before, replace(before, sigma=0.4, seed=5, p_lower=0.8))


def test_abstaining_and_other_classes():
    sure, unsure = certificate(0.2), certificate(0.2, margin=0.0)
    assert unsure.abstained
    thin = replace(unsure, sigma=0.9)
    assert what_changed(sure, thin).endswith("is too thin to certify now, so it abstains.")
    assert "no longer abstains; it says" in what_changed(thin, sure)
    assert what_changed(unsure, thin) == "sigma 0.2 → 0.9: it abstains as before."
    other = certificate(0.3, margin=-0.3)
    assert "it says class 0 now" in what_changed(sure, other)
    assert "where it said class 1" in what_changed(sure, other)


@pytest.mark.parametrize("change", [{"norm": "linf"}, {"classifier": ModelRecord("other", None)}])
def test_what_cannot_be_compared(change):
    before = certificate(0.2)
    assert what_changed(before, before) == ""
    assert what_changed(before, replace(before, sigma=0.3, **change)) == ""


# The formula on the page is the one that made the radius.


def leaning(x: Tensor) -> Tensor:
    """Three classes, of which the first gets most votes, and the others their share."""
    mean = x.mean(dim=(1, 2, 3))
    return torch.stack([mean - 0.35, 0.35 - mean + 0.01, x[:, 0].mean(dim=(1, 2)) - 0.9], dim=1)


def smoothed(**settings: object) -> Certificate:
    picture = torch.full((3, 4, 4), 128 / 255)
    return certify(picture, leaning, sigma=0.5, n=500, seed=3, device="cpu", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("norm", NORMS)
def test_the_formula_ends_in_the_certificates_own_radius(noise: str, norm: str, two_sided: bool) -> None:
    certificate = smoothed(noise=noise, norm=norm, two_sided=two_sided)
    assert certificate.radius > 0
    formula = radius_formula(certificate)
    own = "l2" if noise == "gaussian" else "l1"
    assert float(formula.own.rpartition("=")[2]) == pytest.approx(certificate.radii[own] - 5e-5, abs=5e-5)
    assert floored(certificate.p_lower, ".5f") in formula.own
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
    uniform = radius_formula(smoothed(noise="uniform")).own
    width, p, radius = (float(x) for x in re.findall(r"= 2\\cdot([\d.]+)\\cdot\(([\d.]+)-\\tfrac12\) = ([\d.]+)", uniform)[0])
    assert 2 * width * (p - 0.5) == pytest.approx(radius, abs=1e-3)
    laplace = radius_formula(smoothed(noise="laplace")).own
    b, p, radius = (float(x) for x in re.findall(r"= -([\d.]+)\\cdot\\ln.*2\(1-([\d.]+)\).* = ([\d.]+)", laplace)[0])
    assert -b * math.log(2 * (1 - p)) == pytest.approx(radius, abs=1e-3)
    two = radius_formula(smoothed(noise="uniform", two_sided=True)).own
    width, p, q, radius = (float(x) for x in re.findall(r"= ([\d.]+)\\cdot\(([\d.]+)-([\d.]+)\) = ([\d.]+)", two)[0])
    assert width * (p - q) == pytest.approx(radius, abs=1e-3)


def test_sources_are_those_of_the_noise() -> None:
    assert "Cohen et al. 2019, theorem 1" in radius_formula(smoothed()).words
    assert "Lee et al. 2019" in radius_formula(smoothed(noise="uniform")).words
    assert "Teng et al. 2019" in radius_formula(smoothed(noise="laplace")).words


def test_an_abstention_gives_its_own_reason() -> None:
    def torn(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0, 0, 0], x[:, 1, 0, 0]], dim=1)

    for two_sided, said in ((False, "not above 1/2"), (True, "upper bound of the others'")):
        certificate = certify(torch.full((3, 4, 4), 0.5), torn, sigma=0.5, n=200, two_sided=two_sided, device="cpu")
        assert certificate.abstained
        assert said in abstention_reason(certificate)
