"""A download from the Hub as the terminal shows it: bytes and time left, and Ctrl-C that stops it at once."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from core.commands.terminal import InterruptFlag, ProgressLine, remark
from core.data.datasets import LabelledImages, load_dataset
from core.models.hub.download import DownloadProgress
from core.report.notation import duration


class Downloading:
    """Within ``with``: hand :meth:`show` and :meth:`is_set` to a loader."""

    def __init__(self) -> None:
        self._line, self._interrupt = ProgressLine(), InterruptFlag()

    def show(self, progress: DownloadProgress) -> None:
        """Show how far it is."""
        left = "" if progress.seconds_left is None else f", {duration(progress.seconds_left)} left"
        self._line.show(f"{progress.name}: {progress.done / 1e6:,.1f} of {progress.total / 1e6:,.1f} MB{left}")

    def is_set(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._interrupt.is_set()

    def __enter__(self) -> Self:
        self._interrupt.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._line.clear()
        self._interrupt.__exit__(kind, error, trace)


def fetched_dataset(reference: str, split: str) -> LabelledImages:
    """A data set by reference; a download from the Hub is shown and can be stopped; pictures left out are told.

    Raises:
        LabError: as :func:`core.data.datasets.load_dataset`.
    """
    with Downloading() as download:
        data = load_dataset(reference, split, on_progress=download.show, should_stop=download.is_set)
    if data.skipped:
        remark(f"{skipped_text(data)}.")
    return data


def skipped_text(data: LabelledImages, most: int = 5) -> str:
    """How many pictures of a data set were left out, which, and why."""
    some, count = "; ".join(data.skipped[:most]), len(data.skipped)
    more = f"; and {count - most:,} more" if count > most else ""
    return f"{count:,} of {count + len(data):,} pictures left out: {some}{more}"
