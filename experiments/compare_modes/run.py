"""The same pictures certified in every mode: float and exact noise, other noises, a fixed n and until a radius is settled.

All runs of a picture have one seed, so float noise is the same normal numbers wherever Gaussian noise is drawn in floats.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify_picture
from core.smoothing.conclusion import conclude
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from experiments.compare_modes.records import FLOAT, ROUNDED, SOUND, ModesLine, Settling, VotesOf

OTHER_NOISES = ("uniform", "laplace")


@dataclass(frozen=True)
class ModesSettings:
    """What every picture is certified with.

    Attributes:
        settings: of the run that the others are compared with; n is that of every run but those that settle a radius.
        noises: noises beside the Gaussian, of :data:`OTHER_NOISES`.
        until: l2 radii, each settled in a run of its own by the anytime bound.
        until_n: the most samples that such a run takes.
    """

    settings: Settings
    noises: tuple[str, ...] = OTHER_NOISES
    until: tuple[float, ...] = (0.25, 0.5)
    until_n: int = 10_000

    def check(self) -> None:
        """Raise LabError where a number is out of range, or a radius can never be settled."""
        replace(self.settings, sound=True).check()
        for noise in self.noises:
            if noise not in OTHER_NOISES:
                raise LabError(f"Unknown other noise {noise!r}: choose among {', '.join(OTHER_NOISES)}, or none.")
        for radius in self.until:
            settling = self.settling(radius, self.settings.seed)
            settling.check()
            most = conclude((self.until_n, 0), 0, settling.terms((3, 1, 1))).radius_ceiling
            if radius > most:
                raise LabError(
                    f"The radius to settle is {radius:g}: {self.until_n:,} samples can show {most:.4g} at most; use a smaller"
                    " radius, or more samples."
                )

    def settling(self, radius: float, seed: int) -> Settings:
        """Of the run that settles a radius."""
        return replace(self.settings, seed=seed, n=self.until_n, method="anytime", until_radius=radius)

    def to_dict(self) -> dict[str, Any]:
        """What made a file of lines, as the file beside it says it."""
        numbers = {name: getattr(self.settings, name) for name in ("sigma", "n0", "n", "alpha", "seed")}
        return numbers | {"noises": list(self.noises), "until": list(self.until), "until_n": self.until_n}


def compare_modes(
    data: LabelledImages,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: ModesSettings,
    *,
    device: str = "auto",
    done: frozenset[int] = frozenset(),
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[ModesLine]:
    """Certify every picture not in ``done`` in every mode, in order, and yield its line as soon as it is finished.

    Float and exact noise take turns in going first, so that what else the machine does weighs on both. A line does not depend
    on which pictures were certified before.

    Args:
        data: labelled pictures of 8 bits.
        classifier, denoiser: as for :func:`core.certify`.
        settings: the numbers.
        done: numbers of pictures to leave out.
        should_stop: asked after every batch; the picture under way is then left out.

    Raises:
        LabError: where a number is out of range.
    """
    settings.check()
    warm = False
    for image, label, index in zip(data.images, data.labels.tolist(), data.indices.tolist(), strict=True):
        if index in done:
            continue
        pixels = image.float() / 255
        if not warm:  # the first calls pay for tables, memory and kernels
            for sound in (False, True):
                first = Settings(sigma=settings.settings.sigma, n0=64, n=64, alpha=0.4, sound=sound)
                certify_picture(pixels, classifier, denoiser, first, device=device)
            warm = True
        line = _line(pixels, classifier, denoiser, settings, label=label, index=index, device=device, should_stop=should_stop)
        if line is None:
            return
        yield line


def rounds_first(denoiser: DenoiserLike | None) -> DenoiserLike:
    """The same denoiser (or none), shown every noisy picture rounded to whole grey levels.

    With it a float run is one of the base classifier that exact noise certifies, on the very normal numbers of the float run
    without it: what differs between the two is the rounding alone, not the draw.
    """

    def rounded(noisy: Tensor, sigma: float) -> Tensor:
        """(B, 3, H, W) -> the same shape."""
        levels = noisy.mul(255).round().div_(torch.tensor(255.0, device=noisy.device))
        return levels if denoiser is None else denoiser(levels, sigma)

    return rounded


def _line(
    image: Tensor,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    s: ModesSettings,
    *,
    label: int,
    index: int,
    device: str,
    should_stop: Callable[[], bool],
) -> ModesLine | None:
    """One picture; None where it was stopped."""
    seed = image_seed(s.settings.seed, index)
    base = replace(s.settings, seed=seed)
    ways: dict[str, tuple[DenoiserLike | None, Settings]] = {
        FLOAT: (denoiser, base),
        SOUND: (denoiser, replace(base, sound=True)),
    }
    order = [FLOAT, SOUND] if index % 2 == 0 else [SOUND, FLOAT]
    ways = {name: ways[name] for name in order} | {ROUNDED: (rounds_first(denoiser), base)}
    ways |= {noise: (denoiser, replace(base, noise=noise)) for noise in s.noises}

    def timed(put_before: DenoiserLike | None, settings: Settings) -> tuple[Certificate, float, float]:
        """A certificate, the seconds it took, and those of the processor."""
        began, busy = time.perf_counter(), time.process_time()
        certificate = certify_picture(image, classifier, put_before, settings, device=device, should_stop=should_stop)
        return certificate, time.perf_counter() - began, time.process_time() - busy

    runs = {}
    for name, (before, how) in ways.items():
        certificate, seconds, processor = timed(before, how)
        if certificate.stopped:
            return None
        runs[name] = VotesOf(certificate.candidate, certificate.counts, seconds, processor)
    settlings = []
    for radius in s.until:
        certificate, seconds, processor = timed(denoiser, s.settling(radius, seed))
        if certificate.stopped and certificate.settled is None:
            return None
        settlings.append(
            Settling(
                radius=radius, settled=certificate.settled, samples=certificate.n, seconds=seconds, processor_seconds=processor
            )
        )
    height, width = image.shape[-2:]
    return ModesLine(idx=index, label=label, height=height, width=width, runs=runs, until=tuple(settlings))
