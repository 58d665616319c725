"""Training a denoiser, for its own sake (MSE) or for a classifier (STAB)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.models.networks import NoisePredictor, build
from core.models.storage import ModelConfig
from core.training.augment import augment
from core.training.classifier import split_held_out
from core.training.deep_supervision import DeeplySupervised
from core.training.fingerprint import fingerprint, weights_fingerprint
from core.training.loop import BatchLoss, Recipe, Stated, TrainingProgress, fit
from core.training.noise import draw_gaussian, draw_sigmas, scheduled_sigmas
from core.training.objectives import Objective, encoding, mse, noise_prediction, stability
from core.training.workers import Workers

OBJECTIVES = ("mse", "stab", "encoder")


def train_denoiser(
    data: LabelledImages,
    recipe: Recipe,
    *,
    objective: str = "mse",
    classifier: nn.Module | None = None,
    surrogates: Sequence[nn.Module] = (),
    combine: str = "random",
    start: tuple[nn.Module, ModelConfig] | None = None,
    architecture: str = "unet",
    options: dict[str, Any] | None = None,
    sigma_range: tuple[float, float] = (0.0, 1.0),
    sigma_power: float = 1.5,
    helper: float = 0.0,
    closeness: float = 0.0,
    features: float = 0.0,
    consistency: float = 0.0,
    draws: int = 1,
    mirror: bool = True,
    shift: int = 2,
    device: torch.device,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 600.0,
    resume: bool = False,
    made_for: Mapping[str, Stated] | None = None,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    on_remark: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    workers: Workers | None = None,
) -> tuple[nn.Module, ModelConfig, list[dict[str, float]]]:
    """Train a denoiser on fresh Gaussian noise and return it with its config and a row of figures an epoch.

    Args:
        data: the training split; labels are not used.
        recipe: optimiser, schedule, precision, seed.
        objective: ``mse`` (for a diffusion model the error of the predicted noise), ``stab``, or ``encoder``, which trains
            a U-Net's first half to start ``stab`` from, and leaves nothing that denoises yet.
        classifier: the pretrained classifier; ``stab`` trains through it (white-box) unless there are surrogates. Then, and
            with ``mse``, its labels alone are asked for, to measure; with ``encoder``, to be told too. It is never changed.
        surrogates: classifiers that ``stab`` trains through in its stead (black-box).
        combine: how several surrogates are used; see :func:`core.training.objectives.stability`.
        start: a trained denoiser to go on from (the paper's "Stab+MSE" starts from MSE); it fixes the architecture.
        architecture: a name in ``core.models.networks.DENOISERS``.
        options: its arguments.
        sigma_range: least and greatest sigma; equal for a denoiser of one sigma. A diffusion model takes those of its own
            sigmas that lie within; the greatest may then be infinite, for all of them.
        sigma_power: above 1, small sigmas are drawn more often; not for diffusion models, which draw timesteps alike.
        helper: above 0, the weight of a helper's loss, which is thrown away afterwards; see
            :mod:`core.training.deep_supervision`. For ``stab`` and the architecture ``unet``.
        closeness: above 0, the weight with which ``stab`` also asks for the clean picture itself; see
            :func:`core.training.objectives.stability`.
        features: above 0, the weight with which ``stab`` asks for the features that the classifier finds in the clean
            picture; see :func:`core.training.feature_distance.feature_distance`.
        consistency: above 0, the weight with which ``stab`` asks that several noise draws of a picture are answered alike;
            see :func:`core.training.objectives.consistency_term`.
        draws: of noise for each picture of a batch; consistency needs two or more.
        mirror: whether half of the pictures are mirrored.
        shift: greatest shift of a picture in pixels each way.
        made_for: more that a checkpoint is to state, such as the reference of ``start``; see :func:`fit`.

    Raises:
        LabError: where ``stab`` has nothing to train through, a value is out of range, or as :func:`fit` says.
    """
    low, high = sigma_range
    if not 0 <= low <= high or high <= 0:
        raise LabError(f"The sigma range {low} to {high} is not usable: expected 0 <= least <= greatest, in [0, 1] units.")
    layout = recipe.memory_format
    through = [*surrogates] or ([] if classifier is None else [classifier])
    if objective not in OBJECTIVES:
        raise LabError(f"Unknown objective {objective!r}: choose {', '.join(OBJECTIVES[:-1])} or {OBJECTIVES[-1]}.")
    if objective == "stab" and not through:
        raise LabError("The objective stab needs a classifier to train through: name one with --classifier.")
    if objective == "encoder" and classifier is None:
        raise LabError("The objective encoder learns a classifier's answers: name one with --classifier.")
    if objective != "stab" and surrogates:
        raise LabError(
            f"Surrogates are for the objective stab: {objective} trains through no classifier. Leave them out, or choose stab."
        )
    if (helper or closeness or features or consistency) and objective != "stab":
        raise LabError(
            "A helper, closeness, features and consistency are for the objective stab. Leave --helper, --closeness, --features"
            " and --consistency out, or choose stab."
        )
    if draws < 1:
        raise LabError(f"--draws is {draws}: expected at least 1.")
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
    levels = None
    if isinstance(network, NoisePredictor):
        levels = scheduled_sigmas(network.strength.cpu(), low, high)
        low, high = float(levels[0]) if low else low, min(high, float(levels[-1]))
        config = ModelConfig("denoiser", config.architecture, config.options, (height, width), None, (low, high))
    elif math.isinf(high):
        raise LabError(f"A {config.architecture} has no greatest sigma of its own: give a range, such as 0:1.")

    if objective == "stab":
        frozen = [one.to(device, memory_format=layout) for one in through]  # type: ignore[call-overload]
        loss = stability(frozen, combine, helper, closeness, features, consistency, draws)
    elif objective == "encoder":
        assert classifier is not None  # seen to above
        loss = encoding(classifier.to(device, memory_format=layout))  # type: ignore[call-overload]
    else:
        loss = _without_draws(mse if levels is None else noise_prediction)

    def sigmas(count: int, generator: torch.Generator) -> Tensor:
        if levels is None:
            return draw_sigmas(count, low, high, sigma_power, generator)
        return levels[torch.randint(len(levels), (count,), generator=generator)]

    def measure(net: nn.Module) -> dict[str, float]:
        if objective == "encoder":
            return measure_helper(net, held, figure_sigmas(low, high), device)
        return measure_denoiser(net, classifier, held, figure_sigmas(low, high), device)

    # The classifier by its weights: the same reference may hold another model tomorrow. Not so the start, whose weights no
    # longer count in a resumed run, and which may be the very model that the run writes.
    stated: dict[str, Stated] = {
        "objective": objective,
        "classifier": None if classifier is None else weights_fingerprint(classifier),
        "surrogates": ",".join(weights_fingerprint(one) for one in surrogates) or None,
        "combination of surrogates": combine if len(surrogates) > 1 else None,
        "start": start is not None,
        "architecture": config.architecture,
        "options": json.dumps(config.options, sort_keys=True),
        "least sigma": float(low),
        "greatest sigma": float(high),
        "sigma power": float(sigma_power),
        "helper": float(helper),
        "closeness": float(closeness),
        "features": float(features),
        "consistency": float(consistency),
        "draws": draws,
        "mirror": mirror,
        "crop": shift,
        "data": fingerprint(data.images),
    } | dict(made_for or {})
    trained = network
    if helper or objective == "encoder":
        trained = DeeplySupervised(network, _classes(through[0], (height, width)))
        if objective == "encoder":
            trained.keep_the_rest()
    batch_loss = denoising_loss(loss, sigmas, draws=draws, mirror=mirror, shift=shift, layout=layout)
    average, history = fit(
        trained,
        batch_loss,
        train.images,
        train.labels,
        recipe,
        device=device,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
        made_for=stated,
        measure=measure,
        on_progress=on_progress,
        on_trouble=on_trouble,
        on_remark=on_remark,
        should_stop=should_stop,
        workers=workers,
    )
    return average.denoiser if isinstance(average, DeeplySupervised) else average, config, history


@torch.inference_mode()
def _classes(classifier: nn.Module, size: tuple[int, int]) -> int:
    device = next(classifier.parameters()).device
    return int(classifier(torch.full((1, 3, *size), 0.5, device=device)).shape[1])


def denoising_loss(
    objective: Objective,
    sigmas: Callable[[int, torch.Generator], Tensor],
    *,
    draws: int = 1,
    mirror: bool = True,
    shift: int = 2,
    layout: torch.memory_format = torch.channels_last,
) -> BatchLoss:
    """The loss of one batch: augment it, draw a sigma and noise for each picture, and ask the objective.

    Args:
        objective: what is asked of the denoiser.
        sigmas: (count, CPU generator) -> (count,) sigmas.
        draws: noise draws of each picture, all with its sigma: the objective is given all pictures, then all again ...
        mirror, shift: see :func:`core.training.augment.augment`.
        layout: how the pictures lie in memory.
    """

    def batch_loss(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        clean = augment(images, generator, shift=shift, mirror=mirror)
        sigma = sigmas(len(clean), generator).to(clean.device).repeat(draws)
        clean = clean.repeat(draws, 1, 1, 1).contiguous(memory_format=layout)
        noise = draw_gaussian(clean.shape, generator, clean.device)
        return objective(net, clean, clean + sigma.view(-1, 1, 1, 1) * noise, sigma, generator)

    return batch_loss


def _without_draws(loss: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]) -> Objective:
    return lambda denoiser, clean, noisy, sigma, generator: loss(denoiser, clean, noisy, sigma)


def figure_sigmas(low: float, high: float) -> list[float]:
    """The paper's sigmas that lie in a range; its greatest where none does."""
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


@torch.inference_mode()
def measure_helper(network: nn.Module, data: LabelledImages, sigmas: list[float], device: torch.device) -> dict[str, float]:
    """The share of noisy pictures that a :class:`DeeplySupervised`'s helper gets right after one draw, at each sigma."""
    figures: dict[str, float] = {}
    for sigma in sigmas:
        generator, right = torch.Generator().manual_seed(0), 0
        for images, labels in zip(data.images.split(250), data.labels.split(250), strict=True):
            clean = images.to(device).float() / 255
            noisy = clean + sigma * torch.randn(clean.shape, generator=generator).to(device)
            right += int((network(noisy, sigma, denoise=False).argmax(1).cpu() == labels).sum())
        figures[f"helper_accuracy_{sigma:g}"] = round(right / len(data), 4)
    return figures
