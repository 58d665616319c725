"""Files that a killed run leaves and a later one goes on with: one line a picture, and beside them what made them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
        resume: go on with what is there; where there is nothing yet, begin.
        head: the first line of a new file, newline included.
        before: values of parameters that older side files do not name.

    Returns:
        whether there is something to go on with. A line that a kill cut short has been dropped then.

    Raises:
        LabError: where the file exists and is not to be resumed, or was made with other parameters, which are named.
    """
    if not (resume and path.exists()):
        if path.exists():
            raise LabError(f"{str(path)!r} exists already: add --resume to go on with it, or choose another --out.")
        path.parent.mkdir(parents=True, exist_ok=True)
        # In this order, each whole or not there at all: a kill leaves both, or no file of lines, which begins anew.
        write_whole(side, json.dumps({**made_by, VERSIONS: versions()}, indent=2) + "\n")
        write_whole(path, head)
        return False
    try:
        made = json.loads(side.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{str(path)!r} cannot be resumed: {side.name} beside it cannot be read ({error}).") from error
    made_by = json.loads(json.dumps(made_by))  # as it was written: a tuple, say, is a list then
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


def read_made_by(path: Path, side: Path, names: Sequence[str]) -> dict[str, Any]:
    """What made a file of lines: the document beside it.

    Args:
        path, side: the lines, and the file that says what made them.
        names: parameters that it must have.

    Raises:
        LabError: where it cannot be read, or lacks one of them.
    """
    try:
        made = json.loads(side.read_text(encoding="utf-8"))
        missing = [name for name in names if name not in made]
    except (OSError, ValueError, TypeError) as error:
        raise LabError(f"{str(side)!r}, which says what made {path.name}, cannot be read ({error}).") from error
    if missing or not isinstance(made, dict):
        raise LabError(f"{str(side)!r} does not say what made {path.name}: it lacks {', '.join(missing) or 'names'}.")
    return made


def drop_torn_line(path: Path) -> None:
    """Cut off a last line that a kill left without its end; what stands before it is not touched."""
    with path.open("r+b") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name and rename it, so that a kill leaves all of it or nothing."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
