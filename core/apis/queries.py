"""The queries of a run: which pictures it sends (noisy copy number i of one picture, denoised, as 8-bit pixels), and what they
cost before the first is paid."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import torch
from PIL import Image
from torch import Tensor

from core.apis.provider import Described, Limits, Provider
from core.pictures.pixels import image_record, to_picture
from core.smoothing.certificate import model_record
from core.smoothing.noise import NoiseStream
from core.smoothing.radius import radius_ceiling
from core.smoothing.sampling import BaseClassifier, DenoiserLike, check_alone, default_batch_size
from core.smoothing.settings import Settings
from core.visitor import OPERATOR, Visitor


@dataclass(frozen=True)
class RunSpec:
    """What decides the pictures a run sends, and to whom; its hash names the run.

    How many are asked, alpha, the bound and the label map are no part of it: the answers serve any of them.
    """

    provider: str
    destination: str
    image_sha256: str
    height: int
    width: int
    min_side: int
    denoiser: str
    denoiser_revision: str | None
    sigma: float
    seed: int
    visitor: str = ""

    @property
    def name(self) -> str:
        """The sha256 of everything above; a visitor who has signed in has runs of their own."""
        decides = {key: value for key, value in asdict(self).items() if key != "visitor" or value}
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def spec_of(
    provider: Provider | Described, pixels: Tensor, denoiser: object | None, settings: Settings, *, visitor: Visitor = OPERATOR
) -> RunSpec:
    """The spec of a visitor's run over (3, H, W) pixels in [0, 1]; the denoiser, or its record."""
    image, put_before = image_record(pixels), model_record(denoiser)
    return RunSpec(
        provider=provider.ref,
        destination=provider.destination,
        image_sha256=image.sha256,
        height=image.height,
        width=image.width,
        min_side=provider.limits.min_side,
        denoiser=put_before.ref,
        denoiser_revision=put_before.revision,
        sigma=settings.sigma,
        seed=settings.seed,
        visitor=visitor.key,
    )


class QueryPictures:
    """The pictures of a run by number, made from (3, H, W) pixels in [0, 1], on the device that denoises.

    Clipping to [0, 1] and rounding to 8 bits come after the noise and the denoiser: they are part of what is smoothed.
    """

    def __init__(self, pixels: Tensor, denoiser: DenoiserLike | None, settings: Settings) -> None:
        self._pixels, self._sigma = pixels, settings.sigma
        self._base = BaseClassifier(lambda batch: batch, denoiser)
        shape, device = tuple(pixels.shape), pixels.device
        self._streams = {purpose: NoiseStream(shape, settings.seed, purpose, device) for purpose in ("select", "estimate")}
        self._batch = min(16, default_batch_size(pixels))

    def check(self) -> None:
        """See that the denoiser answers a copy alike whatever else is in its batch; raises LabError where it does not."""
        copies = self._pixels + self._sigma * self._streams["select"](0, 2)
        check_alone(BaseClassifier(lambda batch: batch.flatten(1), self._base.denoiser), copies, self._sigma)

    @torch.inference_mode()
    def pairs(self, purpose: str, numbers: list[int]) -> Iterator[tuple[int, Image.Image, Image.Image]]:
        """Number, noisy picture (clipped, for showing) and the picture that is sent, made a batch at a time."""
        stream = self._streams[purpose]
        for start in range(0, len(numbers), self._batch):
            some = numbers[start : start + self._batch]
            noise = torch.cat([stream(number, number + 1) for number in some])
            noisy = self._pixels + self._sigma * noise
            denoised = self._base.denoise(noisy, self._sigma)
            for number, before, after in zip(some, noisy, denoised, strict=True):
                yield number, to_picture(before), to_picture(after)


@dataclass(frozen=True)
class Plan:
    """An upper bound on what a run takes; a settled question ends it earlier."""

    queries: int  # n0 + n a run; less those answered already
    dollars: float  # what they cost
    affordable: int  # how many of them the budget pays for
    seconds: float  # at the rate limit
    radius_ceiling: float  # greatest l2 radius that n answers can show, were every one the same


def make_plan(limits: Limits, settings: Settings, *, budget: float, runs: int = 1, stored: int = 0) -> Plan:
    """Plan ``runs`` runs (one with the denoiser, one without) of which ``stored`` queries are answered already.

    >>> settings = Settings(sigma=0.25, n0=20, n=100, method="anytime")
    >>> plan = make_plan(Limits(price=0.0015, rate=10), settings, budget=0.1)
    >>> plan.queries, round(plan.dollars, 2), plan.affordable, plan.seconds
    (120, 0.18, 66, 12.0)
    """
    queries = max(0, runs * (settings.n0 + settings.n) - stored)
    affordable = queries if limits.price == 0 else min(queries, int(budget / limits.price * (1 + 1e-12)))
    ceiling = radius_ceiling(settings.sigma, settings.n, settings.alpha, settings.method)
    return Plan(queries, queries * limits.price, affordable, queries / limits.rate, radius_ceiling=ceiling)
