"""An attack study of one picture."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

from core.attacks.records import AttackProgress, certified_in
from core.attacks.request import AttackRequest, AttackSettings, Climb
from core.attacks.study import attack_study
from core.errors import LabError
from core.models.network import ClassicalDenoiser
from core.smoothing.settings import Settings

CPU = torch.device("cpu")
SETTINGS = Settings(0.25, n0=20, n=200, method="anytime")
ATTACK = AttackSettings(SETTINGS, climb=Climb(8), draws=8, n_predict=100, tolerance=0.1)
REQUEST = AttackRequest("python/half", "none", ATTACK, device="cpu")


def request(**changes):
    """The request with changes, whichever part of it they concern."""

    def part(kind):
        return {name: changes.pop(name) for name in kind.__dataclass_fields__ if name in changes}

    own, climb, attack = part(AttackRequest), part(Climb), part(AttackSettings)
    attack |= {"climb": dataclasses.replace(ATTACK.climb, **climb), "settings": dataclasses.replace(SETTINGS, **changes)}
    return dataclasses.replace(REQUEST, attack=dataclasses.replace(ATTACK, **attack), **own)


def study(half, denoiser=None, **changes):
    extra = {name: changes.pop(name) for name in ("report", "should_stop", "certificate") if name in changes}
    return attack_study(half.image, half.classifier, denoiser, request(**changes), device=CPU, **extra)


class Shrinking(nn.Module):
    """A denoiser that pulls towards grey."""

    def forward(self, noisy, sigma):
        """Half of the contrast."""
        return 0.5 + 0.5 * (noisy - 0.5)


def test_the_number_line(half):
    told: list[AttackProgress] = []
    s = study(half, report=told.append)
    exact = half.distance("l2")
    assert s.complete
    assert s.certificate.prediction == 0
    assert s.certified == s.certificate.radius
    assert 0 < s.certified < exact
    assert exact * (1 - 1e-5) <= s.searches["base"].radius < 1.11 * exact
    assert s.certified < exact < s.searches["smoothed"].radius
    assert s.gap == s.searches["smoothed"].radius - s.certified
    assert not s.violation
    a = s.attacked
    assert a.radius == pytest.approx(0.999 * s.certified)
    assert 0.99 * a.radius < a.size <= a.radius
    assert a.sizes["l2"] == a.size
    assert set(a.verdicts) == set(a.clean) == {"smoothed", "base"}  # without a denoiser there is nothing behind it
    assert a.verdicts["smoothed"].outcome in ("holds", "abstains")
    assert {v.outcome for v in a.clean.values()} == {"holds"}
    assert set(a.views) == {"original", "change", "attacked", "noisy"}
    # the magnified change reaches black or white
    assert np.abs(np.asarray(a.views["change"].picture).astype(float) - 127.5).max() == pytest.approx(127.5, abs=1)
    assert a.gain == pytest.approx(0.5 / np.abs(a.pixels - half.image.numpy()).max(), rel=1e-4)

    stages = list(dict.fromkeys(now.stage for now in told))
    assert stages == ["certify", "attack", "search base", "search smoothed"]
    done = [now.done for now in told]
    assert done == sorted(done)
    assert all(0 <= now.done <= now.total and now.seconds_left >= 0 for now in told)
    assert told[-1].study.attacked is not None
    assert told[-1].trials == s.searches["smoothed"].trials[: len(told[-1].trials)]


def test_the_document_is_json(half):
    s = study(half)
    document = json.loads(json.dumps(s.to_dict(), allow_nan=False))
    assert document["number_line"] == {
        "norm": "l2",
        "certified": s.certified,
        "smallest": {name: search.radius for name, search in s.searches.items()},
        "gap": s.gap,
    }
    assert document["searches"]["base"]["trials"][-1]["verdict"]["outcome"] in ("fooled", "holds")
    assert document["request"]["steps"] == 8


def test_same_request_same_study(half):
    first, again = study(half), study(half)
    assert first.searches == again.searches
    assert first.attacked.losses == again.attacked.losses
    np.testing.assert_array_equal(first.attacked.pixels, again.attacked.pixels)


@pytest.mark.parametrize("kind", ["random", "pixel", "patch", "grey"])
def test_changes_that_need_no_gradient_serve_a_black_box(half, kind):
    def black_box(pixels):
        with torch.no_grad():
            return half.classifier(pixels)

    s = attack_study(half.image, black_box, None, request(kind=kind, radius=0.1, search=()), device=CPU)
    assert s.complete
    assert 0.099 < s.attacked.size <= 0.1
    assert s.attacked.losses == ()
    with pytest.raises(LabError, match="No gradient passes through the classifier"):
        attack_study(half.image, black_box, None, REQUEST, device=CPU)


def test_behind_a_denoiser(half):
    s = study(half, Shrinking().eval(), target="denoised", search=("denoised",))
    assert set(s.attacked.verdicts) == {"smoothed", "base", "denoised"}
    assert "denoised" in s.attacked.views
    # f(0.5 + (x - 0.5) / 2): its border lies elsewhere, and is found where it lies
    w = half.weights.double()
    height = float((w * (0.25 + 0.5 * half.image.double())).sum()) + half.bias
    exact = abs(height) / float(0.5 * w.norm())
    assert exact * (1 - 1e-5) <= s.searches["denoised"].radius < 1.11 * exact


def test_a_classical_denoiser_is_refused_before_the_work_begins(half):
    told = []
    with pytest.raises(LabError, match="No gradient passes through the denoiser 'classical/median'"):
        study(half, ClassicalDenoiser("median"), report=told.append)
    assert all(now.done <= 4 for now in told)
    s = study(half, ClassicalDenoiser("median"), target="base", search=("base",), radius=0.4)
    assert s.attacked.verdicts["base"].fooled


def test_linf_radius_is_that_of_the_norm(half):
    s = study(half, norm="linf", search=("base",))
    assert s.certified == pytest.approx(s.certificate.radius / 192**0.5)
    assert certified_in(s.certificate, "l1") == s.certificate.radius
    assert s.searches["base"].radius == pytest.approx(half.distance("linf"), rel=0.11)
    # A change within the linf radius is one within the l2 radius.
    assert s.attacked.sizes["l2"] <= s.certificate.radius


def test_an_abstaining_certificate_leaves_radius_nought_and_attacks_the_leading_class(half):
    torn = dataclasses.replace(half, bias=half.bias - 0.999 * 0.3 * float(half.weights.norm()))
    s = study(torn, search=())
    assert s.certificate.abstained
    assert s.certified == 0
    assert s.attacked.radius == 0.25
    assert s.attacked.verdicts["smoothed"].class_index == s.certificate.candidate
    assert not s.violation


def test_a_violation_is_a_wrong_class_within_the_radius_and_nothing_else(half):
    s = study(half, search=())
    wrong = dataclasses.replace(s.attacked.verdicts["smoothed"], prediction=1)
    none = dataclasses.replace(wrong, prediction=None)

    def with_verdict(verdict, **changes):
        attacked = dataclasses.replace(s.attacked, verdicts={"smoothed": verdict}, **changes)
        return dataclasses.replace(s, attacked=attacked).violation

    assert with_verdict(wrong)
    assert not with_verdict(none)
    assert not with_verdict(wrong, size=s.certified * 1.01)
    assert not with_verdict(dataclasses.replace(wrong, target="base"))


@pytest.mark.parametrize("after", [0, 1, 5, 20, 40])
def test_a_stop_returns_what_is_there(half, after):
    reports = []
    s = study(half, report=reports.append, should_stop=lambda: len(reports) > after)
    assert not s.complete
    assert len(reports) <= after + 6
    if s.attacked is None:
        assert s.searches == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"norm": "l3"}, "Unknown norm 'l3'"),
        ({"radius": -1.0}, "radius is -1"),
        ({"target": "api"}, "Unknown target 'api'"),
        ({"kind": "blur"}, "Unknown kind 'blur'"),
        ({"search": ("base", "both")}, "Unknown search 'both'"),
        ({"draws": 0}, "draws is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"n_predict": 3}, "n is 3"),
        ({"sigma": -0.1}, "sigma is -0.1"),
        ({"budget": 0}, "budget is 0"),
        ({"max_radius": 0.0}, "radius is 0"),
        ({"tolerance": 7.0}, "tolerance of the search is 7"),
    ],
)
def test_numbers_out_of_range(changes, says):
    with pytest.raises(LabError, match=says):
        request(**changes).check()


def test_nothing_to_attack_behind(half):
    with pytest.raises(LabError, match="There is no denoiser"):
        study(half, target="denoised")
