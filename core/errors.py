"""The one exception a user is meant to read."""

from __future__ import annotations


class LabError(ValueError):
    """A user's mistake or a limit reached: one sentence saying what is wrong, what was expected, what to do.

    The command line prints it on one line and exits with code 2; the pages show it in a box. Anything else that is
    raised is a fault of the program and keeps its traceback.
    """
