"""Whatever is changed by itself in a certificate is named, and whether picture and models are the very ones."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from core.pictures.pixels import image_record, to_pixels
from core.pictures.reading import ImageRecord
from core.smoothing.certificate import Certificate, ModelRecord
from core.smoothing.certify import certify
from core.studies.records import STORED_FOLDER, parse_study
from core.verification.resampling import cannot_sample_here
from core.verification.verify import (
    DIFFERS,
    NOT_CHECKED,
    SAME,
    ModelsHere,
    check_arithmetic,
    check_models,
    check_picture,
    models_of_catalogue,
    picture_hash,
    verify,
    why_not_sampled,
)


class Bright(nn.Module):
    """Class 1 where the mean is above one half; class 2 never."""

    labels = ("dark", "bright", "other")

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5, torch.full_like(mean, -1.0)], dim=1)


def made(level: float = 0.55, **numbers: Any) -> Certificate:
    settings: dict[str, Any] = {"sigma": 0.5, "n": 400, "n0": 20, "device": "cpu"}
    return certify(torch.full((3, 8, 8), level), Bright().eval(), **settings | numbers)


def stopped(method: str) -> Certificate:
    asked: list[None] = []
    return made(n=5000, method=method, batch_size=50, should_stop=lambda: asked.append(None) or len(asked) > 4)


TRUE = {
    "certified": lambda: made(),
    "anytime": lambda: made(method="anytime"),
    "abstains": lambda: made(0.5),
    "stopped, planned with a fixed n": lambda: stopped("clopper-pearson"),
    "stopped, planned anytime": lambda: stopped("anytime"),
    "two-sided": lambda: made(two_sided=True),
    "two-sided, abstains": lambda: made(0.5, two_sided=True),
    "linf": lambda: made(norm="linf"),
    "uniform": lambda: made(noise="uniform"),
    "laplace": lambda: made(noise="laplace", norm="l2", two_sided=True),
    "sound": lambda: made(140 / 255, sound=True),
    "reached": lambda: made(method="anytime", until_radius=0.3, n=4000),
    "out of reach": lambda: made(method="anytime", until_radius=1.0, n=4000),
    "within": lambda: made(method="anytime", within=0.1, n=4000),
    "table": lambda: made(method="group-sequential", table_radii=(0.1, 0.3, 0.8), n=4000),
    "randomised": lambda: made(method="randomised-clopper-pearson"),
    "randomised, two-sided": lambda: made(method="randomised-clopper-pearson", two_sided=True),
    "not settled": lambda: made(method="anytime", until_radius=0.6, n=150),
    "stopped at once": lambda: made(batch_size=5, should_stop=lambda: True),
}


def differing(certificate: Certificate) -> set[str]:
    return {check.name for check in check_arithmetic(certificate) if check.status == DIFFERS}


@pytest.mark.parametrize("kind", TRUE)
def test_a_true_certificate_agrees_with_itself(kind: str) -> None:
    certificate = TRUE[kind]()
    checks = check_arithmetic(certificate)
    assert {check.status for check in checks} == {SAME}, [c.sentence for c in checks if c.status != SAME]
    assert {"settings", "n", "p_lower", "radius", "radius_ceiling", "abstained", "prediction", "label", "stopped"} <= {
        c.name for c in checks
    }
    assert certificate.abstained == (kind in ("abstains", "two-sided, abstains", "stopped at once"))
    assert certificate.settled == (kind if kind in ("reached", "out of reach", "within", "table") else None)


def test_stored_certificates_agree_with_themselves() -> None:
    for path in sorted(STORED_FOLDER.glob("*.json")):
        study, _ = parse_study(path.read_text())
        for certificate in (study.certificate, study.without):
            assert certificate is None or differing(certificate) == set(), path


ALTERED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "prediction": ({"prediction": 0}, {"prediction"}),
    "label": ({"label": "dark"}, {"label"}),
    "abstained": ({"abstained": True}, {"abstained"}),
    "counts moved": ({"counts": (0, 400, 0)}, {"p_lower", "radius"}),
    "counts inflated": ({"counts": (0, 4000, 0)}, {"n"}),
    "n": ({"n": 500}, {"n"}),
    "alpha": ({"alpha": 0.01}, {"p_lower", "radius", "radius_ceiling", "failure_probability"}),
    "sigma": ({"sigma": 0.75}, {"radius", "radius_ceiling"}),
    "stopped": ({"stopped": True}, {"stopped"}),
    "candidate": ({"candidate": 0}, {"p_lower", "radius", "prediction", "abstained", "label"}),
    "candidate beyond": ({"candidate": 9}, {"candidate"}),
    "candidate gone": ({"candidate": None}, {"candidate"}),
    "radius": ({"radius": 0.9}, {"radius"}),
    "radius a little": ({"radius": 0.3333}, {"radius"}),
    "radius_ceiling": ({"radius_ceiling": 2.0}, {"radius_ceiling"}),
    "p_lower": ({"p_lower": 0.99}, {"p_lower"}),
    "n0": ({"n0": 100}, {"samples_per_second"}),
    "n_planned": ({"n_planned": 500}, {"stopped", "method"}),
    "n_planned below n": ({"n_planned": 300}, {"n_planned"}),
    "norm": ({"norm": "linf"}, {"radius", "radius_ceiling"}),
    "noise": ({"noise": "laplace"}, {"radius", "radius_ceiling", "radii"}),
    "method": ({"method": "anytime"}, {"p_lower", "radius", "radius_ceiling"}),
    "failure_probability": ({"failure_probability": 0.0001}, {"failure_probability"}),
    "failure_probability doubled": ({"failure_probability": 0.002}, {"failure_probability"}),
    "labels": ({"labels": ("dark", "bright")}, {"labels"}),
    "method_planned": ({"method_planned": "anytime"}, {"method"}),
    "mixture of the bound that once was": ({"mixture": 1.0}, {"mixture"}),
    "lower_part of one bound": ({"lower_part": 0.95}, {"lower_part"}),
    "label renamed": ({"labels": ("dark", "cat", "other")}, {"label"}),
    "seconds": ({"seconds": 1e-9}, {"samples_per_second"}),
    "samples_per_second": ({"samples_per_second": 1.0}, {"samples_per_second"}),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_was_altered_is_named(what: str) -> None:
    changes, expected = ALTERED[what]
    altered = dataclasses.replace(made(seed=1), **changes)
    assert expected <= differing(altered)
    for check in check_arithmetic(altered):
        if check.status == DIFFERS:
            assert check.sentence
            assert check.stated != check.found


ALTERED_ASKED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "two_sided": ({"two_sided": False}, {"p_upper", "runner_up", "p_lower"}),
    "runner_up": ({"runner_up": 2}, {"runner_up"}),
    "p_upper": ({"p_upper": 0.0001}, {"p_upper"}),
    "radii": ({"radii": {"l1": 9.0, "l2": 9.0, "linf": 9.0}}, {"radii"}),
    "until_radius": ({"until_radius": 1.0}, {"settled"}),
    "settled": ({"settled": "out of reach"}, {"settled"}),
    "tries": ({"tries": 2}, {"p_lower"}),
    "mixture": ({"mixture": 1.0}, {"p_lower", "radius", "radius_ceiling"}),
    "lower_part": ({"lower_part": 0.5}, {"p_lower"}),
}


@pytest.mark.parametrize("what", ALTERED_ASKED)
def test_what_was_altered_in_a_two_sided_run_until_a_radius_is_named(what: str) -> None:
    changes, expected = ALTERED_ASKED[what]
    true = made(method="anytime", until_radius=0.3, n=4000, two_sided=True)
    assert differing(true) == set()
    assert expected <= differing(dataclasses.replace(true, **changes))


ALTERED_TABLE: dict[str, tuple[dict[str, Any], set[str]]] = {
    "table_radii": ({"table_radii": (0.1, 0.35, 0.8)}, {"radius", "p_lower", "radii"}),
    "table_radii gone": ({"table_radii": ()}, {"settings"}),
    "radius between": ({"radius": 0.4}, {"radius"}),
    "radius of the table that is not reached": ({"radius": 0.8}, {"radius"}),
    "method": ({"method": "anytime"}, {"radius", "p_lower"}),
    "n_planned": ({"n_planned": 1_000_000}, {"settled"}),
}


@pytest.mark.parametrize("what", ALTERED_TABLE)
def test_what_was_altered_in_a_table_is_named(what: str) -> None:
    changes, expected = ALTERED_TABLE[what]
    true = made(method="group-sequential", table_radii=(0.1, 0.3, 0.8), n=4000)
    assert true.radius == 0.3
    assert differing(true) == set()
    assert expected <= differing(dataclasses.replace(true, **changes))


def test_another_part_of_the_radius_is_named() -> None:
    true = made(method="anytime", within=0.1, n=4000)
    assert differing(dataclasses.replace(true, within=0.001)) == {"settled"}
    assert differing(dataclasses.replace(true, within=None)) == {"settled"}


def test_every_number_is_among_the_altered_ones() -> None:
    # Picture, models and sampling tell of these; device and versions are as stated.
    elsewhere = {"seed", "sound", "image", "classifier", "denoiser", "device", "versions", "engine", "precision"}
    altered = {what.split()[0] for what in ALTERED} | ALTERED_ASKED.keys() | {"within", "table_radii"}
    assert {field.name for field in dataclasses.fields(Certificate)} - elsewhere == altered


def test_the_sentence_has_both_values() -> None:
    (check,) = [c for c in check_arithmetic(dataclasses.replace(made(), radius=0.9)) if c.status == DIFFERS]
    assert (check.name, check.stated) == ("radius", 0.9)
    assert "stated as 0.9" in check.sentence
    assert f"{check.found:.6g}"[:6] in check.sentence


def test_a_stopped_run_may_double_alpha_and_no_more() -> None:
    certificate = stopped("clopper-pearson")
    assert certificate.failure_probability == pytest.approx(0.002)
    assert differing(dataclasses.replace(certificate, failure_probability=0.003)) == {"failure_probability"}
    assert "method" in differing(dataclasses.replace(certificate, method="clopper-pearson"))


def test_the_speed_of_an_api_is_not_computed_from_its_samples() -> None:
    remote = dataclasses.replace(made(), classifier=ModelRecord("api/demo", None), samples_per_second=1.0)
    assert differing(remote) == set()


def test_the_hash_is_the_one_that_certify_records() -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (37, 50, 3), dtype=np.uint8))
    for size in ((37, 50), (32, 32), (64, 20)):
        assert picture_hash(picture, size) == image_record(to_pixels(picture, size)).sha256


def test_the_picture_and_any_other(case) -> None:
    c = case.certificate
    assert check_picture(c, case.picture).status == SAME
    assert check_picture(c, None).status == NOT_CHECKED
    touched = case.picture.copy()
    touched.putpixel((3, 3), (1, 2, 3))
    assert check_picture(c, touched).status == DIFFERS
    for image in (
        ImageRecord("0" * 64, c.image.height, c.image.width),
        ImageRecord(c.image.sha256, 31, 32),
        ImageRecord(c.image.sha256, 32, 31),
    ):
        check = check_picture(dataclasses.replace(c, image=image), case.picture)
        assert check.status == DIFFERS
        assert check.stated == image.sha256


def test_models_that_are_the_ones(case) -> None:
    here = ModelsHere.of(case.classifier, case.denoiser)
    assert here == models_of_catalogue(case.certificate)
    checks = check_models(case.certificate, here)
    assert {check.status for check in checks} == {SAME}
    assert [check.name for check in checks] == [
        "classifier.revision",
        "classifier.weights",
        "denoiser.revision",
        "denoiser.weights",
        "labels",
    ]


def test_each_changed_hash_and_name_is_named(case) -> None:
    c, here = case.certificate, ModelsHere.of(case.classifier, case.denoiser)
    for what in ("classifier", "denoiser"):
        for part in ("revision", "weights"):
            record = dataclasses.replace(getattr(c, what), **{part: "0" * 64})
            altered = dataclasses.replace(c, **{what: record})
            assert [check.name for check in check_models(altered, here) if check.status == DIFFERS] == [f"{what}.{part}"]
    labels = ("cat", *c.labels[1:])
    (check,) = [k for k in check_models(dataclasses.replace(c, labels=labels), here) if k.status == DIFFERS]
    assert check.name == "labels"
    assert "'cat' there" in check.sentence


def test_no_denoiser_and_classical_ones_have_no_hash(case) -> None:
    here = ModelsHere.of(case.classifier, None)
    none = dataclasses.replace(case.certificate, denoiser=ModelRecord("none", None))
    assert {check.status for check in check_models(none, here)} == {SAME}
    other = dataclasses.replace(case.certificate, denoiser=ModelRecord("classical/tv", None))
    assert [check.name for check in check_models(other, here) if check.status == DIFFERS] == ["denoiser"]
    older = dataclasses.replace(none, classifier=dataclasses.replace(none.classifier, weights=None))
    assert [check.name for check in check_models(older, here) if check.status == NOT_CHECKED] == ["classifier.weights"]


def test_the_app_looks_at_models_of_its_menus_only(case, tmp_path) -> None:
    for ref in (
        f"local/{tmp_path}",
        "local//etc",
        "bundled/../../etc",
        "hub/a/b",
        "bundled/shapes-stab",
        "api/demo",
        "x" * 900,
    ):
        stranger = dataclasses.replace(case.certificate, classifier=ModelRecord(ref, None))
        why = models_of_catalogue(stranger)
        assert isinstance(why, str)
        assert "menus" in why
        assert cannot_sample_here(stranger) == why
    assert cannot_sample_here(case.certificate) is None
    assert "at most" in str(cannot_sample_here(dataclasses.replace(case.certificate, n=200_000)))
    large = dataclasses.replace(case.certificate, image=ImageRecord("0" * 64, 32, 5000))
    assert "at most" in str(cannot_sample_here(large))


def test_another_picture_or_model_is_not_worth_sampling(case) -> None:
    here = ModelsHere.of(case.classifier, case.denoiser)
    assert why_not_sampled(verify(case.certificate, case.picture, here)) is None
    other = Image.new("RGB", (32, 32))
    assert "picture" in str(why_not_sampled(verify(case.certificate, other, here)))
    swapped = dataclasses.replace(case.certificate, denoiser=ModelRecord("bundled/shapes-stab", "0" * 64))
    found = verify(swapped, case.picture, here)
    assert "models" in str(why_not_sampled(found))
    assert found.verdict == DIFFERS
    assert "denoiser.revision" in found.summary()
