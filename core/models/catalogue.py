"""What there is to choose from: classifiers and denoisers, bundled or of a package, and the classical denoisers."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.folders import made_once
from core.models.formats.packaged import PACKAGED
from core.models.formats.weights import weights_digest
from core.models.network import CLASSICAL
from core.models.references import BUNDLED_FOLDER, bundled_names
from core.models.storage import CARD, WEIGHTS, ModelConfig, read_config
from core.smoothing.certificate import ModelRecord


@dataclass(frozen=True)
class Entry:
    """One model to choose: a ``classifier`` or ``denoiser``, with a few words for a menu and the bytes of its weights.
    ``config``, ``card``: what config.json and card.json say; None and empty for classical denoisers and ``none``."""

    ref: str
    kind: str
    title: str
    config: ModelConfig | None = None
    card: dict[str, Any] = field(default_factory=dict)
    bytes: int = 0

    @property
    def sigma_range(self) -> tuple[float, float] | None:
        """The sigmas a denoiser was trained for; None where it takes any."""
        return None if self.config is None else self.config.sigma_range


@made_once()
def catalogue() -> tuple[Entry, ...]:
    """All entries, classifiers first. Read once a process; no weights are loaded."""
    entries = []
    for name in bundled_names():
        folder = BUNDLED_FOLDER / name
        config = read_config(folder)
        card = json.loads((folder / CARD).read_text())
        size, title = (folder / WEIGHTS).stat().st_size, _title(name, config, card)
        entries.append(Entry(f"bundled/{name}", config.kind, title, config=config, card=card, bytes=size))
    for name, model in PACKAGED.items():
        config = ModelConfig(model.kind, model.architecture, input_size=model.input_size, sigma_range=model.sigma_range)
        path = model.weights()
        title, size = (model.title, path.stat().st_size) if path else (f"{model.title} (not installed)", 0)
        entries.append(Entry(f"package/{name}", model.kind, title, config=config, bytes=size))
    entries.append(Entry("none", "denoiser", "No denoiser"))
    entries += [Entry(f"classical/{name}", "denoiser", title) for name, (title, _) in CLASSICAL.items()]
    return tuple(sorted(entries, key=lambda entry: entry.kind))


def stored_record(ref: str) -> ModelRecord:
    """An entry's model as a certificate names it, without loading it."""
    kind, _, name = ref.partition("/")
    if kind != "bundled":
        return ModelRecord(ref, None)
    folder = BUNDLED_FOLDER / name  # a name of the catalogue, so it cannot lead elsewhere
    digest = _digest(folder, (folder / WEIGHTS).stat().st_mtime_ns)
    return ModelRecord(ref, digest, digest)


@made_once()
def _digest(folder: Path, modified: int) -> str | None:
    return weights_digest(folder, (WEIGHTS,))


_DATA = {"cifar10": "CIFAR-10", "photo": "Photographs", "shapes": "Shapes"}
_SMALL = re.compile("cifar|mnist|svhn")  # in the names of classifiers of pictures of 32 x 32 pixels


def _title(name: str, config: ModelConfig, card: dict[str, Any]) -> str:
    """A few words from the name and the card: the data first, then accuracy or objective."""
    data = _DATA.get(name.partition("-")[0], name)
    if config.kind == "classifier":
        accuracy = card.get("test_accuracy")
        if sigma := card.get("noise_sigma"):
            return f"{data}, noise-trained at {sigma:g}"
        return data if accuracy is None else f"{data} ({accuracy:.1%} on clean pictures)"
    if _black_box(card):
        return f"{data}, black-box STAB"
    return f"{data}, {str(card.get('objective', 'trained')).upper()}"


def _black_box(card: dict[str, Any]) -> bool:
    """Trained through classifiers that stand in for the one to be defended."""
    through = card.get("trained_through") or []
    return bool(through) and card.get("classifier") not in through


def classifiers() -> list[Entry]:
    """The classifiers, `bundled/cifar10` first; those trained with noise, which need no denoiser, last."""
    found = [e for e in catalogue() if e.kind == "classifier"]
    return sorted(found, key=lambda e: (e.ref != "bundled/cifar10", e.card.get("noise_sigma") is not None))


def denoisers(classifier: str | None = None) -> list[Entry]:
    """The denoisers, those trained for this classifier first."""
    found = [e for e in catalogue() if e.kind == "denoiser"]
    return sorted(
        found, key=lambda e: (e.card.get("classifier") != classifier, e.card.get("objective") != "stab", _black_box(e.card))
    )


def usual_denoiser(classifier: str) -> str:
    """The denoiser a newcomer gets for a classifier: the one trained through it; for one that is not bundled the one that was
    trained without any classifier, since it works before every one: on photographs or, where its name says so, on small
    pictures."""
    first = denoisers(classifier)[0]
    if first.card.get("classifier") == classifier:
        return first.ref
    general = ["bundled/cifar10-mse"] if _SMALL.search(classifier.lower()) else ["bundled/photo", "bundled/cifar10-mse"]
    there = [] if classifier.startswith("bundled/") else [ref for ref in general if any(e.ref == ref for e in catalogue())]
    return next(iter(there), "none")
