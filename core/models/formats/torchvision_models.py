"""torchvision's classifiers: with its own weights, or with a weights file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.labels import labels_of
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Prepared, certification_size
from core.models.formats.state_dicts import give_cifar_stem, has_cifar_stem, load_into, read_weights
from core.models.formats.torchvision_shim import import_library


def list_torchvision() -> list[str]:
    """The names of torchvision's image classifiers."""
    models = import_library("torchvision.models")
    return sorted(models.list_models(module=models))


def load_torchvision(arch: str, weights: str | None = None) -> LoadedNetwork:
    """A classifier of torchvision with weights of its own, which are downloaded on first use.

    Args:
        arch: such as ``resnet18``.
        weights: such as ``IMAGENET1K_V1``; None takes the newest.

    Raises:
        LabError: where either name is unknown, or the weights cannot be downloaded.
    """
    models = import_library("torchvision.models")
    _check_known(arch)
    try:
        chosen: Any = models.get_model_weights(arch)[weights or "DEFAULT"]
    except KeyError as error:
        names = ", ".join(w.name for w in models.get_model_weights(arch))
        raise LabError(f"torchvision's {arch} has no weights {weights!r}: choose one of {names}.") from error
    from torch import hub

    try:
        tensors = hub.load_state_dict_from_url(
            chosen.url, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except (URLError, OSError, RuntimeError) as error:
        raise LabError(
            f"The weights {chosen.name} of torchvision's {arch} cannot be downloaded ({error}): check the connection, or"
            f" put the file {Path(chosen.url).name!r} into torch's cache."
        ) from error
    file = Path(hub.get_dir()) / "checkpoints" / Path(chosen.url).name
    preset = chosen.transforms()
    network = load_into(models.get_model(arch, weights=None), tensors, f"torchvision's {arch}")
    side = int(preset.crop_size[0])
    labels, assumed = labels_of(chosen.meta.get("categories"), len(chosen.meta["categories"]))
    mode = "bilinear" if "bilinear" in str(preset.interpolation).lower() else "bicubic"
    return LoadedNetwork(
        Prepared(network, preset.mean, preset.std, (side, side), mode), "torchvision", arch, (side, side), (side, side), labels,
        assumed, weights=(str(file),),
    )  # fmt: skip


def is_torchvision(arch: str) -> bool:
    """Whether torchvision has a classifier of this name."""
    return arch in list_torchvision()


def read_torchvision(
    path: Path, arch: str, *, size: tuple[int, int] | None = None, config: dict[str, Any] | None = None
) -> LoadedNetwork:
    """A weights file of one of torchvision's architectures.

    Without a config, mean and standard deviation are ImageNet's, and so is the size, unless the weights have a CIFAR stem.

    Raises:
        LabError: where the architecture is unknown or the weights do not fit it.
    """
    _check_known(arch)
    models, config = import_library("torchvision.models"), config or {}
    tensors = read_weights(path)
    classes = _classes(tensors, models.get_model(arch, weights=None), path)
    network: nn.Module = models.get_model(arch, weights=None, num_classes=classes)
    notes = []
    cifar = has_cifar_stem(tensors, network)
    if cifar:
        give_cifar_stem(network)
        notes.append(f"The weights have a 3x3 stem for small pictures, so {arch} was built with one, and without max-pooling.")
    network = load_into(network, tensors, f"torchvision's {arch}")
    side = 299 if arch == "inception_v3" else 32 if cifar else 224
    own = _side(config.get("input_size"), (side, side))
    if "mean" not in config:
        notes.append("Nothing names the mean and standard deviation of the pixels: ImageNet's were assumed.")
    labels, assumed = labels_of(config.get("labels") or config.get("label_names"), classes)
    if assumed:
        notes.append(f"Nothing names the {classes} classes: those of {assumed} were assumed.")
    where, note = certification_size(own, classes, assumed, labels, size)
    return LoadedNetwork(
        Prepared(network, config.get("mean", IMAGENET_MEAN), config.get("std", IMAGENET_STD), own, "bilinear"), "torchvision",
        arch, where, own, labels, assumed, notes=(*notes, *([note] if note else [])), weights=(path.name,),
    )  # fmt: skip


def _check_known(arch: str) -> None:
    if not is_torchvision(arch):
        from difflib import get_close_matches

        near = get_close_matches(arch, list_torchvision(), 3)
        raise LabError(f"torchvision has no classifier {arch!r}" + (f": did you mean {', '.join(near)}?" if near else "."))


def _classes(tensors: dict[str, Tensor], network: nn.Module, path: Path) -> int:
    """How many classes the weights have: the outputs of the layer that is the last one in the architecture."""
    head = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    found = tensors.get(f"{head}.weight")
    if found is None or len(found) < 2:
        raise LabError(f"{path.name!r} has no layer {head!r} of at least two classes: it is of another architecture.")
    return len(found)


def _side(value: object, otherwise: tuple[int, int]) -> tuple[int, int]:
    if isinstance(value, list | tuple) and len(value) >= 2 and all(isinstance(v, int) and v > 0 for v in value[-2:]):
        return value[-2], value[-1]
    return (value, value) if isinstance(value, int) and value > 0 else otherwise
