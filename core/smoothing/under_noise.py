"""SampleUnderNoise (Cohen, Rosenfeld, Kolter 2019): noisy copies of pictures through the base classifier, in batches.

What one picture leaves of a batch is filled with the next: choosing a class takes fewer samples than a batch of a GPU holds,
and so does the way from one look to the next of a run that may end early. The noise of a picture depends on its seed and the
sample's number alone, so its votes are the same whatever the batches are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from core.device import pick_device
from core.engines.pair import Pair
from core.engines.programs import choose
from core.errors import LabError
from core.pictures.pixels import ImageSource, image_record, to_pixels
from core.smoothing.certificate import Provenance, model_labels, model_record, model_size
from core.smoothing.noise import NoiseStream, is_on_grid, noisy_copies
from core.smoothing.sampling import (
    BaseClassifier,
    ClassifierLike,
    DenoiserLike,
    check_alone,
    classify,
    default_batch_size,
    finite_votes,
    free_memory,
    is_out_of_memory,
    ready,
)
from core.smoothing.settings import Settings
from core.versions import versions

CHECKED = 4
"""Copies that are classified before the first picture is sampled: :func:`core.smoothing.sampling.check_alone`."""


def settled(
    settings: Settings,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    device: str,
    shape: tuple[int, ...],
    on_notice: Callable[[str], None] = lambda sentence: None,
) -> Settings:
    """The settings with the engine and the precision that these models get here, for pictures of a (3, H, W) shape.

    What is to be compiled is compiled now, so that all pictures of a run come from one program.
    """
    where, size = pick_device(device), model_size(classifier)
    pixels = torch.zeros((3, *size) if size is not None else shape)
    ready(classifier, where, "classifier")
    ready(denoiser, where, "denoiser")
    program = choose(
        _pair(pixels.to(where), classifier, denoiser, settings.sigma), settings.engine, settings.precision, wait=True
    )
    if program.notice is not None:
        on_notice(program.notice)
    return replace(settings, engine=program.engine, precision=program.precision)


def _pair(
    pixels: Tensor, classifier: ClassifierLike, denoiser: DenoiserLike | None, sigma: float, batch_size: int | None = None
) -> Pair:
    rows = max(1, batch_size or default_batch_size(pixels))
    return Pair(classifier, denoiser, sigma=sigma, shape=tuple(pixels.shape), rows=rows, device=pixels.device)


class PictureUnderNoise:
    """One picture, one base classifier, and one kind of noise, which sigma, seed, noise and sound of the settings say.

    Raises:
        LabError: where picture, models or device are not usable.
    """

    def __init__(
        self,
        image: ImageSource,
        classifier: ClassifierLike,
        denoiser: DenoiserLike | None,
        settings: Settings,
        *,
        device: str = "auto",
        batch_size: int | None = None,
    ) -> None:
        self.device = pick_device(device)
        pixels = to_pixels(image, model_size(classifier))
        if settings.sound and not is_on_grid(pixels):
            raise LabError(
                "Sound mode needs 8-bit pixel values, and this tensor has values between them: pass"
                " (image * 255).round() / 255, and what is then certified is that rounded picture."
            )
        ready(classifier, self.device, "classifier")
        ready(denoiser, self.device, "denoiser")
        self.pixels = pixels.to(self.device)
        self.shape = tuple(pixels.shape)
        self.sigma, self._settings = settings.sigma, settings
        pair = _pair(self.pixels, classifier, denoiser, settings.sigma, batch_size=batch_size)
        self.program = choose(pair, settings.engine, settings.precision)
        self.base = BaseClassifier(classifier, denoiser, self.program)
        self.provenance = Provenance(
            image_record(pixels),
            model_record(classifier),
            model_record(denoiser),
            labels=model_labels(classifier),
            device=str(self.device),
            versions=versions() | self.program.versions,
            engine=self.program.engine,
            precision=self.program.precision,
        )
        self._streams: dict[str, NoiseStream] = {}

    def noisy(self, purpose: str, start: int, stop: int) -> Tensor:
        """(stop - start, 3, H, W) noisy copies: samples ``start`` to ``stop`` (exclusive) of the stream for a purpose."""
        return noisy_copies(self.pixels, self.sigma, self._stream(purpose)(start, stop))

    def draw_ahead(self, purpose: str, start: int, stop: int) -> None:
        """Begin to draw the noise of samples that are wanted next."""
        self._stream(purpose).draw_ahead(start, stop)

    def _stream(self, purpose: str) -> NoiseStream:
        if purpose not in self._streams:
            self._streams[purpose] = noise_source(self.shape, self._settings, purpose, self.device)
        return self._streams[purpose]

    def check_votes(self, votes: Tensor) -> Tensor:
        """The same votes; raises LabError where the classifier has other labels."""
        labels = self.provenance.labels
        if labels is not None and len(votes) != len(labels):
            raise LabError(f"The classifier returned {len(votes)} logits but has {len(labels)} labels: they must be as many.")
        return votes


def noise_source(shape: tuple[int, ...], settings: Settings, purpose: str, device: torch.device) -> NoiseStream:
    """The noise of a (C, H, W) picture for a purpose, a key of :data:`core.smoothing.noise.PURPOSES`."""
    if not settings.sound:
        return NoiseStream(shape=shape, seed=settings.seed, purpose=purpose, device=device, kind=settings.noise)
    from core.smoothing.exact_noise import GridNoiseStream  # makes its tables of exact thresholds when it is used

    return GridNoiseStream(shape=shape, sigma=settings.sigma, seed=settings.seed, purpose=purpose, device=device)


class VoteCounter(Protocol):
    """Who counts the votes of one picture, and says which samples are wanted."""

    @property
    def finished(self) -> bool:
        """Whether no more votes are wanted."""

    def wanted(self, sent: Mapping[str, int]) -> tuple[str, int] | None:
        """A purpose, and up to which of its samples they are wanted whatever the votes under way will be; None for none.

        Args:
            sent: how many samples of each purpose are counted or under way.
        """

    def add(self, purpose: str, votes: Tensor) -> None:
        """Count (classes,) votes of the next samples of a purpose."""


@dataclass(eq=False)
class Sampling:
    """A picture that is being sampled.

    ``sent`` is how many samples of each purpose were sent to the networks, ``seconds`` what they took of their time.
    """

    picture: PictureUnderNoise
    counter: VoteCounter
    sent: dict[str, int] = field(default_factory=lambda: {"select": 0, "estimate": 0, "predict": 0})
    seconds: float = 0.0

    def next_piece(self, room: int) -> _Piece | None:
        """At most ``room`` samples; None where none is wanted now."""
        wanted = self.counter.wanted(self.sent)
        if wanted is None:
            return None
        purpose, most = wanted
        start = self.sent[purpose]
        self.sent[purpose] = min(start + room, most)
        return _Piece(self, purpose, start, self.sent[purpose])

    def draw_ahead(self, room: int) -> None:
        """Begin to draw the noise of the next ``room`` samples, as far as they are wanted whatever the votes under way."""
        wanted = self.counter.wanted(self.sent)
        if wanted is not None:
            start = self.sent[wanted[0]]
            self.picture.draw_ahead(wanted[0], start, min(start + room, wanted[1]))


@dataclass(frozen=True, eq=False)
class _Piece:
    """Samples ``start`` to ``stop`` (exclusive) of a picture's stream for a purpose."""

    sampling: Sampling
    purpose: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def noisy(self) -> Tensor:
        """(samples, 3, H, W) noisy copies."""
        return self.sampling.picture.noisy(self.purpose, self.start, self.stop)


