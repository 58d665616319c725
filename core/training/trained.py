"""What a training leaves: README.md of a model, and the denoisers trained here, folders of the Lab's own folder ``models``."""

import io
import json
import re
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save
from torch import nn

from core.errors import LabError
from core.models.formats.listing import read_json_object
from core.models.references import trained_folder
from core.models.storage import CARD, CONFIG, WEIGHTS, ModelConfig, save_model
from core.training.checkpoint import weights_fingerprint
from core.training.objectives import STAB_WEIGHTS
from core.versions import LAB_VERSION
from core.visitor import OPERATOR, Visitor

README = "README.md"
LIBRARY = "denoised-smoothing-lab"
MOST_KEPT = 20
MOST_KEPT_BY_ONE = 5  # of a visitor who has signed in
MOST_KEPT_BYTES = 500 * 2**20
LONGEST_NAME = 40
FILES = (WEIGHTS, CONFIG, CARD, README)
MARK = "kept_as"
"""What card.json calls the name by; folders without it were put there by somebody else, and are none of these."""
OWNER = "owner.json"
"""Beside those: the key of the visitor who made it, and whether others may choose it. It is not taken along."""
_README = Template(Path(__file__).with_name("readme.md").read_text(encoding="utf-8"))
_NAMES = {
    "psnr": "PSNR, dB",
    "one_shot_accuracy": "accuracy of the classifier after one draw of noise",
    "test_accuracy": "accuracy",
    "helper_accuracy": "accuracy of the coarsest features' answer after one draw of noise",
    "agreement": "share of which the classifier says what it says without noise",
}


@dataclass(frozen=True)
class TrainedModel:
    """A denoiser that is kept."""

    name: str  # ends in the first digits of its weights' fingerprint, unlike that of any others
    bytes: int  # of its files
    card: dict[str, Any]  # what card.json says
    owner: str = ""  # the key of the visitor who made it; empty for the operator
    shared: bool = True  # others may choose it

    @property
    def ref(self) -> str:
        """How every page and command names it."""
        return f"trained/{self.name}"


def trained_models(visitor: Visitor = OPERATOR) -> list[TrainedModel]:
    """Those that a visitor may choose, the newest first. Folders that are incomplete or damaged are passed over."""
    found = []
    try:
        folders = list(trained_folder().iterdir())
    except OSError:  # there is none yet, or it cannot be read
        return []
    for folder in folders:
        try:
            card = read_json_object(folder / CARD)
            if card.get(MARK) == folder.name and (folder / WEIGHTS).is_file():
                size = sum((folder / name).stat().st_size for name in FILES if (folder / name).is_file())
                owned = read_json_object(folder / OWNER) if (folder / OWNER).exists() else {}
                owner, shared = str(owned.get("owner", "")), owned.get("shared", True) is True
                if visitor.may_see(owner, shared):
                    model = TrainedModel(folder.name, size, card, owner=owner, shared=shared)
                    found.append(((folder / CARD).stat().st_mtime, model))
        except (LabError, OSError):
            continue
    return [model for _, model in sorted(found, key=lambda entry: (-entry[0], entry[1].name))]


def check_room(visitor: Visitor = OPERATOR) -> None:
    """See that a visitor may keep one more. Raises LabError where a limit is reached."""
    models = trained_models()
    held, own = sum(model.bytes for model in models), sum(model.owner == visitor.key for model in models)
    if not visitor.operates and own >= MOST_KEPT_BY_ONE:
        raise LabError(f"{own} denoisers of yours are kept already, and {MOST_KEPT_BY_ONE} is the limit: delete one first.")
    whose = "delete one first." if visitor.operates else "ask the operator to delete one."
    if len(models) >= MOST_KEPT:
        raise LabError(f"{len(models)} trained denoisers are kept already, and {MOST_KEPT} is the limit: {whose}")
    if held >= MOST_KEPT_BYTES:
        raise LabError(f"The trained denoisers take {held / 2**20:.0f} MB, over the limit: {whose}")


def check_name(name: str) -> str:
    """A name for a model, without spaces around it. Raises LabError where it is none."""
    name = name.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", name) or len(name) > LONGEST_NAME or "--" in name:
        raise LabError(f"The name must be of letters, digits and single hyphens, at most {LONGEST_NAME} of them.")
    return name


