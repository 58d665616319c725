"""What denoisers make of one picture: the same noisy copies through each of them, measured and classified.

One loop, :func:`compare`, serves both the grid of the Denoise page (few sigmas, pixels kept) and its sweep over sigma
(many sigmas, only the numbers kept).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import LabError
from core.pictures.pixels import psnr, ssim
from core.smoothing.noise import NoiseStream
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike, default_batch_size

NOISY = "none"
"""The reference of doing nothing: a panel of it is the noisy copy itself."""

TOP = 5
AT_ONCE = 16
"""Copies a network takes together, at most: small enough that a stop is noticed at once."""

Top = tuple[tuple[int, float], ...]
"""Classes with their softmax shares, best first."""


@dataclass(frozen=True)
class Measure:
    """The numbers of one noisy copy behind one denoiser.

    Attributes:
        sigma: standard deviation of the noise, in [0, 1] units.
        draw: number of the noise sample; 0 is the one the Certify page shows.
        denoiser: reference; :data:`NOISY` for the noisy copy itself.
        psnr, ssim: likeness to the clean picture, of the pixels as they are shown; see :mod:`core.pictures.pixels`.
        top: what the classifier alone says of it.
    """

    sigma: float
    draw: int
    denoiser: str
    psnr: float
    ssim: float
    top: Top


@dataclass(frozen=True)
class Panel:
    """One picture of the grid: its numbers and its (3, H, W) float32 pixels on the CPU, not clipped."""

    measure: Measure
    pixels: Tensor


@dataclass(frozen=True)
class Summary:
    """Draws of one (sigma, denoiser) together.

    Attributes:
        kept: draws on which the classifier says what it says of the clean picture, of ``draws``.
        kept_low, kept_high: Wilson's 95% interval of that share.
        psnr, psnr_sd, ssim, ssim_sd: mean and sample standard deviation over the draws (0 for one draw).
    """

    sigma: float
    denoiser: str
    draws: int
    kept: int
    kept_low: float
    kept_high: float
    psnr: float
    psnr_sd: float
    ssim: float
    ssim_sd: float

    @property
    def kept_share(self) -> float:
        """``kept`` of ``draws`` as a fraction."""
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
    """Denoise and measure noisy copies of one picture; every denoiser gets the very same copies.

    Work is done in small pieces between the panels, so whoever iterates may stop at any of them.

    Args:
        pixels: (3, H, W) in [0, 1], on the device that computes.
        classifier: loaded, on that device.
        denoisers: by reference, in the order wanted; None does nothing.
        sigmas: noise levels, in [0, 1] units.
        draws: noise samples per sigma, the same ones at every sigma but for their scale.
        seed: of the noise.
        first: number of the first noise sample.

    Yields:
        A panel for each sigma, denoiser and draw, in that nesting.

    Raises:
        LabError: where a network returns the wrong shape, NaN or infinity.
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
    """What a classifier alone says of (B, 3, H, W) pictures: the best :data:`TOP` classes of each.

    Raises:
        LabError: where its logits have the wrong shape, or are NaN or infinite.
    """
    logits = BaseClassifier(classifier, None).logits(pictures, 0.0).float()
    if not bool(logits.isfinite().all()):
        raise LabError("The classifier returned logits that are NaN or infinite: it is damaged; choose another.")
    best = logits.softmax(dim=1).cpu().topk(min(TOP, logits.shape[1]), dim=1)
    return [
        tuple(zip(row_indices, row_values, strict=True))
        for row_indices, row_values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def summarise_draws(measures: Iterable[Measure], clean_class: int) -> list[Summary]:
    """Put the draws of each (sigma, denoiser) together, in the order they first appear.

    Args:
        measures: of any number of sigmas, denoisers and draws.
        clean_class: what the classifier says of the clean picture.
    """
    from scipy.stats import binomtest

    groups: dict[tuple[float, str], list[Measure]] = {}
    for measure in measures:
        groups.setdefault((measure.sigma, measure.denoiser), []).append(measure)
    summaries = []
    for (sigma, denoiser), group in groups.items():
        kept = sum(measure.top[0][0] == clean_class for measure in group)
        share = binomtest(kept, len(group)).proportion_ci(0.95, method="wilson")
        psnr, psnr_sd = _mean_and_spread([measure.psnr for measure in group])
        ssim, ssim_sd = _mean_and_spread([measure.ssim for measure in group])
        summaries.append(
            Summary(
                sigma=sigma,
                denoiser=denoiser,
                draws=len(group),
                kept=kept,
                kept_low=float(share.low),
                kept_high=float(share.high),
                psnr=psnr,
                psnr_sd=psnr_sd,
                ssim=ssim,
                ssim_sd=ssim_sd,
            )
        )
    return summaries


def _mean_and_spread(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


@dataclass(frozen=True)
class Closeup:
    """What one denoiser did to one noisy copy, or to several on average. All on the CPU.

    Attributes:
        denoiser: reference; :data:`NOISY` has ``taken`` 0 and the true noise as ``wrong``.
        picture: (3, H, W), what came out.
        taken: (H, W), noisy - denoised, mean of the channels: what the denoiser took for noise.
        wrong: (H, W), denoised - clean, mean of the channels: noise left and detail wrongly removed.
    """

    denoiser: str
    picture: Tensor
    taken: Tensor
    wrong: Tensor


def close_up(clean: Tensor, panels: Iterable[Panel], sigma: float, draw: int | None) -> list[Closeup]:
    """The maps of one draw for every denoiser that has it and whose noisy copy is there.

    Args:
        clean: (3, H, W).
        panels: of a comparison.
        sigma: which noise level.
        draw: which noise sample; None averages over all, which leaves only what a denoiser gets wrong systematically.
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
