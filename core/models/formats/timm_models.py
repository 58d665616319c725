"""Classifiers in timm's format: config.json with an architecture and a pretrained_cfg, nested or, in older ones, flat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from core.errors import LabError
from core.models.formats.labels import labels_of
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Prepared, certification_size, three
from core.models.formats.state_dicts import give_cifar_stem, has_cifar_stem, load_into, read_weights
from core.models.formats.torchvision_shim import import_library

_SETTINGS = ("mean", "std", "input_size", "interpolation", "num_classes")


def is_timm(config: dict[str, Any]) -> bool:
    """Whether a config is timm's."""
    return isinstance(config.get("architecture"), str) and ("pretrained_cfg" in config or "num_classes" in config)


def read_timm(folder: Path, weights: str, config: dict[str, Any], size: tuple[int, int] | None = None) -> LoadedNetwork:
    """Build the architecture with timm, load the weights, and put the preprocessing inside.

    Args:
        folder, weights: where the files are, and which holds the weights.
        config: what config.json says.
        size: (height, width) for noise and certificate; None for what suits.

    Raises:
        LabError: where timm has no such architecture, a setting is not usable, or the weights do not fit.
    """
    timm = import_library("timm")
    arch = config["architecture"]
    if not timm.is_model(arch):
        raise LabError(f"timm {timm.__version__} has no architecture {arch!r}: it is too new, too old, or no model of timm.")
    settings, notes = _settings(config)
    own = _input_size(settings.get("input_size"))
    classes = config.get("num_classes", settings.get("num_classes"))
    if not isinstance(classes, int) or classes < 2:
        raise LabError(f"The model says it has {classes!r} classes: it gives features, or nothing; a classifier is needed.")
    options = config.get("model_args") or {}
    if not isinstance(options, dict) or any(
        not isinstance(v, str | int | float | bool | list | None) for v in options.values()
    ):
        raise LabError("The model's model_args are no plain settings: it cannot be built from them.")
    tensors = read_weights(folder / weights)
    try:
        network: nn.Module = timm.create_model(arch, pretrained=False, **({"num_classes": classes} | options))
    except (TypeError, RuntimeError, ValueError, AssertionError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"timm cannot build {arch!r} with the model's own settings: {first}") from error
    if has_cifar_stem(tensors, network):
        give_cifar_stem(network)
        notes.append(f"The weights have a 3x3 stem for small pictures, so {arch} was built with one, and without max-pooling.")
    network = load_into(network, tensors, f"timm's {arch}")
    labels, assumed = labels_of(_names(config), classes)
    if assumed:
        notes.append(f"Nothing names the {classes} classes: those of {assumed} were assumed.")
    where, note = certification_size(own, classes, assumed, labels, size)
    mode = "bilinear" if settings.get("interpolation") == "bilinear" else "bicubic"
    prepared = Prepared(
        network, three(settings.get("mean", IMAGENET_MEAN), "mean"), three(settings.get("std", IMAGENET_STD), "std"), own, mode
    )
    return LoadedNetwork(
        prepared, "timm", arch, where, own, labels, assumed, notes=(*notes, *([note] if note else [])), weights=(weights,)
    )


def _settings(config: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The preprocessing settings; the nested ones win over flat ones that contradict them, and that is said."""
    nested = config.get("pretrained_cfg") or {}
    flat = {key: config[key] for key in _SETTINGS if key in config}
    notes = [
        f"The config gives two values of {key}: {nested[key]} in pretrained_cfg, which is used, and {flat[key]}."
        for key in ("mean", "std", "input_size")
        if key in nested and key in flat and json.dumps(nested[key]) != json.dumps(flat[key])
    ]
    if not any("mean" in place for place in (nested, flat)):
        notes.append("The config names no mean and standard deviation: ImageNet's were assumed.")
    return flat | nested, notes


def _input_size(value: object) -> tuple[int, int]:
    if value is None:
        return 224, 224
    if not isinstance(value, list | tuple) or len(value) != 3 or not all(isinstance(v, int) and v > 0 for v in value):
        raise LabError(f"The model's input_size is {value!r}: expected channels, height and width.")
    if value[0] != 3:
        raise LabError(f"The model takes {value[0]} colour channels: expected 3.")
    return value[1], value[2]


def _names(config: dict[str, Any]) -> Any:
    nested = config.get("pretrained_cfg") or {}
    names = config.get("label_names") or nested.get("label_names")
    described = config.get("label_descriptions") or nested.get("label_descriptions")
    if isinstance(described, dict) and isinstance(names, list):
        return [described.get(name, name) for name in names]
    return names
