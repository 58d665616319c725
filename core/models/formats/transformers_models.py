"""Image classifiers in the format of transformers: config.json with id2label, and preprocessor_config.json.

What its image processor does to a picture is read from its settings, and checked against the processor.
"""

import copy
import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from core.errors import LabError, told_as
from core.models.formats.foreign import import_library, is_of_network, plain_settings, quiet
from core.models.formats.limits import check_size, plan
from core.models.formats.listing import MAX_OWN_SIDE, PREFERRED, SUFFIXES, Listing, Loadability, read_json_object
from core.models.formats.preprocessing import Fitting, Preprocessing, prepared, three
from core.models.network import LoadedNetwork

_OF_THE_LIBRARY = {"id2label", "label2id", "architectures", "transformers_version", "return_dict", "output_hidden_states"}
PREPROCESSOR = "preprocessor_config.json"

_SETTINGS = ["image_mean", "image_std", "do_normalize", "do_rescale", "rescale_factor", "rescale_offset", "include_top"]
_SETTINGS += ["do_resize", "size", "do_center_crop", "crop_size", "crop_pct", "resample", "do_flip_channel_order"]
_COLOURS = ((0, 0, 0), (255, 255, 255), (255, 0, 0), (10, 120, 240))
_BILINEAR, _BICUBIC, _WARPED_FROM = 2, 3, 384


def verdict(listing: Listing, kind: str) -> Loadability | None:
    """Whether it is an image classifier of transformers that can be loaded; None where it is not transformers'."""
    config = listing.config
    made = config.get("architectures") or ()
    says_so = made or isinstance(config.get("model_type"), str)
    if kind != "classifier" or listing.file not in (None, *PREFERRED) or not says_so:
        return None
    if not any("ForImageClassification" in str(name) for name in made):
        what = made[0] if made else f"a {config['model_type']} without a task"
        return Loadability(False, f"it is no image classifier but {what}")
    if config.get("num_channels", 3) != 3:
        return Loadability(False, f"it takes {config['num_channels']} colour channels instead of 3")
    return Loadability(True, "an image classifier of transformers")


def wanted(listing: Listing) -> list[str]:
    """Its weights, with their index. Raises LabError where it cannot be told which they are."""
    return listing.weights(sharded=True)


def read(folder: Path, listing: Listing, size: tuple[int, int] | None) -> LoadedNetwork:
    """Load with AutoModelForImageClassification, from the folder alone, and put the processor's arithmetic inside.
    Raises LabError where its files do not fit, or it has fewer than two classes."""
    transformers = import_library("transformers")
    weights = tuple(name for name in wanted(listing) if name.endswith(SUFFIXES))
    with quiet(transformers):
        with _told(transformers):
            maker = _maker(transformers, listing.config)
            config = maker.from_dict(_own_settings(transformers, maker, listing.config))
            config.architectures = listing.config.get("architectures")  # of some types there are several classifiers
        preprocessing = read_processor(transformers, folder, config)
        own = preprocessing.fitting.own_size
        network = _network(transformers, folder, config, weights=weights, size=own)
    classes = int(network.config.num_labels)
    if classes < 2:
        raise LabError(f"The model has {classes} classes: at least two are needed for a vote.")
    several = network.config.problem_type == "multi_label_classification"
    note = "The model was made to give a picture several labels at once: only its strongest one is looked at."
    names = network.config.id2label  # LABEL_0, LABEL_1, ... where the file names nothing
    network, architecture = network.eval().requires_grad_(False), type(network).__name__
    loaded = LoadedNetwork(network, "transformers", architecture, notes=(note,) if several else (), weights=weights)
    return prepared(loaded, preprocessing, names, classes=classes, size=size)


def _maker(transformers: Any, settings: Mapping[str, Any]) -> Any:
    """The library's class of configs. What wraps a model of another library would hand settings on to that library's loader."""
    kind = str(settings.get("model_type"))
    if kind not in transformers.CONFIG_MAPPING or kind.startswith("timm"):
        raise LabError(f"transformers {transformers.__version__} cannot load the model: {kind!r} is no model type for it.")
    return transformers.CONFIG_MAPPING[kind]


