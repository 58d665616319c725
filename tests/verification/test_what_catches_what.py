"""Which change of which field is caught by what: each change is made, all checks are run, and the page has the table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from core.errors import LabError
from core.pictures.reading import ImageRecord
from core.smoothing.bounds import UNIFORM
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify
from core.smoothing.conclusion import conclude, outcome
from core.smoothing.document import read_document
from core.verification.resampling import resample
from core.verification.verify import DIFFERS, NOT_CHECKED, ModelsHere, verify, why_not_sampled

PAGE = Path(__file__).resolve().parents[2] / "docs" / "certificate.md"
MIDDLE = 0.5


class Brighter(nn.Module):
    """Class 1 where the mean is above one half, class 0 where it is below, class 2 where it is far below."""

    ref, revision, weights_sha256, labels = "local/brighter", "a" * 64, "a" * 64, ("dark", "bright", "black")

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3)) - MIDDLE
        return torch.stack([-mean, mean, -2 * mean - 0.04], dim=1)


class Halved(nn.Module):
    """A denoiser that halves the contrast."""

    ref, revision, weights_sha256 = "local/halved", "b" * 64, "b" * 64

    def forward(self, noisy: Tensor, sigma: float) -> Tensor:
        return MIDDLE + (noisy - MIDDLE) / 2


PICTURE = Image.fromarray(np.full((8, 8, 3), 140, np.uint8))
MODELS = Brighter().eval(), Halved().eval()

KINDS: dict[str, dict[str, Any]] = {
    "fixed n": {},
    "randomised": {"method": "randomised-clopper-pearson"},
    "two-sided": {"two_sided": True},
    "until a radius": {"method": "anytime", "until_radius": 0.4, "n": 4_000},
    "within": {"method": "anytime", "within": 0.1, "n": 4_000},
    "table": {"method": "group-sequential", "table_radii": (0.2, 0.4, 0.8), "n": 4_000},
    "sound": {"sound": True},
    "stopped": {"n": 5_000, "batch_size": 500},
}


@cache
def true(kind: str) -> Certificate:
    """A true certificate of a kind."""
    asked: list[None] = []
    stop = {"should_stop": lambda: len(asked.append(None) or asked) > 2} if kind == "stopped" else {}
    numbers = {"sigma": 0.5, "n": 1_000, "n0": 50, "seed": 7, "device": "cpu"} | KINDS[kind] | stop
    return certify(PICTURE, *MODELS, **numbers)


def following(c: Certificate) -> Certificate:
    """The same with every number put right that follows from others: what a forger who can count hands over."""
    n = sum(c.counts)
    stopped = n < c.n_planned
    method = c.settings.method
    if stopped and method == "clopper-pearson":
        method = "anytime"
    c = replace(c, n=n, stopped=stopped, method=method, samples_per_second=(c.n0 + n) / c.seconds)
    c = replace(c, failure_probability=c.terms.alpha * (1 if method == c.settings.method else 2))
    found = conclude(c.counts, c.candidate, c.terms)
    prediction = None if found.abstained else c.candidate
    label = None if prediction is None or c.labels is None else c.labels[prediction]
    settled = None if c.candidate is None else outcome(c.counts, c.candidate, c.settings, c.terms)
    return replace(c, prediction=prediction, label=label, settled=settled, **vars(found))


def caught_by(c: Certificate | str) -> tuple[str, ...]:
    """What catches a certificate that was altered, in the order in which one looks; a document is read first."""
    beside: dict[str, Any] = {}
    if isinstance(c, str):
        try:
            c, beside = read_document(c.encode())
        except LabError:
            return ("reading",)
    found = verify(c, PICTURE, ModelsHere.of(*MODELS), beside)
    where = {"picture": "picture", "labels": "models"}
    names = [
        where.get(check.name, "models" if check.name.startswith(("classifier", "denoiser")) else "arithmetic")
        for check in found.differing
    ]
    if why_not_sampled(found) is None:
        for check in resample(c, PICTURE, *MODELS, fresh_seed=8, device="cpu"):
            names += [check.name.partition(", ")[2]] if check.status == DIFFERS else []
    if not names and {check.name for check in found.checks if check.status == NOT_CHECKED} - {"as stated"}:
        return ("**nothing**, named as not checked",)
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Change:
    """Of a true certificate of a kind: what it is called, and what is other then."""

    name: str
    changes: Callable[[Certificate], dict[str, Any]]
    kind: str = "fixed n"
    follows: bool = False

    def made(self, everything: bool) -> Certificate:
        """The altered certificate; with ``everything``, all that follows is put right."""
        altered = replace(true(self.kind), **self.changes(true(self.kind)))
        return following(altered) if everything else altered


def better(c: Certificate, votes: int) -> tuple[int, ...]:
    """The counts with so many votes more for the candidate."""
    assert c.candidate == 1
    return c.counts[0] - votes, c.counts[1] + votes, c.counts[2]


def to(**changes: Any) -> Callable[[Certificate], dict[str, Any]]:
    return lambda c: changes


def times(field: str, factor: float) -> Callable[[Certificate], dict[str, Any]]:
    return lambda c: {field: getattr(c, field) * factor}


OTHER = "f" * 64
CHANGES = [
    Change("`counts`, one vote more for the class", lambda c: {"counts": better(c, 1)}),
    Change("`counts`, 7% more for the class", lambda c: {"counts": better(c, 70)}),
    Change("`n`", times("n", 2), follows=True),
    Change("`candidate`", to(candidate=0)),
    Change("`sigma`, a fifth more", times("sigma", 1.2)),
    Change("`noise`", to(noise="laplace", norm="l1")),
    Change("`sound`", to(sound=True)),
    Change("`seed`", to(seed=11)),
    Change("`n0`", to(n0=100)),
    Change("`n_planned`", to(n_planned=5_000)),
    Change("`n_planned` of a test of `table_radii`", to(n_planned=100_000), "table"),
    Change("`alpha`, ten times as large", times("alpha", 10)),
    Change("`tries`", to(tries=5)),
    Change("`method`", to(method="anytime"), follows=True),
    Change("`method_planned`", to(method_planned="anytime")),
    Change("`method_planned` gone", to(method_planned=None)),
    Change("`mixture`", to(mixture=UNIFORM)),
    Change("`failure_probability`", times("failure_probability", 0.5), follows=True),
    Change("`failure_probability` of a stopped run, halved", times("failure_probability", 0.5), "stopped", follows=True),
    Change("`stopped`", to(stopped=True), follows=True),
    Change("`norm`", to(norm="linf")),
    Change("`two_sided`", to(two_sided=True)),
    Change("`lower_part`", to(lower_part=0.5), "two-sided"),
    Change("`runner_up`", to(runner_up=2), "two-sided", follows=True),
    Change("`p_upper`", times("p_upper", 0.9), "two-sided", follows=True),
    Change("`until_radius`", to(until_radius=0.1), "until a radius"),
    Change("`within`", to(within=0.3), "within"),
    Change("`table_radii`", to(table_radii=(0.2, 0.3)), "table"),
    Change("`settled`", to(settled="out of reach"), "until a radius", follows=True),
    Change("`p_lower`", times("p_lower", 1.01), follows=True),
    Change("`radius`", times("radius", 1 + 1e-6), follows=True),
    Change("`radii`", lambda c: {"radii": c.radii | {"linf": 1.0}}, follows=True),
    Change("`radius_ceiling`", times("radius_ceiling", 1.1), follows=True),
    Change("`abstained`", to(abstained=True), follows=True),
    Change("`prediction`", to(prediction=0), follows=True),
    Change("`label`", to(label="dark"), follows=True),
    Change("`image`", lambda c: {"image": ImageRecord(OTHER, c.image.height, c.image.width)}),
    Change("`classifier`", lambda c: {"classifier": replace(c.classifier, weights=OTHER)}),
    Change("`denoiser`", lambda c: {"denoiser": replace(c.denoiser, revision=OTHER)}),
    Change("`labels`", to(labels=("bright", "dark", "black"))),
    Change("`engine`, where the votes stay the same", to(engine="openvino")),
    Change("`precision`, where the votes stay the same", to(precision="bfloat16")),
    Change("`device`", to(device="cuda")),
    Change("`versions`", lambda c: {"versions": c.versions | {"torch": "1.0"}}),
    Change("`seconds`", times("seconds", 2)),
    Change("`samples_per_second`", times("samples_per_second", 2), follows=True),
    Change("`device`, and 7% more of the `counts`", lambda c: {"device": "cuda", "counts": better(c, 70)}),
    Change("`device`, and 2% more of the `counts`", lambda c: {"device": "cuda", "counts": better(c, 20)}),
    Change("the same, `sound`", lambda c: {"device": "cuda", "counts": better(c, 20)}, "sound"),
    Change(
        "a stopped run made one planned so: `method_planned`, `failure_probability`",
        lambda c: {"method_planned": "anytime", "failure_probability": c.alpha},
        "stopped",
    ),
    Change(
        "a run that ended early made one of a fixed n: `n_planned`, `method`",
        lambda c: {"n_planned": c.n, "method": "clopper-pearson", "stopped": False},
        "until a radius",
        follows=True,
    ),
    Change(
        "the same, and `method_planned`, `until_radius`, `settled`",
        lambda c: {"n_planned": c.n, "method_planned": "clopper-pearson", "until_radius": None, "settled": None},
        "until a radius",
    ),
]


def cell(caught: tuple[str, ...]) -> str:
    return ", ".join(caught) or "**nothing**"


def table() -> list[str]:
    """The lines of the page."""
    lines = ["| changed | by itself: caught by | with all that follows from it: caught by |", "|---|---|---|"]
    for change in CHANGES:
        alone = cell(caught_by(change.made(everything=False)))
        both = "–" if change.follows else cell(caught_by(change.made(everything=True)))
        lines.append(f"| {change.name} | {alone} | {both} |")
    for name, altered in UNKNOWN.items():
        lines.append(f"| {name} | {cell(caught_by(altered(true('fixed n').to_dict())))} | |")
    return lines


def _beside(**values: Any) -> Callable[[dict[str, Any]], str]:
    return lambda document: json.dumps(document | values)


UNKNOWN: dict[str, Callable[[dict[str, Any]], str]] = {
    "a key that the schema has not": _beside(proven=True),
    "a key that an object of the schema has not": lambda d: json.dumps(d | {"image": d["image"] | {"true": True}}),
    "`path` and `api`, and names in `versions`": lambda d: json.dumps(
        d | {"path": "x.png", "api": {"true": True}, "versions": d["versions"] | {"proof": "true"}}
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_true_certificate_is_caught_by_nothing(kind: str) -> None:
    c = true(kind)
    assert caught_by(c) == ()
    assert c.settled == {"until a radius": "reached", "within": "within", "table": "table"}.get(kind)
    assert c.method_planned == KINDS[kind].get("method", "clopper-pearson")
    assert 0.8 < c.counts[1] / c.n < 0.97, "a vote that is nearly unanimous would show little"
    again = following(c)
    assert {f.name for f in dataclasses.fields(c) if getattr(c, f.name) != getattr(again, f.name)} <= {"samples_per_second"}


def test_every_field_is_changed() -> None:
    changed = {change.name.split("`")[1] for change in CHANGES if change.name.startswith("`")}
    assert changed == {field.name for field in dataclasses.fields(Certificate)}


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "\n".join(table()) in text, "docs/certificate.md should say:\n" + "\n".join(table())


def test_what_is_not_checked_is_named() -> None:
    document = json.loads(UNKNOWN["`path` and `api`, and names in `versions`"](true("fixed n").to_dict()))
    found = verify(*read_parts(document))
    told = {check.name: check.sentence for check in found.checks if check.status == NOT_CHECKED}
    assert set(told) == {"path", "api", "as stated"}
    assert "proof true" in told["as stated"]
    assert found.summary().endswith("Not checked: as stated, path, api.")


def read_parts(document: dict[str, Any]) -> tuple[Certificate, Image.Image, ModelsHere, dict[str, Any]]:
    certificate, beside = read_document(json.dumps(document).encode())
    return certificate, PICTURE, ModelsHere.of(*MODELS), beside
