"""A comparison of denoisers, and its sweep over sigma: work with progress, and its numbers as CSV."""

import csv
import io
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch
from PIL import Image
from torch import Tensor

from core.pictures.pixels import to_pixels
from core.smoothing.certificate import model_labels, model_size
from core.smoothing.sampling import ClassifierLike, DenoiserLike, ready
from core.studies.comparison import TOP, Measure, Panel, Summary, Top, compare, summarise_draws, top_classes

SWEEP_SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
FIRST_ROUND = 2
"""Draws a sweep takes of every sigma before it takes the rest, so that all of its range is seen early."""


@dataclass(frozen=True)
class ComparisonRequest:
    """Everything that decides a comparison or a sweep, beside the picture itself; denoisers by reference, in order."""

    classifier: str
    denoisers: tuple[str, ...]
    sigmas: tuple[float, ...]
    draws: int
    seed: int = 0
    device: str = "auto"

    @property
    def total(self) -> int:
        """How many pictures it makes."""
        return len(self.denoisers) * len(self.sigmas) * self.draws


@dataclass(frozen=True)
class Comparison:
    """A comparison, finished or as far as it got.

    Attributes:
        clean: (3, H, W) pixels as the noise saw them, on the CPU.
        clean_top: what the classifier alone says of them.
        labels: the classifier's class names.
        measures: the numbers of every picture made so far.
        panels: the pictures themselves; empty for a sweep.
        total: how many pictures were asked for.
        seconds: since it began.
    """

    clean: Tensor
    clean_top: Top
    labels: tuple[str, ...] | None
    measures: tuple[Measure, ...] = ()
    panels: tuple[Panel, ...] = field(default=(), repr=False)
    total: int = 0
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return len(self.measures) == self.total

    @property
    def seconds_left(self) -> float:
        """How long the rest will take at the pace so far; 0 before the first picture."""
        done = len(self.measures)
        return self.seconds / done * (self.total - done) if done else 0.0

    @property
    def summaries(self) -> list[Summary]:
        """The draws of each sigma and denoiser together."""
        return summarise_draws(self.measures, self.clean_top[0][0])


def run_comparison(
    picture: Image.Image,
    classifier: ClassifierLike,
    denoisers: Mapping[str, DenoiserLike | None],
    request: ComparisonRequest,
    *,
    device: torch.device,
    keep_pixels: bool = True,
    report: Callable[[Comparison], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Comparison:
    """Run a comparison, reporting after every picture.

    Args:
        picture: RGB; brought to the classifier's own size once, before the noise.
        classifier: loaded, on ``device``.
        denoisers: loaded, on ``device``, by reference, in the request's order.
        request: sigmas, draws, seed.
        keep_pixels: False for a sweep, which needs the numbers alone.
        report: gets what is there so far.
        should_stop: asked after every picture; what is there by then is returned.

    Raises:
        LabError: as :func:`core.studies.comparison.compare`.
    """
    began = time.perf_counter()
    ready(classifier, device, "classifier")
    for denoiser in denoisers.values():
        ready(denoiser, device, "denoiser")
    pixels = to_pixels(picture, model_size(classifier)).to(device)
    top, labels = top_classes(classifier, pixels[None])[0], model_labels(classifier)
    measures: list[Measure] = []
    panels: list[Panel] = []

    def so_far() -> Comparison:
        seconds = time.perf_counter() - began
        return Comparison(
            clean=pixels.cpu(),
            clean_top=top,
            labels=labels,
            measures=tuple(measures),
            panels=tuple(panels),
            total=request.total,
            seconds=seconds,
        )

    report(so_far())
    early = request.draws if keep_pixels else min(FIRST_ROUND, request.draws)
    for first, draws in ((0, early), (early, request.draws - early)):
        for panel in compare(
            pixels, classifier, denoisers=denoisers, sigmas=request.sigmas, draws=draws, seed=request.seed, first=first
        ):
            measures.append(panel.measure)
            if keep_pixels:
                panels.append(panel)
            report(so_far())
            if should_stop():
                return so_far()
    return so_far()


def measures_csv(measures: Iterable[Measure], labels: Sequence[str] | None) -> str:
    """One row a noisy copy and denoiser, with the best classes and their softmax shares; draws count from 1."""
    ranks = [(f"top{rank}", f"top{rank}_share") for rank in range(1, TOP + 1)]
    names = ["sigma", "draw", "denoiser", "psnr_db", "ssim", *(name for pair in ranks for name in pair)]
    rows = []
    for m in measures:
        best = [value for index, share in m.top for value in (index if labels is None else labels[index], share)]
        rows.append([m.sigma, m.draw + 1, m.denoiser, m.psnr, m.ssim, *best])
    return _written(names, rows)


def summaries_csv(summaries: Sequence[Summary]) -> str:
    """One row a sigma and denoiser: the fields of :class:`core.studies.comparison.Summary`."""
    rows = [asdict(summary) for summary in summaries]
    return _written(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


def _written(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return file.getvalue()
