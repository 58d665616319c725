"""Where this machine keeps what must outlive the program: ``LAB_HOME``, by default a folder of the user's own."""

from __future__ import annotations

import os
from pathlib import Path


def home_folder() -> Path:
    """The folder; it may not exist yet."""
    named = os.environ.get("LAB_HOME")
    return Path(named) if named else Path.home() / ".denoised-smoothing-lab"


def answers_file() -> Path:
    """The file of answers that were paid for."""
    return home_folder() / "answers.sqlite"
