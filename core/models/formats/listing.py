"""What is known of a model before its weights are read: its listing and its config. Needs no torch."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import LabError

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
"""Of weights files that can be read."""
SCHEDULERS = ("scheduler/scheduler_config.json", "scheduler_config.json")
CONFIGS = ("config.json", "model_index.json", "unet/config.json", *SCHEDULERS, "preprocessor_config.json", "card.json")
"""The small files that describe a model."""
MAX_CONFIG_BYTES = 5_000_000
MAX_CLASSES, MAX_OWN_SIDE = 100_000, 2048
"""More than any published classifier has, and larger than any works at."""
PREFERRED = ("model.safetensors", "pytorch_model.bin")
_INDEX = "model.safetensors.index.json"
_OF_TRAINING = ("training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt", "rng_state.pth")
_PARTS = ("unet", "scheduler", "vae", "vqvae", "text_encoder")
"""Folders of a pipeline of diffusers."""
_FOREIGN = {
    ".gguf": "its weights are in GGUF, a quantised format of language models",
    ".onnx": "its weights are an ONNX graph, which has no gradients",
    ".keras": "it was made with Keras",
    ".h5": "its weights are for TensorFlow",
    ".tflite": "its weights are for TensorFlow Lite",
    ".msgpack": "its weights are for Flax",
    ".mlmodel": "it was made with Core ML",
    ".pkl": "its weights are a Python pickle, which could run any code",
    ".joblib": "its weights are a Python pickle, which could run any code",
}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1000


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_table_of_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _whole(most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 0 <= value <= most


def _is_size(value: Any) -> bool:
    sides = value if isinstance(value, list) else [value] * 2
    return len(sides) in (2, 3) and all(type(side) is int and 1 <= side <= MAX_OWN_SIDE for side in sides)


def _are_colours(value: Any) -> bool:
    numbers = value if isinstance(value, list) else [value] * 3
    return len(numbers) == 3 and all(type(number) in (int, float) and abs(number) < 1e6 for number in numbers)


def _are_positive(value: Any) -> bool:
    return _are_colours(value) and min(value if isinstance(value, list) else [value]) > 0


def _is_range(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(end) in (int, float) and 0 <= end < 1e6 for end in value)


_SCHEMA: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("architecture model_type library _class_name kind", _is_text, "a word"),
    ("architectures labels label_names", _are_texts, "a list of words"),
    ("id2label label_descriptions", _is_table_of_texts, "a table of words"),
    ("pretrained_cfg model_args options diffusers", _is_table, "a table of settings"),
    ("num_classes num_labels", _whole(MAX_CLASSES), f"a whole number up to {MAX_CLASSES:,}"),
    ("num_channels in_channels out_channels", _whole(10_000), "a whole number"),
    ("input_size image_size sample_size", _is_size, f"whole numbers from 1 to {MAX_OWN_SIDE:,}"),
    ("mean", _are_colours, "three numbers, one a colour"),
    ("std", _are_positive, "three numbers above 0, one a colour"),
    ("sigma_range", _is_range, "two numbers"),
)
"""What stands under the names that the formats read in a config.json; what else a network takes, its library tells."""


def misfit(config: Mapping[str, Any]) -> str | None:
    """Half a sentence on the first setting of a config that is of another kind than it must be; None where all are well."""
    for names, fits, expected in _SCHEMA:
        for name in names.split():
            if config.get(name) is not None and not fits(config[name]):
                return f"its {name} is {repr(config[name])[:80]}, where {expected} must stand"
    nested = config.get("pretrained_cfg")
    return misfit(nested) if isinstance(nested, Mapping) else None


@dataclass(frozen=True)
class Loadability:
    """Whether a model can be loaded, as its listing and config say (None: only its files can tell), and half a sentence."""

    loadable: bool | None
    reason: str


@dataclass(frozen=True)
class Listing:
    """A repository of the Hub, a folder, or a weights file with what describes it.
    ``names``: all its files. ``config``: its config.json, else its U-Net's; or the part of it that the Hub lists. ``library``,
    ``task``, ``tags``: as the Hub names them. ``file``: the weights file that is meant, where it is one of a folder's."""

    names: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    library: str | None = None
    task: str | None = None
    tags: tuple[str, ...] = ()
    file: str | None = None

    def refusal(self) -> str | None:
        """Why nothing can load it, whatever its format; None where something may."""
        if self.config.get("auto_map") or "custom_code" in self.tags:
            return "it needs code of its own from the Hub, which the Lab never runs"
        if self.config.get("quantization_config"):
            return "its weights are quantised"
        if "adapter_config.json" in self.names:
            return "it is an adapter, which changes another model"
        if not any(_is_weights(name) for name in self.names):
            foreign = next((why for name in self.names for end, why in _FOREIGN.items() if name.endswith(end)), None)
            return foreign or "it has no weights"
        return None

    def other_task(self) -> str | None:
        """What the Hub says that it is for, where that is not the classification of pictures."""
        if self.task in (None, "image-classification"):
            return None
        return f"its task is {self.task}, not image classification"

    def weights(self, *, sharded: bool = False) -> list[str]:
        """The files that hold the weights of a classifier; ``sharded`` where its format may have several, with an index.
        Raises LabError where there are none, or several of which any may be meant."""
        for name in PREFERRED:
            if name in self.names:
                return [name]
        if sharded and _INDEX in self.names:
            return [_INDEX, *sorted(n for n in self.names if n.startswith("model-") and n.endswith(".safetensors"))]
        found = sorted(name for name in self.names if "/" not in name and _is_weights(name))
        tensors = [name for name in found if name.endswith(".safetensors")]
        if len(tensors) == 1 or len(found) == 1:
            return tensors if len(tensors) == 1 else found
        if not found:
            raise LabError("There are no weights: expected a safetensors or PyTorch file.")
        some = ", ".join(found[:4])
        raise LabError(f"There are {len(found)} files of weights ({some}): the Lab cannot tell which one is meant.")


