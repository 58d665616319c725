"""Training a denoiser, for its own sake (MSE) or for a classifier (STAB)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.evaluation.datasets import LabelledImages
from core.models.networks import build
from core.models.storage import ModelConfig
from core.training.augment import augment
from core.training.classifier import split_held_out
from core.training.fingerprint import fingerprint, weights_fingerprint
from core.training.loop import Recipe, Stated, TrainingProgress, fit
from core.training.objectives import Objective, draw_sigmas, mse, stability


def train_denoiser(
    data: LabelledImages,
    recipe: Recipe,
    *,
    objective: str = "mse",
    classifier: nn.Module | None = None,
    start: tuple[nn.Module, ModelConfig] | None = None,
    architecture: str = "unet",
    options: dict[str, Any] | None = None,
    sigma_range: tuple[float, float] = (0.0, 1.0),
    sigma_power: float = 1.5,
    mirror: bool = True,
    device: torch.device,
    checkpoint: Path | None = None,
    resume: bool = False,
    made_for: Mapping[str, Stated] | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[nn.Module, ModelConfig, list[dict[str, float]]]:
    """Train a denoiser on fresh Gaussian noise and return it with its config and a row of figures an epoch.

    Args:
        data: the training split; labels are not used.
        recipe: optimiser, schedule, precision, seed.
        objective: ``mse`` or ``stab``.
        classifier: the pretrained classifier; needed for ``stab``, and never changed.
        start: a trained denoiser to go on from (the paper's "Stab+MSE" starts from MSE); it fixes the architecture.
        sigma_range: least and greatest sigma; equal for a denoiser of one sigma.
        sigma_power: above 1, small sigmas are drawn more often.
        made_for: more that a checkpoint is to state, such as the reference of ``start``; see :func:`fit`.

    Raises:
        LabError: where ``stab`` has no classifier, a value is out of range, or as :func:`fit` says.
    """
    low, high = sigma_range
    if not 0 <= low <= high or high <= 0:
        raise LabError(f"The sigma range {low} to {high} is not usable: expected 0 <= least <= greatest, in [0, 1] units.")
    loss: Objective
    if objective == "mse":
        loss = mse
    elif objective == "stab":
        if classifier is None:
            raise LabError("The objective stab needs a classifier to train through: name one with --classifier.")
        loss = stability(classifier.to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
    else:
        raise LabError(f"Unknown objective {objective!r}: choose mse or stab.")
    train, held = split_held_out(data)
    height, width = data.images.shape[2:]
    torch.manual_seed(recipe.seed)
    if start is None:
        network = build("denoiser", architecture, options or {})
        config = ModelConfig("denoiser", architecture, options or {}, (height, width), None, (low, high))
    else:
        network, old = start
        network.requires_grad_(True)
        config = ModelConfig("denoiser", old.architecture, old.options, (height, width), None, (low, high))

    def batch_loss(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        clean = augment(images, generator, shift=2, mirror=mirror).contiguous(memory_format=torch.channels_last)
        sigma = draw_sigmas(len(clean), low, high, sigma_power, generator).to(device)
        noise = torch.randn(clean.shape, generator=generator).to(device)
        return loss(net, clean, clean + sigma.view(-1, 1, 1, 1) * noise, sigma)

    def measure(net: nn.Module) -> dict[str, float]:
        return measure_denoiser(net, classifier, held, _figure_sigmas(low, high), device)

    # The classifier by its weights: the same reference may hold another model tomorrow. Not so the start, whose weights no
    # longer count in a resumed run, and which may be the very model that the run writes.
    stated: dict[str, Stated] = {
        "objective": objective,
        "classifier": None if classifier is None else weights_fingerprint(classifier),
        "start": start is not None,
        "architecture": config.architecture,
        "options": json.dumps(config.options, sort_keys=True),
        "least sigma": float(low),
        "greatest sigma": float(high),
        "sigma power": float(sigma_power),
        "mirror": mirror,
        "data": fingerprint(data.images),
    } | dict(made_for or {})
    average, history = fit(
        network, batch_loss, train.images, train.labels, recipe,
        device=device, checkpoint=checkpoint, resume=resume, made_for=stated, measure=measure,
        on_progress=on_progress, on_trouble=on_trouble, should_stop=should_stop,
    )  # fmt: skip
    return average, config, history


def _figure_sigmas(low: float, high: float) -> list[float]:
    within = [s for s in (0.12, 0.25, 0.5, 1.0) if low <= s <= high]
    return within or [high]


@torch.inference_mode()
def measure_denoiser(
    denoiser: nn.Module, classifier: nn.Module | None, data: LabelledImages, sigmas: list[float], device: torch.device
) -> dict[str, float]:
    """PSNR in dB, and the share of noisy pictures the classifier gets right after one draw of noise, at each sigma."""
    figures: dict[str, float] = {}
    clean = data.images.to(device).float() / 255
    for sigma in sigmas:
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(device)
        errors, right = [], 0
        for start in range(0, len(clean), 250):
            part = slice(start, start + 250)
            denoised = denoiser(clean[part] + sigma * noise[part], sigma)
            errors.append((denoised.clamp(0, 1) - clean[part]).square().mean(dim=(1, 2, 3)))
            if classifier is not None:
                right += int((classifier(denoised).argmax(1).cpu() == data.labels[part]).sum())
        figures[f"psnr_{sigma:g}"] = round(float((-10 * torch.cat(errors).log10()).mean()), 2)
        if classifier is not None:
            figures[f"one_shot_accuracy_{sigma:g}"] = round(right / len(clean), 4)
    return figures
