"""What networks make of held-out pictures: accuracy, PSNR, what a classifier says, and what can be certified."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.intervals import share_interval
from core.pictures.pixels import psnr
from core.smoothing.certify import certify_picture
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings

HELD_OUT = 47
"""One picture in this many is held out of training, for the figures shown while it runs. Prime, so that no class is left out
of data sets whose classes alternate."""
HIGHEST_PSNR = 100.0
"""In dB, of a picture that comes out as it was: with infinity a mean would say nothing, and JSON has no name for it."""
SHOWN = 6  # pictures of the strip
AT_ONCE = 64  # pictures of 32 x 32 pixels that are looked at at once; fewer of larger ones


def split_held_out(data: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """Every :data:`HELD_OUT`-th picture aside, the rest to train on. Raises LabError where fewer than 100 are given."""
    if len(data) < 100:
        raise LabError(f"Only {len(data)} pictures to train on: at least 100 are needed.")
    aside = torch.arange(len(data)) % HELD_OUT == 0
    return data.where(~aside), data.where(aside)


def figure_sigmas(low: float, high: float) -> list[float]:
    """The paper's sigmas that lie in a range; its greatest where none does."""
    return [s for s in (0.12, 0.25, 0.5, 1.0) if low <= s <= high] or [high]


@torch.inference_mode()
def accuracy(
    network: Callable[[Tensor], Tensor], data: LabelledImages, device: torch.device, *, noise_sigma: float = 0.0
) -> float:
    """Share of the pictures that the network, in evaluation mode, gets right, with one draw of noise where sigma is above 0."""
    right, generator = 0, torch.Generator().manual_seed(0)
    for images, labels in zip(data.images.split(500), data.labels.split(500), strict=True):
        pixels = images.to(device).float() / 255
        if noise_sigma:
            pixels = pixels + noise_sigma * torch.randn(pixels.shape, generator=generator).to(device)
        right += int((network(pixels).argmax(1).cpu() == labels).sum())
    return right / len(data)


def measure_classifier(
    network: nn.Module, data: LabelledImages, noise_sigma: float, *, device: torch.device, name: str
) -> dict[str, float]:
    """Accuracy on clean pictures as ``name``; where it was trained with noise, that on noisy ones as ``name_SIGMA``, too."""
    figures = {name: round(accuracy(network, data, device), 4)}
    if noise_sigma:
        figures[f"{name}_{noise_sigma:g}"] = round(accuracy(network, data, device, noise_sigma=noise_sigma), 4)
    return figures


def measure_helper(network: nn.Module, data: LabelledImages, sigmas: Sequence[float], device: torch.device) -> dict[str, float]:
    """The accuracy of a :class:`core.training.objectives.DeeplySupervised`'s helper after one draw of noise, at each sigma."""
    helpers = {sigma: partial(network, sigma=sigma, denoise=False) for sigma in sigmas}
    return {f"helper_accuracy_{s:g}": round(accuracy(h, data, device, noise_sigma=s), 4) for s, h in helpers.items()}


def measure_denoiser(
    denoiser: nn.Module, classifier: nn.Module | None, data: LabelledImages, *, sigmas: Sequence[float], device: torch.device
) -> dict[str, float]:
    """PSNR in dB, and the share of noisy pictures the classifier gets right after one draw of noise, at each sigma.

    Of pictures whose labels are -1 nobody knows what is right: the share is then that of its own answers without noise.
    """
    figures: dict[str, float] = {}
    clean, wanted, name = data.images.to(device).float() / 255, data.labels, "one_shot_accuracy"
    if classifier is not None and bool((wanted < 0).all()):
        with torch.inference_mode():
            wanted, name = torch.cat([classifier(part).argmax(1).cpu() for part in clean.split(AT_ONCE)]), "agreement"
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(device)
    for sigma in sigmas:
        parts = list(_one_shot(denoiser, classifier, clean, noise, sigma=sigma, at_once=250))
        figures[f"psnr_{sigma:g}"] = round(float(torch.cat([part.psnr for part in parts]).mean()), 2)
        if classifier is not None:
            right = torch.cat([part.logits for part in parts]).argmax(1).cpu() == wanted
            figures[f"{name}_{sigma:g}"] = round(int(right.sum()) / len(clean), 4)
    return figures


class _Denoised(NamedTuple):
    """Of some pictures: PSNR, (B,) in dB; what the classifier says of them, (B, C); whether every pixel is a number."""

    psnr: Tensor
    logits: Tensor
    finite: bool


def _one_shot(
    denoiser: nn.Module, classifier: nn.Module | None, clean: Tensor, noise: Tensor, *, sigma: float, at_once: int
) -> Iterator[_Denoised]:
    """Denoise (N, 3, H, W) pictures with ``sigma`` times their noise, so many at once."""
    for original, draw in zip(clean.split(at_once), noise.split(at_once), strict=True):
        with torch.inference_mode():
            denoised = denoiser(original + sigma * draw, sigma)
            logits = denoised.new_zeros(0) if classifier is None else classifier(denoised).float()
            part = _Denoised(psnr(denoised, original).clamp_max(HIGHEST_PSNR), logits, bool(torch.isfinite(denoised).all()))
        yield part


