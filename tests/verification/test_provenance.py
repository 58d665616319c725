"""Picture and models: the very ones, or not."""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image

from core.pictures.pixels import image_record, to_pixels
from core.pictures.reading import ImageRecord
from core.smoothing.certificate import ModelRecord
from core.verification.check import DIFFERS, NOT_CHECKED, SAME
from core.verification.provenance import (
    ModelsHere,
    cannot_sample_here,
    check_models,
    check_picture,
    models_of_catalogue,
    picture_hash,
)
from core.verification.verify import verify, why_not_sampled


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
