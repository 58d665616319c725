"""What denoisers make of one picture: the same noisy copies through each, measured and classified.

One loop, :func:`compare`, serves both the grid of the Denoise page (few sigmas, pixels kept) and its sweep over sigma.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from core.errors import LabError
from core.pictures.pixels import psnr, ssim, to_pixels
from core.smoothing.certificate import model_labels, model_size
from core.smoothing.noise import NoiseStream
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike, default_batch_size, ready

NOISY = "none"  # the reference of doing nothing: a panel of it is the noisy copy itself

TOP = 5
AT_ONCE = 16  # copies a network takes together, at most: small enough that a stop is noticed at once

Top = tuple[tuple[int, float], ...]  # classes with their softmax shares, best first


@dataclass(frozen=True)
class Measure:
    """The numbers of one noisy copy behind one denoiser, of the pixels as they are shown."""

    sigma: float
    draw: int  # number of the noise sample; 0 is the one the Certify page shows
    denoiser: str  # reference; NOISY for the noisy copy itself
    psnr: float
    ssim: float
    top: Top  # what the classifier alone says of it


@dataclass(frozen=True)
class Panel:
    """One picture of the grid: its numbers and its (3, H, W) float32 pixels on the CPU, not clipped."""

    measure: Measure
    pixels: Tensor


@dataclass(frozen=True)
class Summary:
    """Draws of one (sigma, denoiser) together: means and sample standard deviations (0 for one draw)."""

    sigma: float
    denoiser: str
    draws: int
    kept: int  # draws on which the class is that of the clean picture
    kept_low: float  # Wilson's 95% interval of that share
    kept_high: float
    psnr: float
    psnr_sd: float
    ssim: float
    ssim_sd: float

    @property
    def kept_share(self) -> float:
        return self.kept / self.draws


def compare(
    pixels: Tensor,
    classifier: ClassifierLike,
    denoisers: Mapping[str, DenoiserLike | None],
    sigmas: Sequence[float],
    draws: int,
    seed: int,
    *,
    first: int = 0,
) -> Iterator[Panel]:
    """Denoise and measure noisy copies of (3, H, W) pixels in [0, 1]; every denoiser gets the very same copies.

    Yields a panel for each sigma, denoiser (by reference; None does nothing) and draw, in that nesting; whoever iterates may
    stop at any. The noise samples, from number ``first``, are the same ones at every sigma but for their scale. Raises LabError
    where a network returns the wrong shape, NaN or infinity.
    """
    stream = NoiseStream(tuple(pixels.shape), seed, "show", pixels.device)
    clean = pixels.float().cpu()
    for sigma in sigmas:
        for name, denoiser in denoisers.items():
            base = BaseClassifier(classifier, denoiser)
            # A classical denoiser takes one picture after the other anyway, and up to a quarter second for each.
            batched = denoiser is None or isinstance(denoiser, nn.Module)
            size = min(AT_ONCE, default_batch_size(pixels)) if batched else 1
            for start in range(first, first + draws, size):
                noise = stream(start, min(start + size, first + draws))
                denoised, tops = _denoise(base, torch.add(pixels, noise, alpha=sigma), sigma, name)
                for row, (picture, top) in enumerate(zip(denoised, tops, strict=True)):
                    decibels, likeness = float(psnr(picture, clean)), ssim(picture, clean)
                    yield Panel(
                        Measure(sigma=sigma, draw=start + row, denoiser=name, psnr=decibels, ssim=likeness, top=top), picture
                    )


@torch.inference_mode()
def _denoise(base: BaseClassifier, noisy: Tensor, sigma: float, name: str) -> tuple[Tensor, list[Top]]:
    """(B, 3, H, W) noisy -> the same denoised, on the CPU, and the classifier's best classes of each."""
    denoised = base.denoise(noisy, sigma)
    if not bool(denoised.isfinite().all()):
        raise LabError(
            f"The denoiser {name} returned NaN or infinite pixels at sigma {sigma:g}: it is damaged; choose another."
        )
    return denoised.float().cpu(), top_classes(base.classifier, denoised)


@torch.inference_mode()
def top_classes(classifier: ClassifierLike, pictures: Tensor) -> list[Top]:
    """The best :data:`TOP` classes of each of (B, 3, H, W) pictures. Raises LabError where logits are not (B, C) or finite."""
    logits = BaseClassifier(classifier, None).logits(pictures, 0.0)
    if not bool(logits.isfinite().all()):
        raise LabError("The classifier returned logits that are NaN or infinite: it is damaged; choose another.")
    return best_classes(logits)


