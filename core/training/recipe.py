"""What is asked of a training: how a network is trained, and all the rest where it ends after so many minutes."""

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.smoothing.settings import Settings
from core.training.objectives import StabTerms

PRECISIONS = ("float32", "bf16", "fp16")
SCHEDULES = ("cosine", "steps", "constant")
OPTIMIZERS = ("sgd", "adamw", "muon")

TIMED_OBJECTIVES = ("mse-stab", "stab", "mse")
MOST_MINUTES = 30.0
LEAST_MINUTES = 0.05
MOST_WEIGHT = 1_000.0  # of closeness and of features, beside a cross-entropy

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet-small": ("unet", {"widths": [16, 32]}),
    "unet-medium": ("unet", {"widths": [32, 64, 128]}),
    "unet-large": ("unet", {"widths": [64, 128, 256]}),
    "dncnn-small": ("dncnn", {"depth": 8, "width": 32}),
    "dncnn": ("dncnn", {}),
}
"""Name -> architecture and its options, as :func:`core.models.networks.build` takes them."""


@dataclass(frozen=True)
class Recipe:
    """How long and how a network is trained; the seed is of first weights, order of the pictures, augmentation and noise."""

    epochs: int = 20
    batch_size: int = 256  # on all devices together
    optimizer: str = "adamw"
    learning_rate: float = 1e-3  # at its peak
    weight_decay: float = 1e-4  # of weights; norms and biases are spared
    warmup: float = 0.1  # share of the steps in which the learning rate rises
    schedule: str = "cosine"  # ``steps``: a tenth after each third, as Salman et al. have it
    ema: float = 0.999  # decay of the averaged network, which is kept; 0: the network itself
    clip: float = 1.0  # greatest norm of the gradients; 0 for none
    precision: str = "float32"  # of the computation; the weights are float32
    channels_last: bool = True  # pictures lie in memory pixel by pixel, mostly faster
    seed: int = 0

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def check_recipe(recipe: Recipe, device: torch.device) -> None:
    """See that the names are known and the precision is the device's. Raises LabError where one is not."""
    for name, value, known in (
        ("precision", recipe.precision, PRECISIONS),
        ("schedule", recipe.schedule, SCHEDULES),
        ("optimizer", recipe.optimizer, OPTIMIZERS),
    ):
        if value not in known:
            raise LabError(f"Unknown {name} {value!r}: choose {', '.join(known[:-1])} or {known[-1]}.")
    if recipe.precision == "fp16" and device.type != "cuda":
        raise LabError(f"The precision fp16 is for CUDA devices, and this is {device.type}: choose bf16 or float32.")


def slow_precision(recipe: Recipe, device: torch.device) -> str | None:
    """A sentence where the device has no instructions for the recipe's precision, and would be faster without it."""
    if recipe.precision != "bf16" or device.type != "cpu" or platform.machine() not in ("x86_64", "AMD64"):
        return None
    if torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return None
    return (
        "This CPU has no AVX-512, and emulates bf16 many times slower than it computes float32: --precision float32 is faster."
    )


def autocast_type(recipe: Recipe) -> torch.dtype | None:
    """The number format of the networks within a step; None for float32."""
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(recipe.precision)