_Voted = list[tuple[_Piece, Tensor]]


def sample_under_noise(
    samplings: Iterable[Sampling],
    *,
    batch_size: int | None = None,
    after_batch: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Sampling]:
    """Sample pictures of one size through the same networks, and yield each, in order, once its counter is finished.

    Memory holds one batch on a CPU, two on a GPU (one is under way while the last is read), and the pictures that share
    them. Where a batch does not fit it is halved, and so are those after it; the votes stay what they would have been.

    Args:
        samplings: taken one by one as there is room; of the same networks, device and sigma.
        batch_size: copies at once; by default what suits device and picture.
        after_batch: called whenever a batch has been counted.
        should_stop: asked after every batch; the pictures that are not finished then are not yielded.

    Raises:
        LabError: where networks return the wrong shape, NaN or infinity, or see what else is in a batch, or one copy does not
            fit in memory.
    """
    if batch_size is not None and batch_size < 1:
        raise LabError(f"batch_size is {batch_size}: expected at least 1.")
    waiting, under_way = iter(samplings), deque[Sampling]()
    pending: _Voted = []
    size, exhausted, checked, counted_at = batch_size, False, False, time.perf_counter()
    while True:
        pieces: list[_Piece] = []
        room = size or 1
        for sampling in under_way:
            room = _fill(pieces, sampling, room)
        while room and not exhausted:
            following = next(waiting, None)
            if following is None:
                exhausted = True
                break
            if size is None:
                size = room = default_batch_size(following.picture.pixels)
            if not checked:
                _check_first(following, size)
                checked, counted_at = True, time.perf_counter()
            under_way.append(following)
            room = _fill(pieces, following, room)
        voted, fitted = _votes(pieces)
        if fitted < sum(map(len, pieces)):
            size = fitted
        on_cpu = bool(under_way) and under_way[0].picture.device.type == "cpu"
        # What a CPU was asked has been computed by now: nothing is won by waiting.
        ready_batches = [batch for batch in ((pending, voted) if on_cpu else (pending,)) if batch]
        for batch in ready_batches:
            counted_at = _count(batch, counted_at)
            after_batch()
        pending = [] if on_cpu else voted
        while under_way and under_way[0].counter.finished:
            yield under_way.popleft()
        if (exhausted and not under_way) or (ready_batches and should_stop()):
            return


