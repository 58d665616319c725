"""A session of a page whose process is killed in the midst of its work.

python -m tests.pages.killed_session PAGE BUTTON NAME=VALUE ... presses the button, and says ``under way`` once something of the
work is kept in LAB_HOME. It goes on until it is killed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from core.apis.ledger import ANSWERED, Ledger
from core.folders import answers_file, home_folder
from core.runs.store import RunStore
from core.training import timed

ROOT = Path(__file__).resolve().parents[2]


def images() -> bool:
    """Whether three images of an evaluation are in the store."""
    return any(run.images >= 3 for run in RunStore().runs()) if (home_folder() / "runs.sqlite").exists() else False


def checkpoint() -> bool:
    """Whether a training has written one."""
    return any((home_folder() / "unfinished" / "training").glob("*/checkpoint.pt"))


def answers() -> bool:
    """Whether five answers are kept."""
    if not answers_file().exists():
        return False
    book = Ledger(answers_file())
    kept = [query for run, *_ in book.runs() for query in book.queries(run, "estimate") if query.state == ANSWERED]
    book.close()
    return len(kept) >= 5


KEPT: dict[str, Callable[[], bool]] = {"3_Trade-offs": images, "6_Train": checkpoint, "5_Vision_APIs": answers}


def main(page: str, button: str, *query: str) -> None:
    """Open the page, press the button, and wait to be killed."""
    timed.CHECKPOINT_SECONDS = 0.5
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page(f"pages/{page}.py")
    for pair in query:
        name, _, value = pair.partition("=")
        at.query_params[name] = value
    at.run()
    next(b for b in at.button if b.label == button).click()
    told = False
    while True:
        at.run()
        assert not at.exception, [e.value for e in at.exception]
        assert not at.error, [e.value for e in at.error]
        if not told and KEPT[page]():
            print("under way", flush=True)
            told = True
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