def _own_settings(transformers: Any, maker: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings of a config that describe the network and its classes. Others, such as where weights lie and which kernels
    compute, are left out. Raises LabError where one of them is no plain value."""
    known = {*inspect.signature(maker).parameters, *maker.attribute_map, "num_labels", "model_type"} - _OF_THE_LIBRARY
    own = {name: value for name, value in settings.items() if name in known and is_of_network(name)}
    parts = {name: value for name, value in own.items() if name in maker.sub_configs and isinstance(value, dict)}
    plain_settings({name: value for name, value in own.items() if name not in parts}, known, "settings")
    for name, value in parts.items():
        part = maker.sub_configs[name]
        own[name] = _own_settings(transformers, _maker(transformers, value) if part is transformers.AutoConfig else part, value)
    return own | {name: settings[name] for name in ("id2label",) if name in settings}


def _told(transformers: Any) -> AbstractContextManager[None]:
    return told_as(f"transformers {transformers.__version__} cannot load the model", 300)


def _network(transformers: Any, folder: Path, config: Any, weights: tuple[str, ...], size: tuple[int, int]) -> Any:
    auto = transformers.AutoModelForImageClassification

    def build() -> nn.Module:
        return auto.from_config(copy.deepcopy(config), trust_remote_code=False)

    with _told(transformers):
        plan(build, check_size(*(folder / name for name in weights)), (1, 3, *size))
        network, report = auto.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype="float32",
            use_safetensors=any(name.endswith(".safetensors") for name in weights),
            ignore_mismatched_sizes=True,  # so that they are named below
        )
    if wrong := sorted(report["mismatched_keys"]):
        name, found, expected = wrong[0]
        raise LabError(
            f"The weights do not fit the model: {name!r} is {tuple(found)} instead of {tuple(expected)}"
            f" ({len(wrong)} such places in all)."
        )
    if absent := sorted(report["missing_keys"]):
        raise LabError(f"The weights do not fit the model: {absent[0]!r} is missing ({len(absent)} such places in all).")
    return network


def read_processor(transformers: Any, folder: Path, config: Any) -> Preprocessing:
    """What the processor in a model's folder does.

    The library's own processor is asked for its settings, which knows the defaults of every model; where it cannot be built,
    the file is taken at its word.
    Raises LabError where the file is damaged, or the processor turns colours into something else than the settings say.

    Args:
        folder: with preprocessor_config.json; without one, what most models take is assumed.
        config: the model's, for its size where the processor names none.
    """
    path = folder / PREPROCESSOR
    if not path.exists():
        assumed = f"There is no {PREPROCESSOR}: mean and standard deviation 0.5 were assumed."
        plain = _of_settings({}, config)
        return replace(plain, notes=(assumed, *plain.notes))
    written = read_json_object(path)
    if (number := _largest(written)) > MAX_OWN_SIDE:
        raise LabError(
            f"{PREPROCESSOR} of the model names the number {number:,}: no side of a picture is above {MAX_OWN_SIDE:,}."
        )
    written["kind"] = written.get("image_processor_type") or written.get("feature_extractor_type") or ""
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception:  # an old name, or one of a newer version: the file itself says the same
        return _of_settings(written, config)
    settings = {name: _plain(getattr(processor, name)) for name in _SETTINGS if getattr(processor, name, None) is not None}
    settings = {"do_normalize": False, "do_rescale": False, "do_resize": False, "kind": type(processor).__name__} | settings
    found = _of_settings(settings, config)
    given = _check_colours(processor, found)
    if given == found.fitting.own_size:
        return found
    note = f"The processor's settings do not say so, but its pictures are {given[0]} x {given[1]}, which the Lab scales to."
    return replace(found, fitting=Fitting(given, given, False, found.fitting.mode), notes=(*found.notes, note))


def _largest(value: object) -> float:
    if isinstance(value, dict | list):
        return max(map(_largest, value.values() if isinstance(value, dict) else value), default=0)
    return abs(value) if isinstance(value, int | float) else 0


def _plain(value: Any) -> Any:
    """A size of the library as a dictionary of what is set, a tuple as a list."""
    if hasattr(value, "height") and hasattr(value, "shortest_edge"):
        named = {name: getattr(value, name) for name in ("height", "width", "shortest_edge")}
        return {name: number for name, number in named.items() if number is not None}
    return list(value) if isinstance(value, tuple) else value


def _of_settings(settings: dict[str, Any], config: Any) -> Preprocessing:
    fitting, notes = _fitting(settings, config)
    turned = bool(settings.get("do_flip_channel_order"))
    return Preprocessing(*_normalisation(settings), fitting, blue_first=turned, notes=tuple(notes))


def _normalisation(settings: dict[str, Any]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std as of [0, 1] pixels: a processor rescales by 1/255 unless it says otherwise."""
    factor = settings.get("rescale_factor", 1 / 255) if settings.get("do_rescale", True) else 1.0
    if not isinstance(factor, int | float) or not 0 < factor < 1e6:
        raise LabError(f"The model's rescale_factor is {factor!r}: expected a number above 0, such as 1/255.")
    slope, shift = [255.0 * factor] * 3, [1.0 if settings.get("rescale_offset") else 0.0] * 3
    # The processor's value of a channel is slope x - shift, x in [0, 1].
    said = three(settings.get("image_std", 0.5), "std")
    if settings.get("do_normalize", True):
        for channel, value in enumerate(three(settings.get("image_mean", 0.5), "mean")):
            slope[channel], shift[channel] = slope[channel] / said[channel], (shift[channel] + value) / said[channel]
    if settings.get("include_top"):  # EfficientNet's divides by the std once more
        slope, shift = [a / s for a, s in zip(slope, said, strict=True)], [b / s for b, s in zip(shift, said, strict=True)]
    mean, std = [b / a for a, b in zip(slope, shift, strict=True)], [1 / a for a in slope]
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _fitting(settings: dict[str, Any], config: Any) -> tuple[Fitting, list[str]]:
    size, crop = settings.get("size"), settings.get("crop_size") if settings.get("do_center_crop") else None
    otherwise = _pair(getattr(config, "image_size", None)) or (224, 224)
    edge = size if isinstance(size, int) else size.get("shortest_edge") if isinstance(size, dict) else None
    squeezed = _pair(size) if edge is None or isinstance(size, int) else None
    own, scaled_to, keeps = _pair(crop) or squeezed or _pair(edge) or otherwise, squeezed, squeezed is None
    kind = str(settings.get("kind", ""))
    share = settings.get("crop_pct")
    if isinstance(edge, int) and edge > 0 and squeezed is None:
        scaled_to = edge, edge
        if kind.startswith("Levit"):
            scaled_to = (int(256 / 224 * edge),) * 2
        elif isinstance(share, int | float) and 0.1 <= share <= 1:
            if kind.startswith("ConvNext") and edge >= _WARPED_FROM:
                keeps = False
            else:
                scaled_to = (int(edge / share),) * 2
    if scaled_to is None or not settings.get("do_resize", True):
        scaled_to, keeps = own, False
    notes = []
    if scaled_to[0] < own[0] or scaled_to[1] < own[1]:
        notes.append(f"The library lays a frame of black round pictures, up to {own[0]} x {own[1]}; the Lab scales them up.")
        scaled_to, keeps = own, False
    named = settings.get("resample", _BILINEAR)
    if named not in (_BILINEAR, _BICUBIC):
        notes.append("The library scales neither bilinearly nor bicubically; the Lab scales bicubically instead.")
    return Fitting(own, scaled_to, keeps, "bilinear" if named == _BILINEAR else "bicubic", floors=True), notes


def _pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, dict):
        value = [value.get("height"), value.get("width")]
    if isinstance(value, int):
        value = [value, value]
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(isinstance(v, int) and v > 0 for v in value):
        return None
    return value[0], value[1]


def _check_colours(processor: Any, found: Preprocessing) -> tuple[int, int]:
    """See that pictures of one colour come out of the library's processor as the settings say; give (height, width) of those.
    Raises LabError where they do not."""
    height, width = given = found.fitting.own_size
    for colour in _COLOURS:
        picture = Image.fromarray(np.full((height, width, 3), colour, dtype=np.uint8))
        with told_as("The model's image processor does not take a picture"):
            values = torch.as_tensor(processor(picture, return_tensors="pt")["pixel_values"])
        ours = torch.tensor(colour[::-1] if found.blue_first else colour) / 255
        expected = (ours - torch.tensor(found.mean)) / torch.tensor(found.std)
        fits = values.ndim == 4 and values.shape[1] == 3
        if not fits or not torch.allclose(values.float(), expected.view(1, 3, 1, 1).expand_as(values), atol=1e-4, rtol=1e-4):
            raise LabError(
                f"The model's image processor ({type(processor).__name__}) does more to a picture than scaling, cutting and"
                " normalising: the Lab cannot make it part of the classifier."
            )
        given = int(values.shape[2]), int(values.shape[3])
    return given