def full_name(name: str, network: nn.Module) -> str:
    """The name with the first digits of the weights' fingerprint: never again the name of other weights."""
    return f"{name}-{weights_fingerprint(network)[:6]}"


def save_trained(
    network: nn.Module, config: ModelConfig, card: Mapping[str, Any], name: str, *, visitor: Visitor = OPERATOR
) -> TrainedModel:
    """Write a model into the Lab's folder as ``name``, from :func:`full_name`, for a visitor, whole or not at all.

    Raises LabError where it cannot be written, or somebody else keeps these very weights.
    """
    folder = trained_folder() / name
    part = folder.parent / f".part-{uuid.uuid4().hex}"
    card = dict(card) | {MARK: name}
    there = next((model for model in trained_models() if model.name == name), None)
    if there is not None:
        visitor.check_owns(there.owner, f"The denoiser {name}")
    try:
        save_model(part, network, config, card)
        _note_owner(part, visitor.key, visitor.operates if there is None else there.shared)
        (part / README).write_text(readme(config, card, name, f"trained/{name}"))
        if folder.exists():  # the same weights, trained again: the newer card is the better one
            shutil.rmtree(folder)
        part.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise LabError(
            f"The denoiser cannot be written into the Lab's folder ({why}): download it now, before you leave."
        ) from error
    return next(model for model in trained_models() if model.name == name)


def _note_owner(folder: Path, owner: str, shared: bool) -> None:
    part = folder / f"{OWNER}.part"
    part.write_text(json.dumps({"owner": owner, "shared": shared}) + "\n")
    part.replace(folder / OWNER)


def _trained(name: str, visitor: Visitor, *, to_change: bool = True) -> TrainedModel:
    """One that a visitor may see, or change. Raises LabError where there is none of this name, or it is somebody else's."""
    found = next((model for model in trained_models(visitor) if model.name == name), None)
    if found is None:
        raise LabError(f"There is no trained denoiser {name!r} any more: choose another.")
    if to_change:
        visitor.check_owns(found.owner, f"The denoiser {name}")
    return found


def share_trained(name: str, shared: bool, visitor: Visitor = OPERATOR) -> None:
    """Let others choose a kept model, or not. Raises LabError where there is none such of the visitor's, or no writing."""
    found = _trained(name, visitor)
    try:
        _note_owner(trained_folder() / found.name, found.owner, shared)
    except OSError as error:
        raise LabError(f"{name} cannot be changed ({error.strerror}): make the Lab's folder writable.") from error


def delete_trained(name: str, visitor: Visitor = OPERATOR) -> None:
    """Delete a kept model. Raises LabError where there is none of this name, it is somebody else's, or it cannot be deleted."""
    found = _trained(name, visitor)
    try:
        shutil.rmtree(trained_folder() / found.name)
    except OSError as error:
        raise LabError(f"{name} cannot be deleted ({error.strerror}): make the Lab's folder writable.") from error


def zip_trained(name: str, visitor: Visitor = OPERATOR) -> bytes:
    """A kept model as a zip: a folder of its name with :data:`FILES`. Raises LabError where the visitor sees none such."""
    folder = trained_folder() / _trained(name, visitor, to_change=False).name
    try:
        return _zipped(name, {file: (folder / file).read_bytes() for file in FILES})
    except OSError as error:
        raise LabError(f"There is no trained denoiser {name!r} any more: choose another.") from error


def zip_unsaved(network: nn.Module, config: ModelConfig, card: Mapping[str, Any], name: str) -> bytes:
    """The same zip of a model that is not on the disk, such as one that found no room there."""
    card = dict(card) | {MARK: name}
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    texts = {
        CONFIG: json.dumps(asdict(config), indent=2) + "\n",
        CARD: json.dumps(card, indent=2) + "\n",
        README: readme(config, card, name),
    }
    return _zipped(name, {WEIGHTS: save(state)} | {file: text.encode() for file, text in texts.items()})


