"""Image classifiers in the format of transformers: config.json with id2label, preprocessor_config.json."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.preprocessing import Prepared, certification_size
from core.models.formats.state_dicts import check_proportion, check_size
from core.models.formats.torchvision_shim import import_library
from core.models.formats.transformers_processors import read_processor
from core.models.labels import labels_for


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
    if config.get("num_channels", 3) != 3:
        raise LabError(f"The model takes {config['num_channels']} colour channels: expected 3.")


def read_transformers(
    folder: Path, weights: tuple[str, ...], config: dict[str, Any], size: tuple[int, int] | None = None
) -> LoadedNetwork:
    """Load with AutoModelForImageClassification, from the folder alone, and put the processor's arithmetic inside.

    Args:
        folder: where the files are.
        weights: which of them hold the weights.
        config: what config.json says.
        size: (height, width) for noise and certificate; None for what suits.

    Raises:
        LabError: where it is no image classifier, needs code of its own, or its files do not fit.
    """
    refuse_unusable(config)
    transformers = import_library("transformers")
    with _quiet(transformers):
        network = _network(transformers, folder, weights)
        seen = read_processor(transformers, folder, network.config)
    classes = int(network.config.num_labels)
    if classes < 2:
        raise LabError(f"The model has {classes} classes: at least two are needed for a vote.")
    notes = list(seen.notes)
    if network.config.problem_type == "multi_label_classification":
        notes.append("The model was made to give a picture several labels at once: only its strongest one is looked at.")
    # transformers itself puts LABEL_0, LABEL_1, ... where a config names nothing.
    labels, assumed = labels_for(network.config.id2label, classes)
    if assumed:
        notes.append(f"Nothing names the {classes} classes: those of {assumed} were assumed.")
    where, said = certification_size(seen.fitting, classes, assumed, labels, size)
    prepared = Prepared(network.eval().requires_grad_(False), seen.mean, seen.std, seen.fitting, blue_first=seen.blue_first)
    return LoadedNetwork(
        prepared,
        "transformers",
        type(network).__name__,
        where,
        seen.fitting.own_size,
        labels,
        assumed,
        notes=(*notes, *said),
        weights=weights,
    )


def _network(transformers: Any, folder: Path, weights: tuple[str, ...]) -> Any:
    auto = transformers.AutoModelForImageClassification
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

        def build() -> nn.Module:
            return auto.from_config(config, trust_remote_code=False)

        check_proportion(build, check_size(*(folder / name for name in weights)))
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
    except LabError:
        raise
    except Exception as error:  # files of strangers: each architecture fails in its own way
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"transformers {transformers.__version__} cannot load the model: {first[:300]}") from error
    wrong = sorted(report["mismatched_keys"])
    if wrong:
        name, found, expected = wrong[0]
        raise LabError(
            f"The weights do not fit the model: {name!r} is {tuple(found)} instead of {tuple(expected)}"
            f" ({len(wrong)} such places in all)."
        )
    absent = sorted(report["missing_keys"])
    if absent:
        raise LabError(f"The weights do not fit the model: {absent[0]!r} is missing ({len(absent)} such places in all).")
    return network


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without the library's reports and progress bars, which would go to the terminal of whoever uses the Lab."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
