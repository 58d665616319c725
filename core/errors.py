"""The one exception a user is meant to read, and the clause that others leave in it."""


class LabError(ValueError):
    """A user's mistake or a limit reached: one sentence saying what is wrong, what was expected, what to do.

    The command line prints it on one line and exits with code 2; the pages show it in a box. Anything else that is
    raised is a fault of the program and keeps its traceback.
    """


def first_line(error: BaseException, longest: int = 200) -> str:
    """What an exception says, cut down to a clause for a sentence: its first line, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:longest]
