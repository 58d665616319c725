"""Going on with what an earlier run left: the one check, and files of lines, beside which stands what made them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.smoothing.settings import Settings
from core.versions import versions

VERSIONS = "versions"
UNSAID = {field.name: field.default for field in fields(Settings) if field.default is not MISSING} | {"norm": "l2"}
"""What was begun before there was a choice does not say it, and was made with this."""


def changed_since(then: Mapping[str, Any], now: Mapping[str, Any], *, begun: str, otherwise: str) -> list[str]:
    """See that what was begun can be gone on with: the same parameters and weights give the same lines.

    Args:
        then: every parameter that decided a line when it was begun, as it was stored, and the versions of packages.
        now: the same of what is to go on.
        begun: what was, for the message.
        otherwise: the end of the message: what to do where it cannot.

    Returns:
        the packages whose version is another than was noted then; last digits may differ from here on.

    Raises:
        LabError: where parameters differ, which are named.
    """
    here = json.loads(json.dumps(now))  # as it was stored: a tuple, say, is a list then
    before = {key: value for key, value in UNSAID.items() if key in here} | dict(then)
    differing = sorted(key for key in (before.keys() | here.keys()) - {VERSIONS} if before.get(key) != here.get(key))
    if differing:
        raise LabError(f"{begun} was begun with another {', '.join(differing)}{otherwise}")
    noted, current = then.get(VERSIONS) or {}, versions()
    return sorted(name for name in noted if noted[name] != current.get(name))


def begin_or_resume(
    path: Path, side: Path, made_by: Mapping[str, Any], *, resume: bool, on_notice: Callable[[str], None], head: str = ""
) -> bool:
    """Begin a file of lines, or make an earlier run's ready to be gone on with.

    Args:
        path, side: the lines, and the file that says what made them.
        made_by: every parameter that decides a line; the side file names the versions of packages, too, which may change.
        resume: go on with what is there; where there is nothing yet, begin.
        on_notice: told, in a sentence, where versions have changed.
        head: the first line of a new file, newline included.

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
    changed = changed_since(made, made_by, begun=repr(str(path)), otherwise=": use the same, or another --out.")
    if changed:
        on_notice(
            f"{path.name} was begun with another version of {', '.join(changed)}: its last digits may differ from here on."
        )
    drop_torn_line(path)
    return True


def beside(path: Path) -> Path:
    """Where it stands what made a file of JSON lines."""
    return path.with_name(path.name + ".made.json")


def read_beside(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """What made a file of JSON lines.

    Args:
        path: the lines.
        names: parameters that it must have.

    Raises:
        LabError: where it cannot be read, or lacks one of them.
    """
    side = beside(path)
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