def best_classes(logits: Tensor) -> list[Top]:
    """The best :data:`TOP` classes of each row of (B, classes) logits."""
    best = logits.float().softmax(dim=1).cpu().topk(min(TOP, logits.shape[1]), dim=1)
    return [tuple(zip(*row, strict=True)) for row in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


def summarise_draws(measures: Iterable[Measure], clean_class: int) -> list[Summary]:
    """Put the draws of each (sigma, denoiser) together, in the order they first appear."""
    from scipy.stats import binomtest

    groups: dict[tuple[float, str], list[Measure]] = {}
    for measure in measures:
        groups.setdefault((measure.sigma, measure.denoiser), []).append(measure)
    summaries = []
    for (sigma, denoiser), group in groups.items():
        kept = sum(measure.top[0][0] == clean_class for measure in group)
        share = binomtest(kept, len(group)).proportion_ci(0.95, method="wilson")
        means: dict[str, float] = {}
        for name in ("psnr", "ssim"):
            values = [getattr(measure, name) for measure in group]
            means[name], means[f"{name}_sd"] = float(np.mean(values)), float(np.std(values, ddof=1)) if len(group) > 1 else 0.0
        low, high = float(share.low), float(share.high)
        summaries.append(Summary(sigma, denoiser, draws=len(group), kept=kept, kept_low=low, kept_high=high, **means))
    return summaries


@dataclass(frozen=True)
class Closeup:
    """What one denoiser did to one noisy copy, or to several on average. All on the CPU."""

    denoiser: str  # NOISY has ``taken`` 0 and the true noise as ``wrong``
    picture: Tensor  # (3, H, W), what came out
    taken: Tensor  # (H, W), noisy - denoised, mean of the channels: what it took for noise
    wrong: Tensor  # (H, W), denoised - clean, mean of the channels: noise left, detail removed


def close_up(clean: Tensor, panels: Iterable[Panel], sigma: float, draw: int | None) -> list[Closeup]:
    """The maps of one draw, beside the clean (3, H, W), for every denoiser that has it and whose noisy copy is there.

    Where ``draw`` is None they average over all, which leaves only what a denoiser gets wrong systematically.
    """
    chosen: dict[str, dict[int, Tensor]] = {}
    for panel in panels:
        if panel.measure.sigma == sigma and draw in (None, panel.measure.draw):
            chosen.setdefault(panel.measure.denoiser, {})[panel.measure.draw] = panel.pixels
    noisy = chosen.get(NOISY, {})
    found = []
    for name, pictures in chosen.items():
        both = [number for number in pictures if number in noisy]
        if both:
            picture = torch.stack([pictures[number] for number in both]).mean(dim=0)
            copy = torch.stack([noisy[number] for number in both]).mean(dim=0)
            found.append(Closeup(name, picture, (copy - picture).mean(dim=0), (picture - clean.cpu()).mean(dim=0)))
    return found


SWEEP_SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
FIRST_ROUND = 2  # draws a sweep takes of every sigma before it takes the rest, so that all of its range is seen early


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
        return len(self.denoisers) * len(self.sigmas) * self.draws


@dataclass(frozen=True)
class Comparison:
    """A comparison, finished or as far as it got."""

    clean: Tensor  # (3, H, W) pixels as the noise saw them, on the CPU
    clean_top: Top  # what the classifier alone says of them
    labels: tuple[str, ...] | None
    measures: tuple[Measure, ...] = ()  # of every picture made so far
    panels: tuple[Panel, ...] = field(default=(), repr=False)  # empty for a sweep
    total: int = 0  # pictures asked for
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return len(self.measures) == self.total

    @property
    def seconds_left(self) -> float:
        """How long the rest will take at the pace so far; 0 before the first picture."""
        done = len(self.measures)
        return self.seconds / done * (self.total - done) if done else 0.0

    @property
    def summaries(self) -> list[Summary]:
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
    """Run a comparison of an RGB picture, brought to the classifier's own size once, reporting after every picture.

    The networks are on ``device``, denoisers in the request's order. A sweep needs the numbers alone: no ``keep_pixels``. After
    a stop, what is there is returned. Raises LabError as :func:`compare`.
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
        made, seconds = (tuple(measures), tuple(panels)), time.perf_counter() - began
        return Comparison(pixels.cpu(), top, labels, *made, total=request.total, seconds=seconds)

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
