"""Several pictures in one batch: what one picture leaves of it is filled with the next.

Choosing a class takes fewer samples than a batch of a GPU holds, and so does the way from one look to the next of a run that
may end early. The noise of a picture depends on its seed and the sample's number alone, so its votes stay what they are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.errors import LabError
from core.smoothing.certificate import Certificate
from core.smoothing.certification import Certification
from core.smoothing.noise import NoiseSource, noisy_copies
from core.smoothing.sampling import classify, default_batch_size, free_memory, is_out_of_memory, read_votes


@dataclass
class _Picture:
    """A certification under way, and how many samples of it have been sent to the networks."""

    certification: Certification
    streams: dict[str, NoiseSource] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=lambda: {"select": 0, "estimate": 0})
    seconds: float = 0.0

    @property
    def finished(self) -> bool:
        c = self.certification
        return c.settled is not None or c.done == c.n

    def next_piece(self, room: int) -> _Piece | None:
        """At most ``room`` samples that are wanted whatever the votes under way will be; None where there are none."""
        c = self.certification
        purpose = "select" if self.sent["select"] < c.n0 else "estimate"
        start = self.sent[purpose]
        if purpose == "select":
            most = c.n0
        else:
            done = c.done
            most = next((at for at in c.asks if at > done), c.n)
        if start >= most or c.settled is not None:
            return None
        stop = min(start + room, most)
        self.sent[purpose] = stop
        if purpose not in self.streams:
            self.streams[purpose] = c.run.stream(purpose)
        return _Piece(self, purpose, start, stop)


@dataclass(frozen=True)
class _Piece:
    """Samples ``start`` to ``stop`` (exclusive) of a picture's stream for a purpose."""

    picture: _Picture
    purpose: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def noisy(self) -> Tensor:
        """(samples, 3, H, W) noisy copies."""
        run = self.picture.certification.run
        return noisy_copies(run.image, run.sigma, self.picture.streams[self.purpose](self.start, self.stop))

    def halves(self) -> tuple[_Piece, _Piece]:
        middle = (self.start + self.stop) // 2
        return (_Piece(self.picture, self.purpose, self.start, middle), _Piece(self.picture, self.purpose, middle, self.stop))


_Voted = list[tuple[_Piece, Tensor]]


def certify_together(
    certifications: Iterator[Certification], *, batch_size: int | None = None, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Certificate]:
    """Certify pictures of one size with the same networks, and yield their certificates in order.

    On a GPU one batch is under way while the last is read. Memory holds two batches, and the pictures that share them.

    Args:
        certifications: taken one by one as there is room; of the same networks, device and sigma.
        batch_size: copies at once; by default what suits device and picture.
        should_stop: asked after every batch; the pictures that are not finished then are left out.

    Raises:
        LabError: as :func:`core.certify`.
    """
    pictures: deque[_Picture] = deque()
    pending: _Voted = []
    size, exhausted, counted_at = batch_size, False, time.perf_counter()
    while True:
        pieces: list[_Piece] = []
        room = size or 1
        for picture in pictures:
            while room and (piece := picture.next_piece(room)) is not None:
                pieces.append(piece)
                room -= len(piece)
        while room and not exhausted:
            certification = next(certifications, None)
            if certification is None:
                exhausted = True
                break
            if size is None:
                size = room = default_batch_size(certification.run.image)
            picture = _Picture(certification)
            pictures.append(picture)
            while room and (piece := picture.next_piece(room)) is not None:
                pieces.append(piece)
                room -= len(piece)
        voted, fitted = _votes(pieces)
        if fitted < sum(map(len, pieces)):
            size = fitted
        on_cpu = bool(pictures) and pictures[0].certification.run.device.type == "cpu"
        # What a CPU was asked has been computed by now: nothing is won by waiting.
        for batch in (pending, voted) if on_cpu else (pending,):
            counted_at = _count(batch, counted_at)
        pending = [] if on_cpu else voted
        while pictures and pictures[0].finished:
            picture = pictures.popleft()
            picture.certification.run.spent = picture.seconds
            yield picture.certification.certificate()
        if (exhausted and not pictures) or should_stop():
            return


def _votes(pieces: list[_Piece]) -> tuple[_Voted, int]:
    """The votes of each piece, on the device, and the most copies that fitted into memory at once."""
    total = sum(map(len, pieces))
    if not total:
        return [], 0
    run = pieces[0].picture.certification.run
    try:
        with torch.inference_mode():
            top, classes = classify(run.base, torch.cat([piece.noisy() for piece in pieces]), run.sigma)
            parts = top.split([len(piece) for piece in pieces])
            return [(p, torch.bincount(part, minlength=classes + 1)) for p, part in zip(pieces, parts, strict=True)], total
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        if total == 1:
            raise LabError("One noisy copy does not fit in memory: use a smaller picture, model or another device.") from error
        del error
    free_memory(run.device)
    first, second = _halved(pieces)
    (one, most), (other, _) = _votes(first), _votes(second)
    return one + other, most


def _halved(pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]]:
    """Two lists with about half of the samples each, neither empty."""
    if len(pieces) == 1:
        first, second = pieces[0].halves()
        return [first], [second]
    return pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]


def _count(voted: _Voted, since: float) -> float:
    """Hand every picture its votes, and its part of the time since the last batch; returns the time."""
    if not voted:
        return since
    counted = [(piece, piece.picture.certification.run.checked(read_votes(votes))) for piece, votes in voted]
    now = time.perf_counter()
    each = (now - since) / sum(len(piece) for piece, _ in counted)
    for piece, votes in counted:
        c = piece.picture.certification
        piece.picture.seconds += each * len(piece)
        if piece.purpose == "select":
            c.select(votes)
        else:
            c.count(votes)
    return now
