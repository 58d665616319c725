"""Stored evaluations, attacks and finished certificates were made with the models that are bundled under those names now.

Or else they are known to be of an earlier one, and docs/training-notes.md says which.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.models.formats.weights import weights_digest
from core.models.references import BUNDLED_FOLDER
from core.models.storage import WEIGHTS

ASSETS = Path(__file__).resolve().parents[2] / "assets"
EARLIER_STAB = "036bf1aa7e8fe5c61bfe5b0ea321a0e3e7d763aa696f486ed5f5b61a79e44027"
OF_EARLIER_STAB = {"evaluations/sequential/cifar10-stab-0.25-n1000.json", "evaluations/sequential/cifar10-stab-0.25.json"}
"""They take hours to make again; a file that was leaves this list."""
SIDE_FILES = sorted([*(ASSETS / "evaluations").rglob("*.json"), *(ASSETS / "certificates").glob("*.json")])


def records(document: Any) -> list[dict[str, Any]]:
    """Every ``{"ref": "bundled/...", "weights": ...}`` in a document."""
    if isinstance(document, list):
        return [found for part in document for found in records(part)]
    if not isinstance(document, dict):
        return []
    own = [document] if str(document.get("ref", "")).startswith("bundled/") else []
    return own + [found for part in document.values() for found in records(part)]


def test_most_files_name_bundled_models() -> None:
    naming = [path for path in SIDE_FILES if records(json.loads(path.read_text(encoding="utf-8")))]
    assert len(naming) >= 55


@pytest.mark.parametrize("path", SIDE_FILES, ids=lambda path: str(path.relative_to(ASSETS)))
def test_the_weights_are_the_bundled_ones_or_known_to_be_earlier(path: Path) -> None:
    earlier = path.relative_to(ASSETS).as_posix() in OF_EARLIER_STAB
    for record in records(json.loads(path.read_text(encoding="utf-8"))):
        folder = BUNDLED_FOLDER / record["ref"].removeprefix("bundled/").partition(":")[0]
        expected = EARLIER_STAB if earlier and folder.name == "cifar10-stab" else weights_digest(folder, (WEIGHTS,))
        assert (record.get("weights") or record["revision"]) == expected, record["ref"]


def test_the_notes_say_which_weights_those_were() -> None:
    notes = (ASSETS.parent / "docs" / "training-notes.md").read_text(encoding="utf-8")
    assert f"weights {EARLIER_STAB[:8]}" in notes
