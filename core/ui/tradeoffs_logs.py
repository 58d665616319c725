"""Which logs the Trade-offs page compares: stored ones by link, and the visitor's own from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.errors import LabError
from core.evaluation.families import family_of, title_of, titles, usual_order
from core.evaluation.outcomes import MOST_LINES
from core.evaluation.recorded import RecordedEvaluation, read_recorded, recorded_from
from core.ui.linked_several import linked_choices
from core.ui.plain_text import plain

EVALUATIONS = Path(__file__).resolve().parents[2] / "assets" / "evaluations"
MOST_LOGS, MOST_MEGABYTES = 60, 20
_VOTES = ".votes.jsonl"
_TYPES = ["tsv", "txt", "log", "json", "jsonl"]


@dataclass(frozen=True)
class Chosen:
    """The logs to compare.

    Attributes:
        logs: by key: the file's name without its ending.
        titles: by the same keys.
        stored: keys of those that come with the Lab.
    """

    logs: Mapping[str, RecordedEvaluation]
    titles: Mapping[str, str]
    stored: tuple[str, ...]


def choose_logs(norm: str = "l2") -> Chosen:
    """The menu of stored logs and the uploader. What cannot be used is said, a sentence each, and the rest kept."""
    stored = stored_logs()
    names = _titles(stored)
    keys = sorted(stored, key=lambda key: usual_order(stored[key]))
    chosen = linked_choices(
        "Evaluations that come with the Lab", keys, keys, names.__getitem__, "logs",
        help="CIFAR-10's bundled classifier without a denoiser, and behind each of the bundled ones, which are named after what"
        " they were trained for: MSE (clean pictures) or STAB (the classifier's own answers). σ is the noise.",
        placeholder="None chosen",
    )  # fmt: skip
    own = _own_logs(set(stored))
    logs = {key: stored[key] for key in keys if key in chosen} | own
    other = [log.name for log in logs.values() if log.made_by.norm != norm]
    if other:
        st.warning(plain(f"Radii in another norm than {norm} are left out: {', '.join(other)}."), icon=":material/warning:")
        logs = {key: log for key, log in logs.items() if log.made_by.norm == norm}
    return Chosen(logs, _titles(logs), tuple(key for key in logs if key in stored))


def stored_logs() -> dict[str, RecordedEvaluation]:
    """The logs that come with the Lab, whichever are there; one that cannot be read is named and left out."""
    found = {}
    for path in sorted(EVALUATIONS.glob("*.tsv")):
        try:
            found[path.stem] = _stored(path, *(_modified(p) for p in _files(path)))
        except LabError as error:
            st.error(plain(str(error)), icon=":material/error:")
    return found


def _files(path: Path) -> tuple[Path, ...]:
    return path, path.with_suffix(".json"), path.with_suffix(_VOTES)


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


# Resources are shared, not copied: nobody writes to a log that was read.
@st.cache_resource(max_entries=64, show_spinner=False)
def _stored(path: Path, *modified: float) -> RecordedEvaluation:
    return read_recorded(path)


@st.cache_resource(max_entries=160, show_spinner="Reading the logs…")
def read_upload_log(name: str, log: bytes, side: bytes | None, votes: bytes | None) -> RecordedEvaluation:
    """Read an uploaded log once; raises LabError as :func:`core.evaluation.recorded.recorded_from`."""
    return recorded_from(name, log, side, votes)


def _titles(logs: Mapping[str, RecordedEvaluation]) -> dict[str, str]:
    families = titles(logs)
    named = {key: title_of(log, families[family_of(log)]) for key, log in logs.items()}
    several = {title for title in named.values() if list(named.values()).count(title) > 1}
    return {key: f"{title} ({key})" if title in several and title != key else title for key, title in named.items()}


def _own_logs(taken: set[str]) -> dict[str, RecordedEvaluation]:
    """The visitor's own, by a key that no stored log has."""
    with st.expander("Compare your own logs", icon=":material/upload_file:"):
        st.markdown(
            "Logs of certified images in the field's format (Cohen et al.): tab-separated, first line `idx label predict radius"
            " correct time`. The `.json` and `.votes.jsonl` that `evaluate` writes beside a log may come with it; they say"
            " sigma, n and alpha."
        )
        files = st.file_uploader(
            "Logs, several at once", _TYPES, accept_multiple_files=True, key="own-logs", max_upload_size=MOST_MEGABYTES,
            help=f"At most {MOST_LOGS} logs of {MOST_LINES:,} lines and {MOST_MEGABYTES} MB. They stay on the machine that"
            " runs the Lab, are no part of the link, and are forgotten with this tab.",
        )  # fmt: skip
        contents = {file.name: file.getvalue() for file in files}
        logs = [name for name in contents if not name.endswith((".json", ".jsonl"))]
        if len(logs) > MOST_LOGS:
            st.warning(f"{len(logs)} logs were given: the first {MOST_LOGS} are compared.", icon=":material/warning:")
        found: dict[str, RecordedEvaluation] = {}
        for name in logs[:MOST_LOGS]:
            stem = Path(name).stem
            try:
                read = read_upload_log(name, contents[name], contents.get(f"{stem}.json"), contents.get(f"{stem}{_VOTES}"))
            except LabError as error:
                st.error(plain(str(error)), icon=":material/error:")
                continue
            for sentence in read.remarks:
                st.info(plain(sentence), icon=":material/info:")
            found[_free(stem, taken | set(found))] = read
        stems = {Path(name).stem for name in logs}
        alone = [n for n in contents if n not in logs and re.sub(r"(\.votes\.jsonl|\.json|\.jsonl)$", "", n) not in stems]
        if alone:
            st.warning(plain(f"No log of the same name came with {', '.join(alone)}: not used."), icon=":material/warning:")
    return found


def _free(stem: str, taken: set[str]) -> str:
    if stem not in taken:
        return stem
    own = f"{stem}, yours"
    number = 2
    while own in taken:
        own, number = f"{stem}, yours {number}", number + 1
    return own
