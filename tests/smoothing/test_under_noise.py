"""SampleUnderNoise: batches, memory, what networks may return, and several pictures in one batch against one by one."""

from __future__ import annotations

import gc
import math
import os
import threading

import pytest
import torch
from torch import Tensor, nn

from core.errors import LabError
from core.smoothing.noise import NoiseStream, drawer
from core.smoothing.sampling import default_batch_size, ready
from core.smoothing.settings import Settings
from core.smoothing.under_noise import CHECKED, PictureUnderNoise, Sampling, sample_under_noise

CPU = torch.device("cpu")
GREY = torch.full((3, 4, 4), 0.5)


def three_classes(pixels: Tensor) -> Tensor:
    """The channel that is brightest."""
    return pixels.mean(dim=(2, 3))


class Tally:
    """Counts n samples, and keeps how many came at a time."""

    def __init__(self, n: int) -> None:
        self.n, self.batches = n, []

    @property
    def finished(self) -> bool:
        return sum(int(votes.sum()) for votes in self.batches) == self.n

    def wanted(self, sent) -> tuple[str, int] | None:
        return None if sent["estimate"] >= self.n else ("estimate", self.n)

    def add(self, purpose: str, votes: Tensor) -> None:
        self.batches.append(votes)


def tally(classifier=three_classes, denoiser=None, *, image=GREY, n=500, sigma=0.25, batch_size=None, seed=0) -> Tally:
    picture = PictureUnderNoise(image, classifier, denoiser, Settings(sigma=sigma, seed=seed), device="cpu")
    counter = Tally(n)
    assert len(list(sample_under_noise([Sampling(picture, counter)], batch_size=batch_size))) == 1
    return counter


def count(*args, **how) -> Tensor:
    return sum(tally(*args, **how).batches)


def test_noise_is_drawn_beside_the_networks_and_none_in_vain(monkeypatch):
    drawn: dict[int, str] = {}
    draw = NoiseStream._drawn

    def noting(self: NoiseStream, number: int) -> Tensor:
        drawn[number] = threading.current_thread().name
        return draw(self, number)

    monkeypatch.setattr(NoiseStream, "_drawn", noting)
    assert int(count(n=500, batch_size=50).sum()) == 500
    assert sorted(drawn) == list(range(8)), "500 samples are 8 blocks of 64"
    assert set(drawn.values()) == {threading.current_thread().name, "noise_0"}
    assert [number for number, name in drawn.items() if name != "noise_0"] == [0]


def test_memory_that_runs_out_beside_the_networks_halves_the_batch(monkeypatch):
    draw, failed = NoiseStream._drawn, []

    def failing(self: NoiseStream, number: int) -> Tensor:
        if threading.current_thread().name == "noise_0" and not failed:
            failed.append(number)
            raise MemoryError
        return draw(self, number)

    expected = count(n=500)
    monkeypatch.setattr(NoiseStream, "_drawn", failing)
    assert count(n=500).tolist() == expected.tolist()
    assert failed


def test_votes_are_those_of_the_noise():
    noisy = GREY + 0.25 * NoiseStream((3, 4, 4), 0, "estimate", CPU)(0, 500)
    expected = torch.bincount(three_classes(noisy).argmax(1), minlength=3)
    assert count().tolist() == expected.tolist()
    assert count().dtype == torch.int64


@pytest.mark.parametrize("batch_size", [1, 7, 64, 1_000, None])
def test_batch_size_changes_no_vote(batch_size):
    assert count(batch_size=batch_size).tolist() == count(batch_size=13).tolist()


def test_every_batch_is_reported_once():
    assert [int(votes.sum()) for votes in tally(n=100, batch_size=32).batches] == [32, 32, 32, 4]


def test_classes_that_get_no_vote_are_counted_as_zero():
    votes = count(lambda x: torch.tensor([[0.0, 1.0, 0.0, 0.0]]).expand(len(x), 4), n=20)
    assert votes.tolist() == [0, 20, 0, 0]


