"""The files of stored runs: logs that are brought into the store, and those that are taken out of it."""

from dataclasses import replace
from pathlib import Path

from core.evaluation.recorded import RecordedEvaluation, evaluation_files, read_recorded, recorded_from
from core.runs.store import LONGEST_NAME, RunStore


def import_log(store: RunStore, path: Path) -> int:
    """Take a log over, with the .json and the votes beside it where they are there; returns the number of its run.

    Raises:
        LabError: as :func:`core.evaluation.recorded.read_recorded`, or where the store cannot be used; nothing is taken over
            then.
    """
    return import_recorded(store, read_recorded(path))


def import_recorded(store: RunStore, log: RecordedEvaluation) -> int:
    """The same of a log that was read already."""
    images = ((line, log.votes.get(line.idx)) for line in log.outcomes.lines())
    settings = log.made_by.document
    if settings is None:
        settings = {} if log.made_by.sigma is None else {"sigma": log.made_by.sigma}
    return store.take(log.name[:LONGEST_NAME], settings, images)


def export_files(store: RunStore, run: int) -> dict[str, bytes]:
    """The files of a run by their names: the log, what made it, and the votes where they were kept.

    Raises:
        LabError: where there is no such run.
    """
    stored = store.run(run)
    return evaluation_files(file_stem(stored.name), store.lines(run), stored.settings, store.votes(run).values())


def recorded_run(store: RunStore, run: int) -> RecordedEvaluation:
    """A run as the curves and tables take it.

    Raises:
        LabError: where there is no such run, or it has no images yet.
    """
    stored, files = store.run(run), export_files(store, run)
    stem = file_stem(stored.name)
    log = recorded_from(f"{stem}.tsv", files[f"{stem}.tsv"], files.get(f"{stem}.json"), files.get(f"{stem}.votes.jsonl"))
    return replace(log, name=stored.name)


def file_stem(name: str) -> str:
    """A name for files that a run's name makes: no separators, nothing hidden.

    >>> file_stem("../stab 0.25: first try")
    'stab 0.25- first try'
    """
    kept = "".join(sign if sign.isalnum() or sign in " ._-" else "-" for sign in name)
    return kept.strip(" .-")[:100] or "run"