def _zipped(name: str, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        for file, content in files.items():
            zipped.writestr(str(Path(name) / file), content)
    return buffer.getvalue()


def write_readme(folder: Path, config: ModelConfig, card: Mapping[str, Any], name: str | None = None) -> None:
    """Write README.md beside a saved model, which is to be ``OWNER/NAME`` on the Hub where there is a name."""
    (folder / README).write_text(readme(config, card, name or folder.resolve().name, f"hub/{name}" if name else None))


def readme(config: ModelConfig, card: Mapping[str, Any], title: str, reference: str | None = None) -> str:
    """The text of a card, with a YAML head as the Hub reads it; the Lab loads the model as ``reference``, or ``local/PATH``."""
    rows, where = figures(card), card.get("measured_on", "the test split")
    what = "A classifier" if config.kind == "classifier" else "A denoiser"
    purpose = (
        "to be smoothed: noise is added to the picture and the majority of its answers over many noisy copies is certified."
        if config.kind == "classifier"
        else "to stand before a classifier in denoised smoothing (Salman et al. 2020, arXiv 2003.01908)."
    )
    if card.get("objective") == "encoder":
        what, purpose = "The first half of a denoiser", "to start `--objective stab` from. It does not denoise yet."
    recipe, pictures = card.get("recipe", {}), f", {card['test_images']:,} pictures" if card.get("test_images") else ""
    made = {
        "architecture": f"{config.architecture}, {card.get('parameters', 0):,} parameters",
        "weights": card.get("weights"),
        "objective": card.get("objective"),
        "beside the objective": ", ".join(f"{key} {card[key]:g}" for key in (*STAB_WEIGHTS, "draws") if card.get(key)),
        "data": card.get("data"),
        "trained through": card.get("trained_through"),
        "classifier measured with": card.get("classifier"),
        "started from": card.get("start"),
        "sigma, in [0, 1] pixel units": _span(config.sigma_range) if config.sigma_range and config.kind == "denoiser" else None,
        "noise in training, sigma": card.get("noise_sigma") or None,
        "pictures": f"{config.input_size[1]} x {config.input_size[0]} pixels",
        "classes": None if config.labels is None else ", ".join(config.labels),
        "recipe": ", ".join(f"{key} {value}" for key, value in recipe.items()),
        "epochs finished": len(card["history"]) if "history" in card else None,
        "certified before and after": card.get("certified_told"),
        "ended": card.get("trouble") or ("stopped early" if card.get("stopped_early") else "as planned"),
        "time": f"{card.get('minutes')} min on {card.get('device')}",
    }
    measured = "".join(f"\n| {_NAMES.get(name, name)} | {sigma or 'none'} | {value:g} |" for name, sigma, value in rows)
    return _README.substitute(
        head=_head(config, card, title, rows),
        title=title,
        what=f"{what} {purpose}",
        where=f"{where}{pictures}",
        measured=measured,
        origin="".join(f"\n| {key} | {_cell(value)} |" for key, value in made.items() if value not in (None, "")),
        command=f"    {card['command']}\n\n" if card.get("command") else "",
        kind=config.kind,
        reference=reference or "local/PATH",
        version=LAB_VERSION,
    )


def figures(card: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(figure, sigma or "", value) of what was measured on the test split."""
    measured = dict(card.get("test") or {})
    measured |= {name: value for name, value in card.items() if name.startswith("test_accuracy")}
    rows = []
    for name, value in measured.items():
        known = next((one for one in _NAMES if name == one or name.startswith(f"{one}_")), name)
        rows.append((known, name[len(known) + 1 :], float(value)))
    return rows


def _head(config: ModelConfig, card: Mapping[str, Any], title: str, rows: list[tuple[str, str, float]]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    task = "image-classification" if config.kind == "classifier" else "image-to-image"
    data = str(card.get("data", "")).partition(",")[0] or "unknown"
    results = []
    for name, sigma, value in rows:
        told = f"{_NAMES.get(name, name)}{f' at sigma {sigma}' if sigma else ''}"
        results.append(EvalResult(task, data, data, name, value, dataset_split="test", metric_name=told))
    data_card = ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=task,
        tags=[LIBRARY, "randomized-smoothing", "certified-robustness"],
        model_name=title.rpartition("/")[2],
        eval_results=results or None,
    )
    return str(data_card.to_yaml()).strip()


def _span(span: tuple[float, float]) -> str:
    low, high = span
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
