"""What is asked of a training that ends after so many minutes: every choice, and its limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from core.errors import LabError

OBJECTIVES = ("mse-stab", "stab", "mse")
MOST_MINUTES = 30.0
LEAST_MINUTES = 0.05
FEWEST_PICTURES = 20
MOST_WEIGHT = 1_000.0
"""Of closeness and of features, beside a cross-entropy."""

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet-small": ("unet", {"widths": [16, 32]}),
    "unet-medium": ("unet", {"widths": [32, 64, 128]}),
    "unet-large": ("unet", {"widths": [64, 128, 256]}),
    "dncnn-small": ("dncnn", {"depth": 8, "width": 32}),
    "dncnn": ("dncnn", {}),
}
"""Name -> architecture and its options, as :func:`core.models.networks.build` takes them."""


@dataclass(frozen=True)
class TrainingRequest:
    """A training for a given time.

    Attributes:
        dataset: ``shapes``, ``cifar10`` or ``upload``.
        classifier: reference of the classifier that the denoiser is to stand before.
        objective: one of :data:`OBJECTIVES`; ``mse-stab`` spends the first 60% of the time on MSE.
        network: one of :data:`NETWORKS`.
        sigma_range: least and greatest sigma, in [0, 1] pixel units.
        minutes: of computing; time in which others compute does not count.
        seed: of first weights, order of the pictures, augmentation and noise.
        learning_rate: at its peak; a quarter of it in STAB.
        closeness: STAB's weight of the error against the clean picture; see :func:`core.training.objectives.stability`.
        features: STAB's weight of what the classifier's layers find in the clean picture.
        batch_size: pictures a step; fewer where a step of so many would take too long to be stopped at once.
        mirror: whether half of the pictures are mirrored.
        checked: how many pictures are certified before and after; 0 for none.
        n: samples of each of these certificates.
        sigma: of these certificates.
        radius: the l2 radius asked of them.
    """

    dataset: str = "shapes"
    classifier: str = "bundled/shapes"
    objective: str = "mse-stab"
    network: str = "unet-small"
    sigma_range: tuple[float, float] = (0.0, 0.5)
    minutes: float = 1.0
    seed: int = 0
    learning_rate: float = 3e-3
    batch_size: int = 32
    mirror: bool = True
    checked: int = 20
    n: int = 200
    sigma: float = 0.25
    radius: float = 0.25
    closeness: float = 20.0
    features: float = 20.0


def check_training(request: TrainingRequest) -> None:
    """See that every choice is known and every number in range.

    Raises:
        LabError: where one is not.
    """
    low, high = request.sigma_range
    if request.objective not in OBJECTIVES:
        raise LabError(f"Unknown objective {request.objective!r}: choose mse, stab or mse-stab.")
    if request.network not in NETWORKS:
        raise LabError(f"Unknown network {request.network!r}: choose one of {', '.join(NETWORKS)}.")
    if not 0 <= low <= high <= 1 or high <= 0:
        raise LabError(
            f"The sigma range {low:g} to {high:g} leaves nothing to learn: its upper end must lie above 0, at most at 1."
        )
    if not (math.isfinite(request.minutes) and LEAST_MINUTES <= request.minutes <= MOST_MINUTES):
        raise LabError(f"{request.minutes:g} minutes: expected {LEAST_MINUTES:g} to {MOST_MINUTES:g}.")
    if not (0 < request.learning_rate <= 1) or not 4 <= request.batch_size <= 256:
        raise LabError("The learning rate must lie above 0 and at most at 1, the batch between 4 and 256 pictures.")
    if not 0 <= request.closeness <= MOST_WEIGHT or not 0 <= request.features <= MOST_WEIGHT:
        raise LabError(f"Closeness and features are weights beside STAB's loss: expected 0 to {MOST_WEIGHT:g} each.")
    if not 0 <= request.checked <= 50 or not 20 <= request.n <= 1_000:
        raise LabError("At most 50 pictures are certified before and after, with 20 to 1,000 samples each.")
    if not 0 < request.sigma <= 1 or not 0 <= request.radius <= 4:
        raise LabError("The certificates before and after need a sigma in (0, 1] and a radius in [0, 4].")
