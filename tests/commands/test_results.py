"""Certificates as text."""

from __future__ import annotations

from core.commands.results import certificate_lines
from core.pictures.reading import ImageRecord
from core.smoothing.certificate import Certificate, ModelRecord


def certificate(**changes) -> Certificate:
    values = {
        "prediction": 1,
        "label": "dog",
        "abstained": False,
        "counts": (3, 90, 2, 2, 2, 1),
        "n": 100,
        "alpha": 0.001,
        "sigma": 0.5,
        "seed": 0,
        "stopped": False,
        "image": ImageRecord("ab" * 32, 32, 48),
        "classifier": ModelRecord("bundled/pets", "c0ffee00c0ffee"),
        "denoiser": ModelRecord("none", None),
        "labels": ("cat", "dog", "frog", "horse", "ship", "truck"),
        "device": "cpu",
        "seconds": 1.0,
        "samples_per_second": 110.0,
        "versions": {},
        "candidate": 1,
        "radius": 0.4,
        "radius_ceiling": 0.75,
        "p_lower": 0.79,
        "n0": 10,
        "n_planned": 100,
        "norm": "l2",
        "noise": "gaussian",
        "method": "clopper-pearson",
        "failure_probability": 0.001,
    }
    return Certificate(**(values | changes))


def certificate_text(certificate: Certificate) -> str:
    return "\n".join(certificate_lines("a", certificate))


def test_the_leading_classes_are_named_and_the_rest_counted():
    assert "dog 90, cat 3, frog 2, horse 2, others 3 (100 samples; 10 others chose the class)" in certificate_text(
        certificate()
    )


def test_a_tiny_alpha_is_not_rounded_to_certainty():
    text = certificate_text(certificate(alpha=1e-12, failure_probability=1e-12))
    assert "with probability at least 1 - 1e-12" in text


def test_a_stopped_run_says_what_was_planned_and_what_that_costs():
    text = certificate_text(certificate(stopped=True, n_planned=5000, method="anytime", failure_probability=0.002))
    assert "stopped of 5,000 planned" in text
    assert "1 - 0.002" in text


def test_stopped_before_a_class_was_chosen():
    nothing = certificate(
        prediction=None, label=None, abstained=True, candidate=None, counts=(0,) * 6, n=0, stopped=True, radius=0.0, p_lower=0.0
    )
    text = certificate_text(nothing)
    assert "abstains" in text
    assert "stopped before" in text
    assert "votes     none" in text
    assert "p_lower" not in text


def test_classes_without_labels_are_numbered():
    assert "class 1, certified within" in certificate_text(certificate(labels=None, label=None))
