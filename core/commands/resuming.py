"""Files that a killed run leaves and a later one goes on with: one line a picture, and beside them what made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.commands.terminal import remark
from core.errors import LabError
from core.versions import versions

VERSIONS = "versions"


def begin_or_resume(
    path: Path, side: Path, made_by: dict[str, Any], *, resume: bool, head: str = "", before: Mapping[str, Any] | None = None
) -> bool:
    """Begin a file of lines, or make an earlier run's ready to be gone on with.

    Args:
        path, side: the lines, and the file that says what made them.
        made_by: every parameter that decides a line; the side file names the versions of packages, too, which may change.
        resume: go on with what is there.
        head: the first line of a new file, newline included.
        before: values of parameters that older side files do not name.

    Returns:
        whether there is something to go on with. A line that a kill cut short has been dropped then.

    Raises:
        LabError: where the file exists and is not to be resumed, or was made with other parameters, which are named.
    """
    if not resume:
        if path.exists():
            raise LabError(f"{str(path)!r} exists already: add --resume to go on with it, or choose another --out.")
        path.parent.mkdir(parents=True, exist_ok=True)
        side.write_text(json.dumps({**made_by, VERSIONS: versions()}, indent=2) + "\n", encoding="utf-8")
        path.write_text(head, encoding="utf-8")
        return False
    try:
        made = json.loads(side.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{str(path)!r} cannot be resumed: {side.name} beside it cannot be read ({error}).") from error
    made = {key: value for key, value in (before or {}).items() if key in made_by} | made
    then = made.pop(VERSIONS, None)
    differing = sorted(key for key in made_by.keys() | made.keys() if made_by.get(key) != made.get(key))
    if differing:
        raise LabError(f"{str(path)!r} was begun with another {', '.join(differing)}: use the same, or another --out.")
    if then not in (None, versions()):
        changed = ", ".join(name for name, version in versions().items() if then.get(name) != version)
        remark(f"{path.name} was begun with another version of {changed}: its last digits may differ from here on.")
    drop_torn_line(path)
    return True


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that a kill left without its end."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
