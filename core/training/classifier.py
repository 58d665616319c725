"""Training an ordinary classifier, without noise or, as Cohen et al. (2019) do for smoothing, with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig
from core.training.augment import augment
from core.training.fingerprint import fingerprint
from core.training.loop import Recipe, Stated, TrainingProgress, fit
from core.training.noise import draw_gaussian
from core.training.workers import Workers

HELD_OUT = 47
"""One picture in this many is held out of training, for the figures shown while it runs. Prime, so that no class is left out
of data sets whose classes alternate."""


def train_classifier(
    data: LabelledImages,
    recipe: Recipe,
    *,
    widths: tuple[int, ...] = (64, 128, 256),
    label_smoothing: float = 0.1,
    cutout: int = 8,
    mirror: bool = True,
    shift: int = 2,
    noise_sigma: float = 0.0,
    device: torch.device,
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 600.0,
    resume: bool = False,
    on_progress: Callable[[TrainingProgress], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    on_remark: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    workers: Workers | None = None,
) -> tuple[nn.Module, ModelConfig, list[dict[str, float]]]:
    """Train a :class:`ConvClassifier` and return it with its config and a row of figures an epoch.

    Its accuracy on held-out pictures is measured after every epoch; the test split is never looked at.

    Args:
        data: the training split.
        recipe: optimiser, schedule, precision, seed.
        widths: channels of each stage.
        label_smoothing: share of a label that is spread over all classes.
        cutout: side of the square that is greyed out; 0 for none.
        mirror: whether half of the pictures are mirrored.
        shift: greatest shift of a picture in pixels each way.
        noise_sigma: standard deviation of Gaussian noise added to every picture, after all other changes and without
            clipping, as smoothing adds it; 0 for a classifier of clean pictures. Labels are the data set's own. This is the
            baseline that needs no denoiser (Cohen, Rosenfeld, Kolter 2019, arXiv 1902.02918, section 3.3).

    Raises:
        LabError: where there are too few pictures, or as :func:`core.training.loop.fit` says.
    """
    if not 0 <= noise_sigma < math.inf:
        raise LabError(f"The noise to train with is {noise_sigma:g}: expected a sigma of at least 0, in [0, 1] pixel units.")
    train, held = split_held_out(data)
    classes = int(data.labels.max()) + 1
    pixels = train.images[:5000].float() / 255
    mean, std = pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3))
    options = {
        "num_classes": classes,
        "widths": list(widths),
        "mean": [round(v, 4) for v in mean.tolist()],
        "std": [round(v, 4) for v in std.tolist()],
    }
    torch.manual_seed(recipe.seed)
    network = ConvClassifier(classes, tuple(widths), mean=tuple(options["mean"]), std=tuple(options["std"]))  # type: ignore[arg-type]
    whiten_stem(network, pixels)

    def batch_loss(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        images = augment(images, generator, shift=shift, mirror=mirror, cutout=cutout)
        if noise_sigma:
            images = images + noise_sigma * draw_gaussian(images.shape, generator, images.device)
        logits = net(images.contiguous(memory_format=recipe.memory_format))
        return F.cross_entropy(logits.float(), labels, label_smoothing=label_smoothing)

    def measure(net: nn.Module) -> dict[str, float]:
        return measure_classifier(net, held, noise_sigma, device, "held_out_accuracy")

    made_for: dict[str, Stated] = {
        "objective": "cross-entropy",
        "widths": ",".join(map(str, widths)),
        "label smoothing": label_smoothing,
        "cutout": cutout,
        "mirror": mirror,
        "crop": shift,
        "noise": float(noise_sigma),
        "data": fingerprint(data.images, data.labels),
    }
    average, history = fit(
        network,
        batch_loss,
        train.images,
        train.labels,
        recipe,
        device=device,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        resume=resume,
        made_for=made_for,
        measure=measure,
        on_progress=on_progress,
        on_trouble=on_trouble,
        on_remark=on_remark,
        should_stop=should_stop,
        workers=workers,
    )
    height, width = data.images.shape[2:]
    names = data.names or tuple(f"class {i}" for i in range(classes))
    sigmas = (noise_sigma, noise_sigma) if noise_sigma else None
    return average, ModelConfig("classifier", "conv", options, (height, width), names, sigmas), history


def split_held_out(data: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """Part a training set: every :data:`HELD_OUT`-th picture aside, the rest to train on.

    Raises:
        LabError: where fewer than 100 pictures are given.
    """
    if len(data) < 100:
        raise LabError(f"Only {len(data)} pictures to train on: at least 100 are needed.")
    aside = torch.arange(len(data)) % HELD_OUT == 0
    parts = [LabelledImages(data.images[keep], data.labels[keep], data.indices[keep], data.names) for keep in (~aside, aside)]
    return parts[0], parts[1]


def measure_classifier(
    network: nn.Module, data: LabelledImages, noise_sigma: float, device: torch.device, name: str
) -> dict[str, float]:
    """Accuracy on clean pictures as ``name``; where it was trained with noise, that on noisy ones as ``name_SIGMA``, too."""
    figures = {name: round(accuracy(network, data, device), 4)}
    if noise_sigma:
        figures[f"{name}_{noise_sigma:g}"] = round(accuracy(network, data, device, noise_sigma=noise_sigma), 4)
    return figures


@torch.inference_mode()
def accuracy(
    network: nn.Module, data: LabelledImages, device: torch.device, batch_size: int = 500, noise_sigma: float = 0.0
) -> float:
    """Share of the pictures that the network, in evaluation mode, gets right, with one draw of noise where sigma is above 0."""
    right, generator = 0, torch.Generator().manual_seed(0)
    for start in range(0, len(data), batch_size):
        images = data.images[start : start + batch_size].to(device).float() / 255
        if noise_sigma:
            images = images + noise_sigma * torch.randn(images.shape, generator=generator).to(device)
        right += int((network(images).argmax(1).cpu() == data.labels[start : start + batch_size]).sum())
    return right / len(data)


@torch.no_grad()
def whiten_stem(network: ConvClassifier, pixels: Tensor) -> None:
    """Fix the first layer's weights so that the 2x2 patches of ``pixels`` (N, 3, H, W) come out uncorrelated.

    A known shortcut (Page 2018; Jordan 2024): the network need not learn it, which saves epochs.
    """
    stem = network.stem[0]
    assert isinstance(stem, nn.Conv2d)
    normal = (pixels.to(network.mean) - network.mean) / network.std
    patches = F.unfold(normal, 2).transpose(1, 2).reshape(-1, 12)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T.reshape(12, 3, 2, 2)
    both = torch.cat([filters, -filters])
    count = min(len(both), stem.out_channels)
    stem.weight[:count] = both[:count]
    stem.weight.requires_grad_(False)
