"""Classifiers in timm's format: config.json with an architecture and a pretrained_cfg, nested or, in older ones, flat."""

import inspect
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from core.errors import LabError, told_as
from core.models.formats.foreign import import_library, plain_settings
from core.models.formats.limits import check_size, plan
from core.models.formats.listing import Listing, Loadability
from core.models.formats.preprocessing import SMALL_SIDE, Fitting, Preprocessing, colours, own_sides, prepared
from core.models.formats.weights import give_cifar_stem, load_into, read_weights
from core.models.labels import config_labels
from core.models.network import LoadedNetwork

_SETTINGS = ("mean", "std", "input_size", "interpolation", "crop_pct", "crop_mode", "num_classes")
_COMPARED = ("mean", "std", "input_size")
WRAPPER = "timm_wrapper"
"""What transformers names a model of timm that it saved: timm's config with a few keys more."""


def verdict(listing: Listing, kind: str) -> Loadability | None:
    """Whether it is a classifier of timm that can be loaded; None where it is not timm's."""
    config = listing.config
    classes = config.get("architectures")
    if kind != "classifier" or (classes and not any("ForImageClassification" in str(name) for name in classes)):
        return None
    says_so = "timm" in (listing.library, config.get("library")) or config.get("model_type") == WRAPPER
    listed = isinstance(config.get("architecture"), str) and ("pretrained_cfg" in config or "num_classes" in config)
    if config.get("library") not in (None, "timm") or not (says_so or listed):
        return None
    other = listing.other_task()
    return Loadability(False, other) if other else Loadability(True, "a classifier of timm")


def wanted(listing: Listing) -> list[str]:
    """Its weights. Raises LabError where it cannot be told which they are."""
    return listing.weights()


def read(folder: Path, listing: Listing, size: tuple[int, int] | None) -> LoadedNetwork:
    """Build the architecture with timm, load the weights, and put the preprocessing inside.
    Raises LabError where timm has no such architecture, a setting is not usable, or the weights do not fit."""
    path, config, timm = folder / listing.weights()[0], listing.config, import_library("timm")
    arch = config.get("architecture")
    if not isinstance(arch, str) or not timm.is_model(arch):
        raise LabError(f"timm {timm.__version__} has no architecture {arch!r}: it is too new, too old, or no model of timm.")
    settings, notes = _settings(config)
    own = own_sides(settings.get("input_size")) or (224, 224)
    options = plain_settings(config.get("model_args") or {}, _own_settings(timm, arch), "model_args")
    tensors = read_weights(path)
    classes = options.get("num_classes", config.get("num_classes", settings.get("num_classes", _head(timm, arch, tensors))))
    if not isinstance(classes, int) or classes < 2:
        raise LabError(f"The model says it has {classes!r} classes: it gives features, or nothing; a classifier is needed.")

    def build() -> Any:
        return timm.create_model(arch, pretrained=False, **(options | {"num_classes": classes}))

    with told_as(f"timm cannot build {arch!r} with the model's own settings"):
        plan(build, check_size(path), (1, 3, *own))
        network = build()
    if stem := give_cifar_stem(tensors, network):
        notes.append(stem)
        if max(own) > SMALL_SIDE:
            notes.append(f"A network with such a stem works at 32 x 32, which was taken in place of {own[0]} x {own[1]}.")
            own, settings = (32, 32), settings | {"crop_pct": 1.0}
    network = load_into(network, _as_timm_reads(tensors, network), f"timm's {arch}")
    loaded = LoadedNetwork(network, "timm", arch, notes=tuple(notes), weights=(path.name,))
    names = config_labels(config) or _published_names(timm, config, classes)
    return prepared(loaded, _preprocessing(settings, own), names, classes=classes, size=size)


def _own_settings(timm: Any, arch: str) -> set[str]:
    """The arguments of the networks in an architecture's module, and of the tables that describe them; not those of timm's
    loader, which takes a path of weights, an address and more.
    """
    makers = vars(sys.modules[timm.model_entrypoint(arch).__module__]).values()
    ours = [made for made in makers if isinstance(made, type) and (issubclass(made, nn.Module) or is_dataclass(made))]
    return {name for made in ours for name in inspect.signature(made).parameters}


def _published_names(timm: Any, config: Mapping[str, Any], classes: int) -> list[str] | None:
    """ImageNet's names, which the files of timm's own models leave out: by the tables of timm, for weights whose tag says that
    they were trained on it last (``a1_in1k``), and where so many classes are of no other data set (11,221 and more).
    """
    nested = config.get("pretrained_cfg") or {}
    said = re.search(r"in(1|12|21|22)k(_\d+)?$", str(nested.get("tag") or config.get("tag") or ""))
    data = import_library("timm.data")
    subset = data.infer_imagenet_subset({"num_classes": classes})
    if subset is None or (said is None and classes < 10_000):
        return None
    return list(data.ImageNetInfo(subset).label_descriptions())


def _settings(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The preprocessing settings; the nested ones win over flat ones that contradict them, and that is said."""
    nested = config.get("pretrained_cfg") or {}
    # None stands for a setting that was not made, in both places.
    nested = {key: value for key, value in nested.items() if value is not None}
    flat = {key: config[key] for key in _SETTINGS if config.get(key) is not None}
    notes = [
        f"The config gives two values of {key}: {nested[key]} in pretrained_cfg, which is used, and {flat[key]}."
        for key in _COMPARED
        if key in nested and key in flat and json.dumps(nested[key]) != json.dumps(flat[key])
    ]
    if not any("mean" in place for place in (nested, flat)):
        notes.append("The config names no mean and standard deviation: ImageNet's were assumed.")
    return flat | nested, notes


def _preprocessing(settings: dict[str, Any], own: tuple[int, int]) -> Preprocessing:
    """What timm's own transform for evaluation does to a picture."""
    crop, way, named = settings.get("crop_pct", 0.875), settings.get("crop_mode", "center"), settings.get("interpolation")
    if not isinstance(crop, int | float) or not 0.1 <= crop <= 1:
        raise LabError(f"The model's crop_pct is {crop!r}: expected the share of a picture's side that it sees, above 0 to 1.")
    scaled_to = math.floor(own[0] / crop), math.floor(own[1] / crop)
    fitting = Fitting(own, scaled_to, way != "squash", "bilinear" if named == "bilinear" else "bicubic")
    notes = []
    if named not in (None, "bilinear", "bicubic"):
        notes.append(f"The library scales by {named} interpolation; the Lab scales bicubically instead.")
    if way not in (None, "center", "squash"):
        notes.append(f"The library fits pictures in the way {way!r}; the Lab cuts out the middle instead.")
    return Preprocessing(*colours(settings), fitting, scaling_notes=tuple(notes))


def _head(timm: Any, arch: str, tensors: dict[str, Tensor]) -> int | None:
    """How many classes the weights have, by the layer that timm names as the architecture's last."""
    layer = getattr(timm.get_pretrained_cfg(arch), "classifier", None)
    found = tensors.get(f"{layer}.weight") if isinstance(layer, str) else None
    return None if found is None else len(found)


def _as_timm_reads(tensors: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights under the names of today's timm, which has a rule for each architecture whose names once differed."""
    own = network.state_dict()
    if own.keys() == tensors.keys():
        return tensors
    rule = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if rule is None:
        return tensors
    try:
        found = rule(dict(tensors), network)
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError, IndexError):  # weights of something else
        return tensors
    fits = isinstance(found, dict) and all(isinstance(value, Tensor) for value in found.values())
    return found if fits else tensors
