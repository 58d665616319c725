"""Certified accuracy of a few pictures, without a denoiser and with one: the same pictures, the same noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from core.evaluation.curve import binomial_interval
from core.smoothing.certify import certify
from core.smoothing.sampling import ClassifierLike, DenoiserLike

ALPHA = 0.001
N0 = 20


@dataclass(frozen=True)
class CertifiedCount:
    """How many pictures are right and certified at a radius.

    Attributes:
        right: right, and certified at the radius.
        total: pictures that were certified.
        radius, sigma, n: of the certificates.
        radii: of each picture, 0 where it abstains or is wrong.
    """

    right: int
    total: int
    radius: float
    sigma: float
    n: int
    radii: tuple[float, ...]

    @property
    def share(self) -> float:
        """Certified accuracy."""
        return self.right / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% Clopper-Pearson interval of the accuracy over all pictures of this kind."""
        low, high = binomial_interval([self.right], self.total)
        return float(low[0]), float(high[0])


def certified_count(
    images: Tensor,
    labels: Tensor,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    sigma: float,
    n: int,
    radius: float,
    seed: int,
    device: str,
    report: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> CertifiedCount | None:
    """Certify each picture; None where it was stopped, since the pictures certified first are no fair sample.

    Args:
        images: (N, 3, H, W) uint8.
        labels: (N,), the right answers.
        sigma, n, seed: of the certificates, each with alpha 0.001.
        radius: l2, asked of each.
        report: told after every batch how many pictures are done, of how many.
    """
    radii = []
    for number in range(len(images)):

        def step(progress: object, done: int = number) -> None:
            report(done, len(images))

        certificate = certify(
            images[number].float() / 255,
            classifier,
            denoiser,
            sigma=sigma,
            n0=N0,
            n=n,
            alpha=ALPHA,
            seed=seed + number,
            device=device,
            on_progress=step,
            should_stop=should_stop,
        )
        if should_stop():
            return None
        right = not certificate.abstained and certificate.prediction == int(labels[number])
        radii.append(certificate.radius if right else -1.0)
    reached = sum(r >= radius and r >= 0 for r in radii)
    return CertifiedCount(reached, len(images), radius, sigma, n, tuple(max(0.0, r) for r in radii))
