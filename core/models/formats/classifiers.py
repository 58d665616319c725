"""Which format a folder of files is in, and which of a repository's files a classifier needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.state_dicts import SUFFIXES
from core.models.formats.timm_models import is_timm, read_timm
from core.models.formats.transformers_models import is_transformers, read_transformers, refuse_unusable
from core.models.formats.trial import tried
from core.models.json_object import read_json_object

PREFERRED = ("model.safetensors", "pytorch_model.bin")
INDEX = "model.safetensors.index.json"
_OF_TRAINING = ("training_args.bin", "optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt", "rng_state.pth")
_ADAPTER = "adapter_config.json"
_OTHER_FORMATS = {
    ".gguf": "GGUF",
    ".onnx": "ONNX",
    ".tflite": "TensorFlow Lite",
    ".h5": "Keras",
    ".keras": "Keras",
    ".msgpack": "Flax",
    ".mlmodel": "Core ML",
    ".pkl": "pickle",
}


def wanted_files(names: list[str], config: dict[str, Any] | None) -> list[str]:
    """The files that loading a repository as a classifier takes.

    Args:
        names: what lies in it.
        config: its config.json, or None.

    Raises:
        LabError: with the reason, where it cannot be loaded.
    """
    if _ADAPTER in names:
        raise LabError("The repository holds an adapter, which changes another model: choose one that is whole.")
    if config is None or not (is_timm(config) or is_transformers(config) or _is_named(config)):
        raise LabError("The repository has no config.json of timm or transformers: the Lab cannot tell how to build its model.")
    sharded = not is_timm(config) and is_transformers(config)
    if sharded:
        refuse_unusable(config)
    extra = [name for name in ("config.json", "preprocessor_config.json") if name in names]
    return extra + _weights(names, sharded=sharded)


def _is_named(config: dict[str, Any]) -> bool:
    return config.get("library") == "torchvision" and isinstance(config.get("architecture"), str)


def _weights(names: list[str], *, sharded: bool) -> list[str]:
    """The files with the weights; ``sharded`` where the format may spread them over several, with an index."""
    for name in PREFERRED:
        if name in names:
            return [name]
    if INDEX in names and sharded:
        return [INDEX, *sorted(n for n in names if n.startswith("model-") and n.endswith(".safetensors"))]
    found = sorted(name for name in names if name.endswith(SUFFIXES) and "/" not in name and name not in _OF_TRAINING)
    tensors = [name for name in found if name.endswith(".safetensors")]
    if len(tensors) == 1 or len(found) == 1:
        return tensors if len(tensors) == 1 else found
    if found:
        some = ", ".join(found[:4])
        raise LabError(f"There are {len(found)} files of weights ({some}): the Lab cannot tell which one is meant.")
    other = next((_OTHER_FORMATS[suffix] for name in names if (suffix := Path(name).suffix) in _OTHER_FORMATS), None)
    raise LabError(
        f"The only weights are in the format {other}: expected safetensors or a PyTorch file."
        if other
        else "There are no weights: expected a safetensors or PyTorch file."
    )


def read_classifier(folder: Path, *, size: tuple[int, int] | None = None, architecture: str | None = None) -> LoadedNetwork:
    """Read a classifier: timm's format, transformers', or one weights file of a torchvision or timm architecture.

    Args:
        folder: a Hub snapshot, any folder, or a weights file. A file is described by a JSON file of the same name beside it,
            else by config.json beside it, else by its own name, such as ``resnet18-5c106cde.pth``.
        size: (height, width) for noise and certificate; None for what suits.
        architecture: of a bare weights file; by default what config.json says, or the file is named after.

    Raises:
        LabError: where the format is unknown, files are missing or damaged, or it is no classifier.
    """
    if folder.is_file():
        if folder.suffix not in SUFFIXES:
            raise LabError(f"{folder.name!r} is no weights file: expected one that ends in {', '.join(SUFFIXES)}.")
        beside = (folder.with_suffix(".json"), folder.parent / "config.json")
        config = next((read_json_object(path) for path in beside if path.is_file()), None)
        if folder.name in PREFERRED and config is not None and not is_timm(config) and is_transformers(config):
            folder = folder.parent  # a repository's only file of weights stands for the repository
        else:
            return tried(_of_file(folder, config, size, architecture))
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise LabError(f"The folder {str(folder)!r} cannot be read ({error.strerror}): expected a model in it.") from error
    config = read_json_object(folder / "config.json") if "config.json" in names else None
    if config is not None and not is_timm(config) and is_transformers(config):
        refuse_unusable(config)
        weights = _weights(names, sharded=True)
        return tried(read_transformers(folder, tuple(w for w in weights if w.endswith(SUFFIXES)), config, size))
    return tried(_of_file(folder / _weights(names, sharded=False)[0], config, size, architecture))


def _of_file(
    path: Path, config: dict[str, Any] | None, size: tuple[int, int] | None, architecture: str | None
) -> LoadedNetwork:
    if config is not None and is_timm(config):
        return read_timm(path, config | ({"architecture": architecture} if architecture else {}), size)
    from core.models.formats.torchvision_models import list_torchvision, read_torchvision

    known = list_torchvision()
    named = architecture or (config or {}).get("architecture") or _architecture_of(path.name, known)
    if not isinstance(named, str) or named not in known:
        raise LabError(
            f"Nothing says of which architecture {path.name!r} is: name the file after one of torchvision's, such as"
            ' resnet18.safetensors, or put a config.json beside it with {"library": "torchvision", "architecture": ...}.'
        )
    return read_torchvision(path, named, config or {}, size)


def _architecture_of(name: str, known: list[str]) -> str | None:
    """``resnet18-5c106cde.pth`` and ``resnet18_cifar10.safetensors`` name resnet18; the longest name that fits counts."""
    fitting = [arch for arch in known if re.match(rf"{re.escape(arch)}(?![A-Za-z0-9])", name)]
    return max(fitting, key=len, default=None)
