"""Folders that a verb writes to."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.errors import LabError


def writable_folder(path: Path) -> Path:
    """Make the folder where it is missing, and see that a file can be written there: before the work, not after it.

    Raises:
        LabError: where that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except (FileExistsError, NotADirectoryError) as error:
        raise LabError(f"--out {str(path)!r} is not a folder: name a folder that can be written to.") from error
    except OSError as error:
        raise LabError(f"--out {str(path)!r} cannot be written to ({error.strerror}): name another folder.") from error
