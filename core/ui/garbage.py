"""What modules hold is spared by garbage collection, so that a page answers sooner."""

from __future__ import annotations

import gc
import sys

GROWN = 50
"""So many modules more are worth a new look."""

_modules = 0


def spare_modules() -> None:
    """Freeze what is alive, once many modules have been imported since the last time.

    Streamlit collects garbage fully after every run of a page's program, and answers nothing meanwhile. With torch and its
    like imported that takes 0.16 s each time, spent on functions and classes that never go away; frozen, they are passed
    over. Garbage is collected first, and what an earlier freeze caught by chance is let go.
    """
    global _modules
    if len(sys.modules) < _modules + GROWN:
        return
    _modules = len(sys.modules)
    gc.unfreeze()
    gc.collect()
    gc.freeze()
