"""Image classifiers in the format of transformers: config.json with id2label, preprocessor_config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.models.formats.labels import labels_of
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.preprocessing import Prepared, certification_size, three
from core.models.formats.torchvision_shim import import_library

PREPROCESSOR = "preprocessor_config.json"


def is_transformers(config: dict[str, Any]) -> bool:
    """Whether a config is one of transformers."""
    return isinstance(config.get("model_type"), str)


def refuse_unusable(config: dict[str, Any]) -> None:
    """Raise LabError, with the reason, where a config is of no image classifier or asks for the repository's own code."""
    names = config.get("architectures") or []
    if not any("ForImageClassification" in str(name) for name in names):
        what = f"a {names[0]}" if names else f"a {config.get('model_type')} without a task"
        raise LabError(f"The model is {what}: a model for image classification is needed.")
    if config.get("auto_map"):
        raise LabError("The model needs code from its repository, which the Lab never runs: choose another.")
    if config.get("quantization_config"):
        raise LabError("The model is quantised: expected weights in floating point.")


def read_transformers(
    folder: Path, weights: tuple[str, ...], config: dict[str, Any], size: tuple[int, int] | None = None
) -> LoadedNetwork:
    """Load with AutoModelForImageClassification, from the folder alone, and put the processor's arithmetic inside.

    Raises:
        LabError: where it is no image classifier, needs code of its own, or its files do not fit.
    """
    refuse_unusable(config)
    transformers = import_library("transformers")
    verbosity = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        network, report = transformers.AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, output_loading_info=True, dtype="float32",
            use_safetensors=any(name.endswith(".safetensors") for name in weights),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"transformers {transformers.__version__} cannot load the model: {first[:300]}") from error
    finally:
        transformers.utils.logging.set_verbosity(verbosity)
    absent = sorted(report["missing_keys"])
    if absent:
        raise LabError(f"The weights do not fit the model: {absent[0]!r} is missing ({len(absent)} such places in all).")
    if getattr(network.config, "num_channels", 3) != 3:
        raise LabError(f"The model takes {network.config.num_channels} colour channels: expected 3.")
    settings, notes = _preprocessing(folder)
    own = _own_size(settings, network.config)
    classes = int(network.config.num_labels)
    if classes < 2:
        raise LabError(f"The model has {classes} classes: at least two are needed for a vote.")
    labels, assumed = labels_of(network.config.id2label, classes)
    if assumed:
        notes.append(f"Nothing names the {classes} classes: those of {assumed} were assumed.")
    where, note = certification_size(own, classes, assumed, labels, size)
    # Pillow's numbers: 2 is bilinear, 3 bicubic, 1 Lanczos, which torch lacks.
    mode = "bilinear" if settings.get("resample", 2) in (0, 2) else "bicubic"
    prepared = Prepared(network.eval().requires_grad_(False), *_normalisation(settings), own, mode)
    return LoadedNetwork(
        prepared, "transformers", type(network).__name__, where, own, labels, assumed,
        notes=(*notes, *([note] if note else [])), weights=weights,
    )  # fmt: skip


def _preprocessing(folder: Path) -> tuple[dict[str, Any], list[str]]:
    path = folder / PREPROCESSOR
    if not path.exists():
        return {}, [f"There is no {PREPROCESSOR}: mean and standard deviation 0.5 were assumed."]
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{PREPROCESSOR} of the model is damaged: {error}.") from error
    if not isinstance(settings, dict):
        raise LabError(f"{PREPROCESSOR} of the model is no JSON object: it is damaged.")
    return settings, []


def _normalisation(settings: dict[str, Any]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std as of [0, 1] pixels: what the processor rescales by, it is taken to be 1/255 unless it says otherwise."""
    factor = float(settings.get("rescale_factor", 1 / 255)) * 255 if settings.get("do_rescale", True) else 255.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if settings.get("do_normalize", True):
        mean = three(settings.get("image_mean", 0.5), "mean")
        std = three(settings.get("image_std", 0.5), "std")
    # (factor x - mean) / std = (x - mean / factor) / (std / factor)
    return (
        (mean[0] / factor, mean[1] / factor, mean[2] / factor),
        (std[0] / factor, std[1] / factor, std[2] / factor),
    )


def _own_size(settings: dict[str, Any], config: Any) -> tuple[int, int]:
    crop = settings.get("crop_size") if settings.get("do_center_crop") else None
    for value in (crop, settings.get("size"), getattr(config, "image_size", None)):
        if isinstance(value, dict):
            if "height" in value and "width" in value:
                return int(value["height"]), int(value["width"])
            value = value.get("shortest_edge")
        if isinstance(value, list | tuple) and len(value) == 2:
            return int(value[0]), int(value[1])
        if isinstance(value, int) and value > 0:
            return value, value
    return 224, 224
