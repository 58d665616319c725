"""What moving a control did, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import core
from core.report.what_changed import what_changed
from core.smoothing.certificate import ModelRecord

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
    assert f"{before.p_lower:.3f} to {now.p_lower:.3f}" in said
    assert f"l2 radius from {before.radius:.3f} to {now.radius:.3f}" in said
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
