"""`verify` takes no settings that CERTIFY refuses, and no run that is said to have been another than it was."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from core.errors import LabError
from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.certificate import Certificate
from core.smoothing.certification import Certification
from core.smoothing.certify import certify
from core.smoothing.conclusion import conclude, outcome
from core.smoothing.document import certificate_of, read_document
from core.verification.verify import DIFFERS, NOT_CHECKED, SAME, Check, check_arithmetic

PICTURE = torch.full((3, 8, 8), 140 / 255)


def bright(x: Tensor) -> Tensor:
    """Class 1 where the mean is above one half."""
    mean = x.mean(dim=(1, 2, 3))
    return torch.stack([0.5 - mean, mean - 0.5], dim=1)


def made(**numbers: Any) -> Certificate:
    return certify(PICTURE, bright, **{"sigma": 0.5, "n": 400, "n0": 20, "seed": 0, "device": "cpu"} | numbers)


def stopped(**numbers: Any) -> Certificate:
    asked: list[None] = []
    return made(n=5_000, batch_size=50, should_stop=lambda: len(asked.append(None) or asked) > 4, **numbers)


def recounted(c: Certificate) -> Certificate:
    """The same with bound and radius of its own fields, whatever they are."""
    found = conclude(c.counts, c.candidate, c.terms)
    settled = None if c.candidate is None else outcome(c.counts, c.candidate, c.settings, c.terms)
    return replace(c, **vars(found), prediction=None if found.abstained else c.candidate, settled=settled)


def differing(c: Certificate) -> dict[str, Check]:
    return {check.name: check for check in check_arithmetic(c) if check.status == DIFFERS}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "clopper-pearson until a radius": ({}, {"until_radius": 0.1}, "until_radius needs a bound that holds wherever"),
    "clopper-pearson within": ({}, {"within": 0.1}, "within needs a bound that holds wherever"),
    "until and within": ({"method": "anytime"}, {"until_radius": 0.1, "within": 0.1}, "until_radius and within ask different"),
    "anytime with table radii": ({"method": "anytime"}, {"table_radii": (0.1, 0.3)}, "tested by method 'group-sequential'"),
    "fixed n with table radii": ({}, {"table_radii": (0.1, 0.3)}, "tested by method 'group-sequential'"),
    "two-sided table": ({"method": "group-sequential", "table_radii": (0.1,)}, {"two_sided": True}, "leave two_sided out"),
    "table without radii": ({"method": "group-sequential", "table_radii": (0.1,)}, {"table_radii": ()}, "say which with"),
    "table and until": (
        {"method": "group-sequential", "table_radii": (0.1,)},
        {"until_radius": 0.1},
        "ask different questions",
    ),
    "sound with a sigma off its range": ({"sound": True}, {"sigma": 16.5}, "sound mode draws exact noise"),
    "sound laplace noise": ({"noise": "laplace"}, {"sound": True}, "draws Gaussian noise on the 8-bit grid"),
    "too few samples": ({}, {"counts": (0, 5), "n": 5, "n_planned": 5}, "n is 5: with alpha 0.001 no vote of fewer than 10"),
    "too few for so many tries": ({"n": 12}, {"tries": 100}, "no vote of fewer than 17"),
    "a radius that no vote shows": ({"method": "anytime", "until_radius": 0.1}, {"until_radius": 1.5}, "can show l2 radius"),
    "a table that no vote shows": (
        {"method": "group-sequential", "table_radii": (0.1,)},
        {"table_radii": (2.0,)},
        "no vote of 400",
    ),
}


@pytest.mark.parametrize("which", REFUSED)
def test_what_certify_refuses_is_refused(which: str) -> None:
    settings, changes, words = REFUSED[which]
    true = made(**settings)
    assert differing(true) == {}
    false = recounted(replace(true, **changes))
    check = differing(false)["settings"]
    assert words in check.sentence
    assert check.sentence.startswith("CERTIFY refuses what the certificate says it was asked: ")
    with pytest.raises(LabError) as refusal:  # the very sentence of a request
        made(**{**dataclasses.asdict(false.settings), "device": "cpu"})
    assert str(refusal.value) in check.sentence


def test_every_combination_that_certify_refuses_is_refused_and_no_other() -> None:
    """Of bound, noise, sides, exactness, and each question that ends a run."""
    base = made()
    asked = itertools.product(
        ("clopper-pearson", "anytime", "group-sequential"),
        ("gaussian", "uniform"),
        (False, True),
        (False, True),
        (None, 0.1),
        (None, 0.1),
        ((), (0.1,)),
    )
    names = ("method", "noise", "two_sided", "sound", "until_radius", "within", "table_radii")
    refused = 0
    for values in asked:
        changes = dict(zip(names, values, strict=True))
        false = replace(base, **changes, method_planned=changes["method"])
        try:
            Certification(false.settings, (3, 8, 8))
            taken = True
        except LabError:
            taken = False
        refused += not taken
        statuses = {check.name: check.status for check in check_arithmetic(false)}
        assert statuses["settings"] == (SAME if taken else DIFFERS), changes
        assert ("bound and radius" in statuses) == (not taken)
    assert 0 < refused < 3 * 2**6


def test_a_stopped_run_of_a_fixed_n_may_not_halve_its_failure_probability() -> None:
    c = stopped()
    assert (c.method, c.method_planned, c.failure_probability) == ("anytime", "clopper-pearson", 0.002)
    assert differing(c) == {}
    assert differing(replace(c, failure_probability=0.001)).keys() == {"failure_probability"}
    assert differing(stopped(method="anytime")) == {}
    assert differing(replace(stopped(method="anytime"), failure_probability=0.002)).keys() == {"failure_probability"}
    assert differing(replace(stopped(tries=4), failure_probability=0.001 / 4)).keys() == {"failure_probability"}


@pytest.mark.parametrize(
    "settings",
    [{"method": "anytime", "until_radius": 0.3}, {"method": "anytime", "within": 0.1}, {"method": "anytime"}],
    ids=str,
)
def test_a_run_that_ended_early_is_none_of_a_fixed_n(settings: dict[str, Any]) -> None:
    c = stopped(**settings) if settings == {"method": "anytime"} else made(n=4_000, **settings)
    assert c.n < c.n_planned
    assert differing(c) == {}
    gone = {"until_radius": None, "within": None, "settled": None}
    false = recounted(replace(c, method="clopper-pearson", n_planned=c.n, stopped=False, **gone))
    assert false.radius > c.radius, "the reason for it"
    assert false.p_lower == clopper_pearson_lower(c.counts[1], c.n, 0.001)
    assert differing(false).keys() == {"method"}
    assert "'anytime' follows from the bound that was planned" in differing(false)["method"].sentence
    # Nor a run of a fixed n one that is called anytime, though it was not stopped, or a table.
    assert differing(recounted(replace(made(), method="anytime"))).keys() == {"method"}
    table = made(n=4_000, method="group-sequential", table_radii=(0.1, 0.3, 0.8))
    assert table.n < table.n_planned
    assert "method" in differing(recounted(replace(table, method="anytime")))


def test_the_mixture_is_not_chosen_after_the_votes() -> None:
    c = made(method="anytime")
    other = recounted(replace(c, mixture=1.0))
    assert other.radius != c.radius
    assert differing(other).keys() == {"mixture"}


OLD = ("method_planned", "mixture", "tries", "engine", "precision")


def old(c: Certificate) -> Certificate:
    """As it was written before these fields were recorded, with the bound of then."""
    document = {key: value for key, value in c.to_dict().items() if key not in OLD}
    return recounted(certificate_of(json.loads(json.dumps(document))))


def test_old_documents_are_verified_by_the_old_rule_and_it_is_said() -> None:
    for c in (made(), made(method="anytime"), made(n=4_000, method="anytime", until_radius=0.3), stopped()):
        before = old(c)
        assert before.method_planned is None
        assert differing(before) == {}
        (said,) = [check for check in check_arithmetic(before) if check.status == NOT_CHECKED]
        assert said.name == "method_planned"
        assert "does not say which bound was planned" in said.sentence
    # Either plan was possible where a run was stopped; where it was to end early, only one was.
    assert differing(replace(old(stopped()), failure_probability=0.001)) == {}
    assert differing(replace(old(stopped()), failure_probability=0.003)).keys() == {"failure_probability"}
    until = old(made(n=4_000, method="anytime", until_radius=0.3))
    assert differing(replace(until, failure_probability=0.002)).keys() == {"failure_probability"}
    assert "failure_probability" in differing(replace(old(made()), failure_probability=0.002))


@pytest.mark.parametrize(("field", "value"), [("radius", 5e-13), ("radius_ceiling", 9e-13), ("radii", 5e-13)])
def test_small_numbers_are_compared_as_closely_as_large_ones(field: str, value: float) -> None:
    c = made(sigma=1e-13)
    c = recounted(replace(c, counts=(20, 380)))
    assert 0 < c.radius < c.radius_ceiling < 5e-13
    assert differing(c) == {}
    false = {"radii": c.radii | {"l1": value}} if field == "radii" else {field: value}
    assert differing(replace(c, **false)).keys() == {field}


def test_a_small_failure_probability_is_compared_as_closely() -> None:
    c = made(alpha=1e-14)
    assert differing(c) == {}
    assert differing(replace(c, failure_probability=1e-13)).keys() == {"failure_probability"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alpha", "1/1000"),
        ("alpha", "1/0"),
        ("alpha", 0.5),
        ("within", "5%"),
        ("within", 1),
        ("until_radius", "8/255"),
        ("until_radius", 0),
        ("table_radii", ["1/x"]),
        ("sigma", 0),
        ("sigma", "a quarter"),
        ("tries", 0),
        ("n_planned", 10**7),
        ("method_planned", "best"),
        ("method_planned", 1),
        ("p_lower", 1.5),
    ],
)
def test_what_is_out_of_range_or_no_number_is_one_sentence(key: str, value: object) -> None:
    with pytest.raises(LabError) as caught:
        read_document(json.dumps(made().to_dict() | {key: value}).encode(), "c.json")
    words = str(caught.value)
    assert words.startswith(f"c.json is no certificate that can be verified: '{key}")
    assert repr(value)[:10].strip("[]") in words
    assert "expected" in words
    assert "\n" not in words
