"""Reading the JSON files that describe a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import LabError


def read_json_object(path: Path, model: str = "the model") -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        model: whose file it is, for the message.

    Raises:
        LabError: where it cannot be read, or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path.name!r} of {model} does not describe a model ({error}): it is damaged or missing.") from error
    if not isinstance(found, dict):
        raise LabError(f"{path.name!r} of {model} does not describe a model: expected a JSON object.")
    return found