def test_noise_is_scaled_by_sigma_and_handed_to_the_denoiser_before_anything_else():
    seen = []

    def denoiser(noisy, sigma):
        seen.append((noisy, sigma))
        return torch.zeros_like(noisy)

    def classifier(pixels):
        assert not pixels.any()  # what the denoiser returned
        return three_classes(pixels)

    count(classifier, denoiser, n=64, sigma=0.5)
    noisy = torch.cat([each for each, _ in seen[2:]])  # before come those that are checked
    assert torch.equal(noisy, GREY + 0.5 * NoiseStream((3, 4, 4), 0, "estimate", CPU)(0, 64))
    assert noisy.min() < 0  # noise is not clipped
    assert noisy.max() > 1
    assert {sigma for _, sigma in seen} == {0.5}


def test_a_network_that_writes_into_its_input_spoils_nothing():
    def careless(pixels):
        logits = three_classes(pixels)
        pixels.zero_()
        return logits

    image = GREY.clone()
    assert count(careless, image=image, batch_size=10).tolist() == count().tolist()
    assert torch.equal(image, GREY)


def out_of_memory_errors() -> list[Exception]:
    return [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ]


@pytest.mark.parametrize("error", out_of_memory_errors(), ids=lambda error: type(error).__name__)
def test_out_of_memory_halves_the_batch_and_changes_no_vote(error):
    sizes, fits = [], 7

    def small(pixels):
        sizes.append(len(pixels))
        if len(pixels) > fits:
            raise error
        return three_classes(pixels)

    assert count(small, n=200, batch_size=128).tolist() == count(n=200).tolist()
    assert sizes[:2] == [CHECKED, CHECKED]
    worked = [size for size in sizes[2:] if size <= fits]
    assert sum(worked) == 200
    assert max(worked) > fits / 2
    assert len(sizes) - len(worked) <= 10  # it does not try large batches again and again


def test_a_denoiser_may_run_out_of_memory_too():
    def small(noisy, sigma):
        if len(noisy) > 5:
            raise torch.OutOfMemoryError("out of memory")
        return noisy

    assert count(three_classes, small, n=100).tolist() == count(n=100).tolist()


@pytest.mark.parametrize("error", out_of_memory_errors(), ids=lambda error: type(error).__name__)
def test_one_copy_that_does_not_fit_is_told(error):
    def never(pixels):
        raise error

    with pytest.raises(LabError, match="One noisy copy does not fit in memory"):
        count(never)


def test_other_errors_of_a_network_are_its_own():
    def broken(pixels):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        count(broken)


def live_bytes() -> int:
    """Bytes in all tensors that are alive, each storage counted once."""
    storages = {}
    for thing in gc.get_objects():
        if type(thing) is Tensor:
            storage = thing.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    return sum(storages.values())


def drawn_ahead() -> None:
    """Wait for noise that is drawn beside the networks."""
    drawer(os.getpid()).submit(lambda: None).result(60)


@pytest.mark.parametrize("side", [16, 224])
def test_memory_does_not_grow_with_n(side):
    image = torch.full((3, side, side), 0.5)

    def peak(n: int) -> tuple[int, int, int]:
        before, most, largest, calls = live_bytes(), 0, 0, 0

        def classifier(pixels):
            nonlocal most, largest, calls
            calls += 1
            largest = max(largest, len(pixels))
            drawn_ahead()
            if calls in (2, 3) or calls % 40 == 0:  # a look at every object there is takes a while
                most = max(most, live_bytes() - before)
            return three_classes(pixels)

        assert int(count(classifier, image=image, n=n).sum()) == n
        return most, largest, calls

    few, many = (peak(n) for n in ((128, 320) if side == 224 else (512, 4_096)))
    assert many[2] > 2 * few[2]
    assert many[0] <= few[0] * 1.01 + 4_096
    assert many[1] == few[1] <= default_batch_size(image)
    # Noise by the block, the next one that is drawn meanwhile, one batch of noisy copies, and hardly anything else.
    assert many[0] < 1.2 * (2 * 64 + 2 * many[1]) * image.numel() * 4


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 32, 32), (3, 224, 224), (3, 512, 512), (3, 2_000, 2_000)])
def test_default_batches_shrink_with_the_picture(shape):
    size = default_batch_size(torch.empty(shape))
    assert 2 <= size <= 64
    pixels = shape[1] * shape[2]
    assert size * pixels <= max(2**19, 2 * pixels)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_logits_that_are_no_numbers_are_told(value):
    def damaged(pixels):
        logits = three_classes(pixels)
        logits[::10, 1] = value
        return logits

    with pytest.raises(LabError, match=r"\d+ of \d+ noisy copies got logits that are NaN or infinite"):
        count(damaged)


