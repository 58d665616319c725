"""Where things lie: what comes with the project, what this machine keeps (``LAB_HOME``), and its data sets (``LAB_DATA``)."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project's own folder."""
ASSETS = ROOT / "assets"
EVALUATIONS = ASSETS / "evaluations"


def home_folder() -> Path:
    """What must outlive the program: the folder that ``LAB_HOME`` names, else one of the user's own; it may not exist yet."""
    named = os.environ.get("LAB_HOME")
    return Path(named) if named else Path.home() / ".denoised-smoothing-lab"


def answers_file() -> Path:
    """The file of answers that were paid for."""
    return home_folder() / "answers.sqlite"


def data_folder() -> Path:
    """The folder that ``LAB_DATA`` names; by default ``shared/data`` beside the project."""
    return Path(os.environ.get("LAB_DATA", ROOT.parent / "shared" / "data"))