def make_optimizer(parameters: list[nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe. Norms and biases, which are one-dimensional, are not decayed.

    Muon (Jordan 2024; Liu et al. 2025, arXiv 2502.16982) makes each step of a layer's weights orthogonal, with the size that
    AdamW's would have; norms and biases are left to NAdamW. Raises LabError where timm, whose Muon is, cannot be imported.
    """
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "muon":
        try:
            muon = import_library("timm.optim").Muon
        except (ImportError, AttributeError) as error:
            raise LabError("The optimizer muon is timm's: install timm 1.0.23 or later, or choose adamw.") from error
        groups[1]["use_fallback"] = True
        return muon(groups, lr=recipe.learning_rate, nesterov=True, adjust_lr_fn="match_rms_adamw")
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def learning_rate_factor(done: float, warmup: float, schedule: str = "cosine") -> float:
    """What the peak learning rate is multiplied by when the share ``done`` of all steps is behind.

    Linear warm-up; then half a cosine down to 2% of the peak, or a tenth of it after each third, or the peak to the end.

    >>> learning_rate_factor(0.5, 0.1, "steps"), learning_rate_factor(0.5, 0.1, "constant")
    (0.1, 1.0)
    """
    if done < warmup:
        return (done + 1e-3) / warmup
    if schedule == "steps":
        return (1.0, 0.1, 0.01)[min(2, math.floor(3 * done))]
    if schedule == "constant":
        return 1.0
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup)))


@dataclass(frozen=True)
class TrainingRequest:
    """A training for so many minutes of computing, without those in which others compute.

    STAB takes a quarter of the recipe's learning rate; the batch is smaller where a step would take too long for a stop.
    """

    dataset: str = "shapes"  # ``shapes``, ``cifar10`` or ``upload``
    classifier: str = "bundled/shapes"  # that the denoiser is to stand before
    objective: str = "mse-stab"  # ``mse-stab``: MSE for the first 60% of the time
    network: str = "unet-small"  # one of NETWORKS
    sigma_range: tuple[float, float] = (0.0, 0.5)  # in [0, 1] pixel units
    minutes: float = 1.0
    mirror: bool = True  # half of the pictures
    recipe: Recipe = Recipe(batch_size=32, learning_rate=3e-3, ema=0.99)
    stab: StabTerms = StabTerms(closeness=20.0, features=20.0)
    checked: int = 20  # pictures certified before and after; 0 for none
    settings: Settings = Settings(0.25, n0=20, n=200)  # of these certificates
    radius: float = 0.25  # l2, asked of them

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "TrainingRequest":
        """From the document that :func:`dataclasses.asdict` makes of one. Raises LabError where it is none."""
        try:
            parts = {"recipe": Recipe(**document["recipe"]), "stab": StabTerms(**document["stab"])}
            parts |= {"settings": Settings.of(document["settings"]), "sigma_range": tuple(document["sigma_range"])}
            return cls(**dict(document) | parts)
        except (KeyError, TypeError) as error:
            raise LabError("What was asked of the training cannot be read: begin anew.") from error

    def check(self) -> None:
        """Raise LabError where a choice is unknown or a number out of range."""
        (low, high), recipe, settings = self.sigma_range, self.recipe, self.settings
        if self.objective not in TIMED_OBJECTIVES:
            raise LabError(f"Unknown objective {self.objective!r}: choose mse, stab or mse-stab.")
        if self.network not in NETWORKS:
            raise LabError(f"Unknown network {self.network!r}: choose one of {', '.join(NETWORKS)}.")
        if not 0 <= low <= high <= 1 or high <= 0:
            raise LabError(
                f"The sigma range {low:g} to {high:g} leaves nothing to learn: its upper end must lie above 0, at most at 1."
            )
        if not (math.isfinite(self.minutes) and LEAST_MINUTES <= self.minutes <= MOST_MINUTES):
            raise LabError(f"{self.minutes:g} minutes: expected {LEAST_MINUTES:g} to {MOST_MINUTES:g}.")
        if not (0 < recipe.learning_rate <= 1) or not 4 <= recipe.batch_size <= 256:
            raise LabError("The learning rate must lie above 0 and at most at 1, the batch between 4 and 256 pictures.")
        if not 0 <= self.stab.closeness <= MOST_WEIGHT or not 0 <= self.stab.features <= MOST_WEIGHT:
            raise LabError(f"Closeness and features are weights beside STAB's loss: expected 0 to {MOST_WEIGHT:g} each.")
        if not 0 <= self.checked <= 50 or not 20 <= settings.n <= 1_000:
            raise LabError("At most 50 pictures are certified before and after, with 20 to 1,000 samples each.")
        if not 0 < settings.sigma <= 1 or not 0 <= self.radius <= 4:
            raise LabError("The certificates before and after need a sigma in (0, 1] and a radius in [0, 4].")
