"""CSV, JSON and the snippet that makes a certificate again."""

from __future__ import annotations

import ast
import csv
import io
import json
from dataclasses import replace

import pytest

from core.models.load import load_classifier
from core.report.export import python_snippet, to_csv, to_json
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify


def test_csv_and_json_hold_the_certificate(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    (row,) = csv.DictReader(io.StringIO(to_csv([("a, b.png", certificate)])))
    assert row["picture"] == "a, b.png"
    assert float(row["radius"]) == certificate.radius
    assert int(row["candidate_votes"]) == certificate.counts[certificate.candidate or 0]
    document = json.loads(to_json(certificate))
    assert document["counts"] == list(certificate.counts)
    assert document["p_lower"] == certificate.p_lower


def test_the_snippet_runs_and_makes_the_same_counts(made: tuple[Certificate, str]) -> None:
    certificate, path = made
    space: dict[str, object] = {}
    exec(compile(python_snippet(certificate, path), "snippet", "exec"), space)
    again = space["certificate"]
    assert isinstance(again, Certificate)
    assert again.counts == certificate.counts
    assert again.radius == certificate.radius


def test_the_snippet_runs_nothing_that_a_stranger_wrote(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    attack = '""";owned()\nowned()\r\nowned()\u2028owned()#'
    models = {"classifier": replace(certificate.classifier, ref=attack), "denoiser": replace(certificate.denoiser, ref=attack)}
    script = python_snippet(replace(certificate, label=attack, device=attack, **models), f"{attack}'.png")
    called = {
        node.func.id for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert called == {"certify", "load_classifier", "load_denoiser", "print", "repr"}


@pytest.mark.parametrize(
    "settings", [{"noise": "laplace", "norm": "linf", "two_sided": True}, {"sound": True}, {"until_radius": 0.05}], ids=str
)
def test_the_snippet_carries_every_choice(made: tuple[Certificate, str], settings: dict[str, object]) -> None:
    first, path = made
    chosen: dict[str, object] = {"sigma": 0.1, "n": 200, "method": "anytime", "device": "cpu"} | settings
    certificate = certify(path, load_classifier(first.classifier.ref), **chosen)  # type: ignore[arg-type]
    space: dict[str, object] = {}
    exec(compile(python_snippet(certificate, path), "snippet", "exec"), space)
    again = space["certificate"]
    assert isinstance(again, Certificate)
    assert (again.counts, again.radii, again.noise, again.sound, again.two_sided) == (
        certificate.counts,
        certificate.radii,
        certificate.noise,
        certificate.sound,
        certificate.two_sided,
    )
