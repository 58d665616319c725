"""Which format a folder of files is in, and which of a repository's files a classifier needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.state_dicts import SUFFIXES
from core.models.formats.timm_models import is_timm, read_timm
from core.models.formats.transformers_models import is_transformers, read_transformers, refuse_unusable

PREFERRED = ("model.safetensors", "pytorch_model.bin")
INDEX = "model.safetensors.index.json"
OTHER_FORMATS = {".gguf": "GGUF", ".onnx": "ONNX", ".tflite": "TensorFlow Lite", ".h5": "Keras", ".msgpack": "Flax"}


def wanted_files(names: list[str], config: dict[str, Any] | None) -> list[str]:
    """The files that loading a repository as a classifier takes.

    Args:
        names: what lies in it.
        config: its config.json, or None.

    Raises:
        LabError: with the reason, where it cannot be loaded.
    """
    if config is not None and is_transformers(config):
        refuse_unusable(config)
    elif config is None or not is_timm(config):
        raise LabError("The repository has no config.json of timm or transformers: the Lab cannot tell how to build its model.")
    extra = [name for name in ("config.json", "preprocessor_config.json") if name in names]
    return extra + _weights(names)


def _weights(names: list[str]) -> list[str]:
    for name in PREFERRED:
        if name in names:
            return [name]
    if INDEX in names:
        return [INDEX, *sorted(n for n in names if n.startswith("model-") and n.endswith(".safetensors"))]
    found = sorted(name for name in names if name.endswith(SUFFIXES) and "/" not in name)
    tensors = [name for name in found if name.endswith(".safetensors")]
    if len(tensors) == 1 or len(found) == 1:
        return tensors if len(tensors) == 1 else found
    if found:
        some = ", ".join(found[:4])
        raise LabError(f"There are {len(found)} files of weights ({some}): the Lab cannot tell which one is meant.")
    other = next((OTHER_FORMATS[suffix] for name in names if (suffix := Path(name).suffix) in OTHER_FORMATS), None)
    raise LabError(
        f"The only weights are in the format {other}: expected safetensors or a PyTorch file."
        if other
        else "There are no weights: expected a safetensors or PyTorch file."
    )


def read_classifier(folder: Path, *, size: tuple[int, int] | None = None, architecture: str | None = None) -> LoadedNetwork:
    """Read a classifier from a folder: timm's format, transformers', or one weights file of a torchvision architecture.

    Args:
        folder: a Hub snapshot or any folder.
        size: (height, width) for noise and certificate; None for what suits.
        architecture: of a bare weights file; by default what config.json says, or the file is named after.

    Raises:
        LabError: where the format is unknown, files are missing or damaged, or it is no classifier.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    config = _config(folder / "config.json") if "config.json" in names else None
    if config is not None and is_transformers(config):
        weights = _weights(names)
        return read_transformers(folder, tuple(w for w in weights if w.endswith(SUFFIXES)), config, size)
    weights = _weights(names)
    if config is not None and config.get("library") != "torchvision" and is_timm(config):
        return read_timm(folder, weights[0], config, size)
    from core.models.formats.torchvision_models import is_torchvision, read_torchvision

    named = architecture or (config or {}).get("architecture") or _architecture_of(weights[0])
    if not isinstance(named, str) or not is_torchvision(named):
        raise LabError(
            f"Nothing says of which architecture {weights[0]!r} is: name the file after one of torchvision's, such as"
            ' resnet18.safetensors, or put a config.json beside it with {"library": "torchvision", "architecture": ...}.'
        )
    return read_torchvision(folder / weights[0], named, size=size, config=config)


def _architecture_of(name: str) -> str:
    """``resnet18-5c106cde.pth`` and ``resnet18.safetensors`` name resnet18."""
    stem = name.rpartition(".")[0]
    return stem.partition("-")[0]


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path.name!r} of the model is damaged: {error}.") from error
    if not isinstance(config, dict):
        raise LabError(f"{path.name!r} of the model is no JSON object: it does not describe one.")
    return config
