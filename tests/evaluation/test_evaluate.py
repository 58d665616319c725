"""A data set is certified image by image, several in one batch: against one by one."""

from __future__ import annotations

import dataclasses
import time

import pytest
import torch

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.evaluate import evaluate
from core.smoothing.certification import Certification
from core.smoothing.certify import certify, certify_picture
from core.smoothing.noise import image_seed
from core.smoothing.settings import Settings
from core.smoothing.under_noise import PictureUnderNoise, Sampling, sample_under_noise

SETTINGS = Settings(sigma=0.25, n0=20, n=300, alpha=0.01)
KINDS = {
    "fixed": {},
    "table": {"method": "group-sequential", "table_radii": (0.0, 0.1, 0.3)},
    "until": {"method": "anytime", "until_radius": 0.1},
    "within": {"method": "anytime", "within": 0.2, "two_sided": True},
    "sound": {"sound": True},
    "laplace": {"noise": "laplace", "norm": "l2"},
}


@pytest.fixture(autouse=True)
def _copies_are_counted_but_for_those_that_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.smoothing.under_noise.CHECKED", 1)


class Counting:
    """Three classes by brightness, which keeps how many copies each call had."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(pixels))
        mean = pixels.mean(dim=(1, 2, 3)) * 40
        return torch.stack([-mean, mean - 40, torch.full_like(mean, -20.0)], dim=1)


@pytest.fixture
def pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shades = torch.linspace(0.47, 0.53, 9)[:, None, None, None]
    return (torch.rand((9, 3, 8, 8), generator=generator) * 0.02 + shades).mul(255).round().to(torch.uint8)


def samplings(pictures, classifier, settings=SETTINGS):
    for number, pixels in enumerate(pictures):
        own = dataclasses.replace(settings, seed=number)
        picture = PictureUnderNoise(pixels.float() / 255, classifier, None, own, device="cpu")
        yield Sampling(picture, Certification(own, picture.shape))


def certificates_of(found):
    return [s.counter.certificate(s.picture.provenance, s.seconds) for s in found]


def together(pictures, classifier, settings=SETTINGS, batch_size=None):
    return certificates_of(sample_under_noise(samplings(pictures, classifier, settings), batch_size=batch_size))


def stripped(certificate):
    return dataclasses.replace(certificate, seconds=0.0, samples_per_second=0.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [1, 7, 64, 1_000])
def test_every_certificate_is_that_of_one_by_one(kind, batch_size, pictures):
    settings = dataclasses.replace(SETTINGS, **KINDS[kind])
    classifier = Counting()
    found = together(pictures, classifier, settings, batch_size)
    alone = [
        certify_picture(picture.float() / 255, Counting(), None, dataclasses.replace(settings, seed=n), device="cpu")
        for n, picture in enumerate(pictures)
    ]
    assert [stripped(c) for c in found] == [stripped(c) for c in alone]
    assert len({c.prediction for c in alone}) > 1
    assert max(classifier.batches) <= batch_size
    assert sum(classifier.batches) == sum(c.n0 + c.n for c in alone)


def test_batches_are_filled_with_the_next_pictures(pictures):
    classifier = Counting()
    together(pictures, classifier, batch_size=128)
    assert classifier.batches[:-1] == [128] * (9 * 320 // 128)
    classifier = Counting()
    table = dataclasses.replace(SETTINGS, **KINDS["table"])
    certificates = together(pictures, classifier, table, 128)
    alone = Counting()
    for number, picture in enumerate(pictures):
        own = dataclasses.replace(table, seed=number)
        certify_picture(picture.float() / 255, alone, None, own, batch_size=128, device="cpu")
    assert sum(classifier.batches) == sum(alone.batches) == sum(c.n0 + c.n for c in certificates)
    assert len(classifier.batches) < len(alone.batches) / 2


def test_times_add_up(pictures):
    began = time.perf_counter()
    certificates = together(pictures, Counting(), batch_size=64)
    took = time.perf_counter() - began
    assert 0.5 * took < sum(c.seconds for c in certificates) <= took
    assert all(c.seconds > 0 for c in certificates)


def test_no_picture_is_begun_before_there_is_room(pictures):
    begun = []

    def one_by_one():
        for number, c in enumerate(samplings(pictures, Counting())):
            begun.append(number)
            yield c

    found = sample_under_noise(one_by_one(), batch_size=64)
    next(found)
    assert begun in ([0], [0, 1])


def test_out_of_memory_halves_the_batch_and_changes_no_vote(pictures):
    class Small(Counting):
        def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
            if len(pixels) > 40:
                raise torch.OutOfMemoryError("out of memory")
            return super().__call__(pixels)

    small = Small()
    found = together(pictures, small, batch_size=128)
    whole = together(pictures, Counting(), batch_size=128)
    assert [(c.counts, c.radius) for c in found] == [(c.counts, c.radius) for c in whole]
    assert max(small.batches) <= 40

    def none_fits(pixels: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(LabError, match="One noisy copy does not fit in memory"):
        together(pictures, none_fits, batch_size=4)


def test_logits_that_are_no_numbers_are_told(pictures):
    with pytest.raises(LabError, match="NaN or infinite"):
        together(pictures, lambda pixels: torch.full((len(pixels), 3), torch.nan))


def test_evaluate_is_certify_image_by_image_and_stops_within_a_batch(pictures):
    data = LabelledImages(pictures, torch.tensor([0, 1, 2] * 3), torch.arange(9) * 10, None)
    settings = dataclasses.replace(SETTINGS, seed=5)
    found = list(evaluate(data, Counting(), None, settings, device="cpu", done=frozenset({20, 50})))
    assert [line.idx for line, _ in found] == [0, 10, 30, 40, 60, 70, 80]
    for line, votes in found:
        picture = pictures[line.idx // 10].float() / 255
        alone = certify(picture, Counting(), sigma=0.25, n0=20, n=300, alpha=0.01, seed=image_seed(5, line.idx), device="cpu")
        assert votes.counts == {label: count for label, count in enumerate(alone.counts) if count}
        assert (line.predict, line.radius) == (-1 if alone.prediction is None else alone.prediction, alone.radius)
        assert (line.label, line.correct) == (line.idx // 10 % 3, line.predict == line.idx // 10 % 3)
    asked = []
    stop = iter([False] * 11 + [True] * 9)

    def should_stop() -> bool:
        asked.append(next(stop))
        return asked[-1]

    cut = list(evaluate(data, Counting(), None, settings, device="cpu", should_stop=should_stop))
    assert len(asked) == 12
    assert [line.idx for line, _ in cut] == [0, 10]


def test_the_program_is_settled_before_the_first_picture_and_computes_all(pictures, monkeypatch):
    asked = []

    def recorded(image, classifier, denoiser, settings, **how):
        asked.append((settings.engine, settings.precision))
        return PictureUnderNoise(image, classifier, denoiser, settings, **how)

    monkeypatch.setattr("core.evaluation.evaluate.PictureUnderNoise", recorded)
    data = LabelledImages(pictures, torch.zeros(9, dtype=torch.int64), torch.arange(9), None)
    settings = dataclasses.replace(SETTINGS, engine="auto", precision="auto")
    assert len(list(evaluate(data, Counting(), None, settings, device="cpu"))) == 9
    assert asked == 9 * [("eager", "float32")]
