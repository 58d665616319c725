"""Training an ordinary classifier, without noise or, as Cohen et al. (2019) do for smoothing, with it."""

import math
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig
from core.training.augmentation import augment, draw_gaussian
from core.training.checkpoint import Stated, fingerprint
from core.training.epochs import Trained, Trainer
from core.training.recipe import Recipe
from core.training.validation import measure_classifier, split_held_out


@dataclass(frozen=True)
class ClassifierTraining:
    """What a classifier is trained to be, and on which changes of its pictures.

    With ``noise_sigma`` every picture gets Gaussian noise after all other changes and without clipping, as smoothing adds it:
    the baseline that needs no denoiser (Cohen, Rosenfeld, Kolter 2019, arXiv 1902.02918, section 3.3).
    """

    widths: tuple[int, ...] = (64, 128, 256)  # channels of each stage
    label_smoothing: float = 0.1  # share of a label that is spread over all classes
    cutout: int = 8  # side of the square that is greyed out; 0 for none
    mirror: bool = True  # half of the pictures
    shift: int = 2  # of a picture, at most so many pixels each way
    noise_sigma: float = 0.0  # 0 for a classifier of clean pictures

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing < 1 or self.cutout < 0:
            raise LabError("--label-smoothing must be at least 0 and below 1, and --cutout at least 0.")
        if not 0 <= self.noise_sigma < math.inf:
            raise LabError(f"--noise-sigma is {self.noise_sigma:g}: expected a sigma of at least 0, in [0, 1] pixel units.")


def train_classifier(data: LabelledImages, recipe: Recipe, training: ClassifierTraining, trainer: Trainer) -> Trained:
    """Train a :class:`ConvClassifier` on a training split, measured on pictures held out of it after every epoch.

    Raises LabError where there are too few pictures, or as :meth:`core.training.epochs.Trainer.fit` says.
    """
    sigma = training.noise_sigma
    train, held = split_held_out(data)
    classes = int(data.labels.max()) + 1
    pixels = train.images[:5000].float() / 255
    mean, std = ([round(value, 4) for value in f(dim=(0, 2, 3)).tolist()] for f in (pixels.mean, pixels.std))
    options = {"num_classes": classes, "widths": list(training.widths), "mean": mean, "std": std}
    torch.manual_seed(recipe.seed)
    network = ConvClassifier(classes, training.widths, mean=tuple(mean), std=tuple(std))  # type: ignore[arg-type]
    whiten_stem(network, pixels)

    def batch_loss(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        images = augment(images, generator, shift=training.shift, mirror=training.mirror, cutout=training.cutout)
        if sigma:
            images = images + sigma * draw_gaussian(images.shape, generator, images.device)
        logits = net(images.contiguous(memory_format=recipe.memory_format))
        return F.cross_entropy(logits.float(), labels, label_smoothing=training.label_smoothing)

    stated: dict[str, Stated] = {
        "objective": "cross-entropy",
        "widths": ",".join(map(str, training.widths)),
        "label smoothing": training.label_smoothing,
        "cutout": training.cutout,
        "mirror": training.mirror,
        "crop": training.shift,
        "noise": float(sigma),
        "data": fingerprint(data.images, data.labels),
    }
    measure = partial(measure_classifier, data=held, noise_sigma=sigma, device=trainer.device, name="held_out_accuracy")
    average, history = trainer.fit(network, batch_loss, train, recipe=recipe, made_for=stated, measure=measure)
    height, width = data.images.shape[2:]
    names = data.names or tuple(f"class {i}" for i in range(classes))
    config = ModelConfig(
        "classifier", "conv", options, input_size=(height, width), labels=names, sigma_range=(sigma, sigma) if sigma else None
    )
    return Trained(average, config, history)


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