def test_a_denoiser_that_returns_nan_is_told():
    with pytest.raises(LabError, match="NaN or infinite"):
        count(three_classes, lambda noisy, sigma: noisy * math.nan)


@pytest.mark.parametrize(
    ("classifier", "says"),
    [
        (lambda x: x.mean(dim=(1, 2, 3)), r"returned \(4,\) for 4 pictures: expected \(4, classes\)"),
        (lambda x: x, r"returned \(4, 3, 4, 4\) for 4 pictures"),
        (lambda x: three_classes(x)[:1], r"returned \(1, 3\) for 4 pictures"),
        (lambda x: [1, 2, 3], "returned list for 4 pictures"),
        (lambda x: {"logits": three_classes(x)}, "returned dict for 4 pictures"),
        (lambda x: three_classes(x)[:, :1], "returned one class"),
    ],
)
def test_classifiers_of_the_wrong_shape_are_told(classifier, says):
    with pytest.raises(LabError, match=says):
        count(classifier)


@pytest.mark.parametrize(
    ("denoiser", "says"),
    [
        (lambda x, s: x[:, :1], r"denoiser returned \(4, 1, 4, 4\) for a batch of \(4, 3, 4, 4\): expected the same shape"),
        (lambda x, s: nn.functional.interpolate(x, scale_factor=2), r"denoiser returned \(4, 3, 8, 8\)"),
        (lambda x, s: (x, s), "denoiser returned tuple"),
        (lambda x, s: None, "denoiser returned NoneType"),
    ],
)
def test_denoisers_of_the_wrong_shape_are_told(denoiser, says):
    with pytest.raises(LabError, match=says):
        count(three_classes, denoiser)


@pytest.mark.parametrize("batch_size", [0, -1, -64])
def test_impossible_batch_sizes_are_told(batch_size):
    with pytest.raises(LabError, match=r"batch_size is .* expected at least 1"):
        count(batch_size=batch_size)


def normalising(**how) -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, **how), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))


TRAINING = normalising()
SEES_ITS_BATCH = {
    "batch norm without running statistics": normalising(track_running_stats=False).eval(),
    "batch norm in training mode behind a lambda": lambda pixels: TRAINING(pixels),
    "dropout behind a lambda": lambda pixels: three_classes(nn.functional.dropout(pixels)),
    "a mean over the batch": lambda pixels: three_classes(pixels) - three_classes(pixels).mean(dim=0),
}


@pytest.mark.parametrize("what", SEES_ITS_BATCH)
def test_networks_that_see_their_batch_are_refused_before_sampling(what):
    network = SEES_ITS_BATCH[what]
    with pytest.raises(LabError, match=r"the same noisy copy otherwise when others are in its batch .* certify nothing"):
        tally(network, n=20)
    spoiling = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)).eval()
    with pytest.raises(LabError, match="the denoiser before it, answers the same noisy copy otherwise"):
        tally(three_classes, lambda noisy, sigma: spoiling(noisy), n=20)
    count(network, n=20, batch_size=1)  # each copy is alone then


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_rounding_is_no_look_at_the_batch(kind):
    module = normalising().eval()
    with torch.autocast("cpu", dtype=getattr(torch, kind), enabled=kind != "float32"):
        assert int(count(module, n=64).sum()) == 64


def test_modules_in_training_mode_are_refused():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout())
    with pytest.raises(LabError, match=r"The classifier.* training mode: call \.eval\(\)"):
        ready(module, CPU, "classifier")
    module.eval()
    ready(module, CPU, "classifier")
    module[1].train()  # one layer left behind is enough to spoil the votes
    with pytest.raises(LabError, match="training mode"):
        ready(module, CPU, "denoiser")
    ready(three_classes, CPU, "classifier")
    ready(None, CPU, "denoiser")
