"""Words, CSV and the snippet that makes a certificate again."""

from __future__ import annotations

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from core.models.load import load_classifier
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig, save_model
from core.report import words
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify
from core.smoothing.until import samples_fixed_beforehand


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificate, str]:
    """A certificate of a tiny saved classifier, and the picture's path."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    network = ConvClassifier(num_classes=3, widths=(8, 8), stem=8)
    options = {"num_classes": 3, "widths": [8, 8], "stem": 8}
    save_model(folder, network, ModelConfig("classifier", "conv", options, (16, 16), ("a", "b", "c")), {})
    path = folder / "pict'ure.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    classifier = load_classifier(f"local/{folder}")
    return certify(path, classifier, sigma=0.1, n=200, method="anytime", device="cpu"), str(path)


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
    assert "within l-infinity distance 0.0087 (2.22 of 255 grey levels)" in words.headline(linf)
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
    fixed = samples_fixed_beforehand(398 / 400, 0.1, alpha=0.001, sigma=0.1, shape=(3, 16, 16))
    assert f"would have needed {fixed:,}" in text
    out = words.settled_text(dataclasses.replace(asked, settled="out of reach"))
    assert "out of reach" in out
    assert "99.9%, a statement of its own" in out
    assert "not settled" in words.settled_text(dataclasses.replace(asked, settled=None))


def test_percent_hides_nothing() -> None:
    assert words.percent(0.999) == "99.9%"
    assert words.percent(0.9999) == "99.99%"
    assert words.percent(words.certainty(1e-12)) == "99.9999999999%"
    assert words.percent(2e-9) == "0.0000002%"


def test_csv_and_json_hold_the_certificate(made: tuple[Certificate, str]) -> None:
    certificate, _ = made
    (row,) = csv.DictReader(io.StringIO(words.to_csv([("a, b.png", certificate)])))
    assert row["picture"] == "a, b.png"
    assert float(row["radius"]) == certificate.radius
    assert int(row["candidate_votes"]) == certificate.counts[certificate.candidate or 0]
    document = json.loads(words.to_json(certificate))
    assert document["counts"] == list(certificate.counts)
    assert document["p_lower"] == certificate.p_lower


def test_the_snippet_runs_and_makes_the_same_counts(made: tuple[Certificate, str]) -> None:
    certificate, path = made
    space: dict[str, object] = {}
    exec(compile(words.python_snippet(certificate, path), "snippet", "exec"), space)
    again = space["certificate"]
    assert isinstance(again, Certificate)
    assert again.counts == certificate.counts
    assert again.radius == certificate.radius


@pytest.mark.parametrize(
    "settings", [{"noise": "laplace", "norm": "linf", "two_sided": True}, {"sound": True}, {"until_radius": 0.05}], ids=str
)
def test_the_snippet_carries_every_choice(made: tuple[Certificate, str], settings: dict[str, object]) -> None:
    first, path = made
    chosen: dict[str, object] = {"sigma": 0.1, "n": 200, "method": "anytime", "device": "cpu"} | settings
    certificate = certify(path, load_classifier(first.classifier.ref), **chosen)  # type: ignore[arg-type]
    space: dict[str, object] = {}
    exec(compile(words.python_snippet(certificate, path), "snippet", "exec"), space)
    again = space["certificate"]
    assert isinstance(again, Certificate)
    assert (again.counts, again.radii, again.noise, again.sound, again.two_sided) == (
        certificate.counts,
        certificate.radii,
        certificate.noise,
        certificate.sound,
        certificate.two_sided,
    )
