"""Model references: one string that names a model everywhere (pages, links, command line, certificates)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import LabError

BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "models"
KINDS = ("bundled", "local", "classical", "none")


@dataclass(frozen=True)
class Reference:
    """A parsed reference: ``kind/name``, or just ``none``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.kind if self.kind == "none" else f"{self.kind}/{self.name}"


def parse_reference(text: str) -> Reference:
    """Parse ``bundled/NAME``, ``local/PATH``, ``classical/NAME`` or ``none``.

    Raises:
        LabError: where it is none of these.
    """
    kind, slash, name = text.strip().partition("/")
    if kind == "none" and not slash:
        return Reference("none", "")
    if kind not in KINDS or kind == "none" or not name:
        raise LabError(
            f"Unknown model reference {text!r}: expected bundled/NAME or local/PATH"
            " (denoisers also none and classical/NAME); 'python -m core models' lists what is bundled."
        )
    return Reference(kind, name)


def model_folder(reference: Reference) -> Path:
    """The folder a ``bundled`` or ``local`` reference names.

    Raises:
        LabError: where there is no such folder.
    """
    if reference.kind == "bundled":
        known = bundled_names()
        if reference.name not in known:
            raise LabError(f"There is no bundled model {reference.name!r}: choose one of {', '.join(known)}.")
        return BUNDLED_FOLDER / reference.name
    folder = Path(reference.name).expanduser()
    if not folder.is_dir():
        raise LabError(f"There is no folder {str(folder)!r}: local/PATH must name a folder with config.json in it.")
    return folder


def bundled_names() -> list[str]:
    """Names of the models that come with the project."""
    return sorted(p.parent.name for p in BUNDLED_FOLDER.glob("*/config.json"))