def _check_first(sampling: Sampling, size: int) -> None:
    """See that the first copies are answered alike whatever else is in their batch, if batches have room for more than one."""
    picture, wanted, count = sampling.picture, sampling.counter.wanted(sampling.sent), min(CHECKED, size)
    if picture.program.run is not None:
        return None  # as it was when it was compiled
    while wanted is not None and count > 1:
        try:
            return check_alone(picture.base, picture.noisy(wanted[0], 0, count), picture.sigma)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            count //= 2
            del error
            free_memory(picture.device)
    return None


def _fill(pieces: list[_Piece], sampling: Sampling, room: int) -> int:
    """Add what a picture wants now to a batch; returns the room that is left."""
    while room and (piece := sampling.next_piece(room)) is not None:
        pieces.append(piece)
        room -= len(piece)
    return room


def _votes(pieces: list[_Piece]) -> tuple[_Voted, int]:
    """The votes of each piece, on the device, and the most copies that fitted into memory at once."""
    left, size = deque(pieces), sum(map(len, pieces))
    voted: _Voted = []
    while left:
        part = _first(left, size)
        try:
            voted += _classified(part)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise LabError(
                    "One noisy copy does not fit in memory: use a smaller picture, model or another device."
                ) from error
            size = max(1, size // 2)
            left.extendleft(reversed(part))
            del error
            free_memory(part[0].sampling.picture.device)
    return voted, size


def _first(left: deque[_Piece], size: int) -> list[_Piece]:
    """Take so many copies off the pieces that are left; the last of them may be cut in two."""
    part: list[_Piece] = []
    while left and size:
        piece = left.popleft()
        if len(piece) > size:
            middle = piece.start + size
            left.appendleft(replace(piece, start=middle))
            piece = replace(piece, stop=middle)
        part.append(piece)
        size -= len(piece)
    return part


@torch.inference_mode()
def _classified(pieces: list[_Piece]) -> _Voted:
    picture = pieces[0].sampling.picture
    noisy = [piece.noisy() for piece in pieces]
    pieces[-1].sampling.draw_ahead(sum(map(len, pieces)))
    top, classes = classify(picture.base, noisy[0] if len(noisy) == 1 else torch.cat(noisy), picture.sigma)
    parts = top.split([len(piece) for piece in pieces])
    return [(piece, torch.bincount(part, minlength=classes + 1)) for piece, part in zip(pieces, parts, strict=True)]


def _count(voted: _Voted, since: float) -> float:
    """Hand every counter its votes, and every picture its part of the time since the last batch; returns the time."""
    counted = [(piece, piece.sampling.picture.check_votes(finite_votes(votes))) for piece, votes in voted]
    now = time.perf_counter()
    each = (now - since) / sum(len(piece) for piece, _ in counted)
    for piece, votes in counted:
        piece.sampling.seconds += each * len(piece)
        piece.sampling.counter.add(piece.purpose, votes)
    return now