@dataclass(frozen=True)
class Measured:
    """What a denoiser made of the validation pictures."""

    psnr: dict[float, float]  # in dB, the mean over pictures, at each sigma
    agreement: dict[float, float]  # share of which the classifier says what it says of the clean ones
    stability: float  # the cross-entropy of STAB, the mean over all sigmas; lower is better
    finite: bool  # every pixel is a number


@dataclass(frozen=True)
class Moment:
    """A look at the validation pictures."""

    seconds: float  # of computing until then
    step: int
    phase: str  # which objective was at work, ``mse`` or ``stab``
    loss: float  # the mean over the steps since the last look; NaN before the first step
    measured: Measured

    @property
    def score(self) -> float:
        """How good the denoiser is by what its phase asks for: mean PSNR, or STAB's cross-entropy with its sign turned."""
        figures = self.measured
        return sum(figures.psnr.values()) / len(figures.psnr) if self.phase == "mse" else -figures.stability


class Validation:
    """(N, 3, H, W) uint8 pictures under noise that stays the same, so that denoisers can be compared over time.

    The ``classifier``'s answers on clean pictures are the yardstick; figures are taken at ``sigmas``, the strip at ``shown``.
    """

    def __init__(
        self, images: Tensor, classifier: nn.Module, *, sigmas: Sequence[float], shown: float, seed: int, device: torch.device
    ) -> None:
        self.clean = images.to(device).float() / 255
        self.noise = torch.randn(self.clean.shape, generator=torch.Generator().manual_seed(seed)).to(device)
        self.classifier, self.sigmas, self.shown = classifier, sigmas, shown
        self.noisy = self.clean[:SHOWN] + shown * self.noise[:SHOWN]
        self.at_once = max(1, min(len(images), AT_ONCE * 32**2 // (images.shape[2] * images.shape[3])))
        with torch.inference_mode():
            self.answers = torch.cat([classifier(part).argmax(1) for part in self.clean.split(self.at_once)])

    def measure(self, denoiser: nn.Module, go_on: Callable[[], bool] = lambda: True) -> Measured | None:
        """The figures of a denoiser in evaluation mode; None where ``go_on``, asked after every few pictures, says no."""
        decibels, agreement, losses, finite = {}, {}, [], True
        for sigma in self.sigmas:
            parts = []
            for part in _one_shot(denoiser, self.classifier, self.clean, self.noise, sigma=sigma, at_once=self.at_once):
                parts.append(part)
                if not go_on():
                    return None
            logits = torch.cat([part.logits for part in parts])
            decibels[sigma] = float(torch.cat([part.psnr for part in parts]).mean())
            agreement[sigma] = float((logits.argmax(1) == self.answers).float().mean())
            losses.append(float(F.cross_entropy(logits, self.answers)))
            finite = finite and all(part.finite for part in parts)
        return Measured(decibels, agreement, sum(losses) / len(losses), finite)

    @torch.inference_mode()
    def strip(self, denoiser: nn.Module) -> Tensor:
        """(:data:`SHOWN`, 3, H, W) uint8: the first pictures, denoised."""
        return to_bytes(denoiser(self.noisy, self.shown))


def to_bytes(pixels: Tensor) -> Tensor:
    """Pixels in [0, 1] as uint8 on the CPU; what lies outside is clipped."""
    return pixels.float().nan_to_num().clamp(0, 1).mul(255).round().to(torch.uint8).cpu()


@dataclass(frozen=True)
class CertifiedCount:
    """How many of ``total`` pictures are right and certified at an l2 radius, with settings whose seed is that of the first."""

    right: int
    total: int
    radius: float
    settings: Settings

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Clopper-Pearson interval of the accuracy over all pictures of this kind."""
        low, high = share_interval([self.right], self.total)
        return float(low[0]), float(high[0])


def certified_count(
    images: Tensor,
    labels: Tensor,
    models: tuple[ClassifierLike, DenoiserLike | None],
    settings: Settings,
    *,
    radius: float,
    device: str,
    report: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CertifiedCount | None:
    """Certify each of (N, 3, H, W) uint8 pictures; None where it was stopped: those certified first are no fair sample.

    Asked is whether the right answer, of (N,) ``labels``, has an l2 ``radius``. Picture number i takes the settings' seed plus
    i; ``models`` are the classifier, and the denoiser before it.
    """
    reached = 0
    for number, image in enumerate(images):

        def tell(_: object, done: int = number) -> None:
            report(done, len(images))

        asked = replace(settings, seed=settings.seed + number)
        pixels = image.float() / 255
        certificate = certify_picture(pixels, *models, asked, device=device, on_progress=tell, should_stop=should_stop)
        if should_stop():
            return None
        right = not certificate.abstained and certificate.prediction == int(labels[number])
        reached += right and certificate.radius >= radius
    return CertifiedCount(reached, len(images), radius, settings)