def _is_weights(name: str) -> bool:
    return name.endswith(SUFFIXES) and name.rpartition("/")[2] not in _OF_TRAINING


def list_path(path: Path) -> Listing:
    """What a folder holds, or a weights file: one is described by a JSON file of the same name beside it, else by config.json.
    Raises LabError where it cannot be read, the file is no weights file, or a config is damaged."""
    if path.is_file() and path.suffix not in SUFFIXES:
        raise LabError(f"{path.name!r} is no weights file: expected one that ends in {', '.join(SUFFIXES)}.")
    folder = path.parent if path.is_file() else path
    places = [folder, *(folder / part for part in _PARTS if (folder / part).is_dir())]
    try:
        found = sorted(file.relative_to(folder).as_posix() for place in places for file in place.iterdir() if file.is_file())
    except OSError as error:
        raise LabError(f"The folder {str(path)!r} cannot be read ({error.strerror}): expected a model in it.") from error
    described = [folder / "config.json", folder / "unet" / "config.json"]
    file = None
    if path.is_file():
        file, described = path.name, [path.with_suffix(".json"), *described]
        found = [name for name in found if name == file or not _is_weights(name)]
    config = next((read_json_object(described_by) for described_by in described if described_by.is_file()), {})
    return Listing(tuple(found), config, file=file)


def read_json_object(path: Path, model: str = "the model") -> dict[str, Any]:
    """Read a file of a model that holds one JSON object. Raises LabError where it cannot be read, or holds something else."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise LabError(f"{path.name!r} of {model} has {path.stat().st_size:,} bytes, which is no config: it is not loaded.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LabError(f"{path.name!r} of {model} does not describe a model ({error}): it is damaged or missing.") from error
    if not isinstance(found, dict):
        raise LabError(f"{path.name!r} of {model} does not describe a model: expected a JSON object.")
    return found
