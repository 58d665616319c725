"""What the Trade-offs page compares: stored logs, runs of the store, the visitor's own; published curves; at which radii."""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, count
from pathlib import Path

import numpy as np
import streamlit as st

from core.errors import LabError
from core.evaluation.curve import PublishedCurve, published_curves
from core.evaluation.families import by_family, family_of, title_of, titles, usual_order
from core.evaluation.log import MOST_LINES
from core.evaluation.recorded import RecordedEvaluation, read_stored, recorded_from
from core.folders import EVALUATIONS
from core.plain_text import named, plain
from core.report.notation import read_numbers
from core.ui.linked import linked_choices, linked_slider
from core.ui.sentences import errors_shown, stored_texts
from core.ui.tradeoffs.run_store import key_of, recorded, run_titles, stored_runs

PROSE = stored_texts("pages/trade-offs")
MOST_LOGS, MOST_MEGABYTES = 60, 20
RUNS = "runs"
"""The runs of the store that are compared, in links and in the session."""
_VOTES = ".votes.jsonl"
USUAL_PUBLISHED = ("cifar10-salman-white-box", "cifar10-salman-black-box", "cifar10-salman-noise-trained")
USUAL_RADII = "0.25, 0.5, 0.75, 1"
MOST_RADII = 12


@dataclass(frozen=True)
class Chosen:
    """The logs to compare and their titles, by the file's name without its ending; ``made_here`` are in the store of runs."""

    logs: Mapping[str, RecordedEvaluation]
    titles: Mapping[str, str]
    made_here: Set[str] = frozenset()

    @cached_property
    def alike(self) -> dict[str, dict[str, RecordedEvaluation]]:
        """Logs of the same models **and** the same images by a title, small sigma first: of such the best sigma can be told.
        The best of logs of different images would often be the one with the fewest, by luck. Runs of the store keep apart from
        other logs, so that whoever compares one sees its own curve."""
        named = titles(self.logs)
        found: dict[str, dict[str, RecordedEvaluation]] = {}
        for family, logs in by_family(self.logs).items():
            parts: dict[tuple[bool, bytes], dict[str, RecordedEvaluation]] = {}
            for key, log in logs.items():
                parts.setdefault((key in self.made_here, np.sort(log.outcomes.idx).tobytes()), {})[key] = log
            both = len({here for here, _ in parts}) > 1
            for (here, _), part in parts.items():
                title = named[family] + (", made here" if here and both else "")
                if sum(other == here for other, _ in parts) > 1:
                    title += f", {len(next(iter(part.values())).outcomes):,} images"
                while title in found:
                    title += ", others"
                found[title] = part
        return found

    @cached_property
    def group_of(self) -> dict[str, str]:
        """By log, the title of those that are like it."""
        return {key: group for group, logs in self.alike.items() for key in logs}


def choose_logs(norm: str = "l2") -> Chosen:
    """The menus of logs and the uploader. What cannot be used is said, a sentence each, and the rest kept."""
    stored = stored_logs()
    names = _titles(stored)
    keys = sorted(stored, key=lambda key: usual_order(stored[key]))
    menu, label = {key: names[key] for key in keys}, "Evaluations that come with the Lab"
    chosen = linked_choices(label, menu, keys, "logs", help=PROSE["logs"], placeholder="None chosen")
    runs = _made_here()
    own = _own_logs({*stored, *runs})
    logs = {key: stored[key] for key in keys if key in chosen} | runs | own
    other = [log.name for log in logs.values() if log.made_by.norm != norm]
    if other:
        told = plain(f"Radii in another norm than {norm} are left out: {', '.join(map(named, other))}.")
        st.warning(told, icon=":material/warning:")
        logs = {key: log for key, log in logs.items() if log.made_by.norm == norm}
    made_here = logs.keys() & runs.keys()
    return Chosen(logs, _titles(logs, made_here), made_here)


def _made_here() -> dict[str, RecordedEvaluation]:
    try:
        runs = {key_of(run): run for run in stored_runs() if run.images}
    except LabError as error:
        st.warning(plain(str(error)), icon=":material/database_off:")
        return {}
    if not runs and RUNS not in st.query_params:
        return {}
    menu, help = run_titles(list(runs.values())), PROSE["made-here"]
    chosen = linked_choices("Evaluations made here", menu, [], RUNS, help=help, placeholder="None chosen")
    found = {}
    for key in chosen:
        with errors_shown():
            found[key] = recorded(runs[key])
    return found


def compare_run(key: str) -> None:
    """Turn the page to the curves, with a run of the store among them. A callback: it runs before the page is drawn anew."""
    st.session_state["view"] = "curve"
    st.session_state[RUNS] = list(dict.fromkeys([*st.session_state.get(RUNS, []), key]))


def stored_logs() -> dict[str, RecordedEvaluation]:
    """The logs that come with the Lab, whichever are there; one that cannot be read is named and left out."""
    found = {}
    for path in sorted(EVALUATIONS.glob("*.tsv")):
        with errors_shown():
            found[path.stem] = read_stored(path)
    return found


# Resources are shared, not copied: nobody writes to a log that was read.
@st.cache_resource(max_entries=160, show_spinner="Reading the logs…")
def read_upload_log(name: str, log: bytes, side: bytes | None, votes: bytes | None) -> RecordedEvaluation:
    """Read an uploaded log once; raises LabError as :func:`core.evaluation.recorded.recorded_from`."""
    return recorded_from(name, log, side, votes)


def _titles(logs: Mapping[str, RecordedEvaluation], runs: Set[str] = frozenset()) -> dict[str, str]:
    """A title each: of a run of the store its name, else its models and sigma."""
    families = titles(logs)
    named = {key: log.name if key in runs else title_of(log, families[family_of(log)]) for key, log in logs.items()}
    several = {title for title in named.values() if list(named.values()).count(title) > 1}
    return {key: f"{title} ({key})" if title in several and title != key else title for key, title in named.items()}


def _own_logs(taken: set[str]) -> dict[str, RecordedEvaluation]:
    with st.expander("Compare your own logs", icon=":material/upload_file:"):
        st.markdown(PROSE["own-logs"])
        found: dict[str, RecordedEvaluation] = {}
        for log in upload_logs("own-logs", PROSE["own-logs-stay"]):
            found[_free(log.name, taken | set(found))] = log
    return found


def upload_logs(key: str, more: str = "") -> list[RecordedEvaluation]:
    """An uploader of logs, ``more`` in its help, and what was read from it; what cannot be used is said, a sentence each."""
    help = f"At most {MOST_LOGS} logs of {MOST_LINES:,} lines and {MOST_MEGABYTES} MB.{more}"
    upload = partial(st.file_uploader, accept_multiple_files=True, max_upload_size=MOST_MEGABYTES, help=help)
    files = upload("Logs, several at once", ["tsv", "txt", "log", "json", "jsonl"], key=key)
    contents = {file.name: file.getvalue() for file in files}
    logs = [name for name in contents if not name.endswith((".json", ".jsonl"))]
    if len(logs) > MOST_LOGS:
        st.warning(f"{len(logs)} logs were given: the first {MOST_LOGS} are taken.", icon=":material/warning:")
    found = []
    for name in logs[:MOST_LOGS]:
        stem = Path(name).stem
        with errors_shown():
            read = read_upload_log(name, contents[name], contents.get(f"{stem}.json"), contents.get(f"{stem}{_VOTES}"))
            for sentence in read.remarks:
                st.info(plain(sentence), icon=":material/info:")
            found.append(read)
    stems = {Path(name).stem for name in logs}
    alone = [n for n in contents if n not in logs and re.sub(r"(\.votes\.jsonl|\.json|\.jsonl)$", "", n) not in stems]
    if alone:
        told = plain(f"No log of the same name came with {', '.join(map(named, alone))}: not used.")
        st.warning(told, icon=":material/warning:")
    return found


def _free(stem: str, taken: set[str]) -> str:
    if stem not in taken:
        return stem
    others = (f"{stem}, yours {number}" for number in count(2))
    return next(name for name in chain([f"{stem}, yours"], others) if name not in taken)


def choose_published(norm: str = "l2") -> list[PublishedCurve]:
    """The menu of published curves."""
    known = {curve.key: curve for curve in published_curves() if curve.norm == norm}
    menu, usual = {key: f"{c.dataset} · {c.name}" for key, c in known.items()}, [key for key in USUAL_PUBLISHED if key in known]
    help = "Figures of the papers, at the radii of their tables. Switch each on or off."
    chosen = linked_choices("Published curves", menu, usual, "published", help=help, placeholder="None shown")
    return [known[key] for key in chosen]


def choose_radius() -> float:
    """The radius at which figures are made."""
    words = "In [0, 1] pixel units, l2. 0: right and not abstained."
    return linked_slider("At radius", (0.0, 3.0), 0.25, "radius", step=0.05, help=words)


def choose_table_radii(key: str = "radii") -> list[float]:
    """The radii of a table, ascending, named ``key`` in links; what is none is named and left out."""
    help = f"Numbers of at least 0, with commas between; at most {MOST_RADII}."
    text = st.text_input("Radii of the table", USUAL_RADII, key=key, bind="query-params", max_chars=200, help=help)
    found, wrong = read_numbers(str(text), lambda radius: 0 <= radius <= 100)
    radii = sorted(set(found))
    if wrong:
        parts = ", ".join(repr(part) for part in wrong[:3])
        st.warning(plain(f"Not a radius: {parts}. Expected numbers from 0 to 100, such as 0.25."), icon=":material/warning:")
    if len(radii) > MOST_RADII:
        st.warning(f"{len(radii)} radii were given: the first {MOST_RADII} are used.", icon=":material/warning:")
    return radii[:MOST_RADII] or read_numbers(USUAL_RADII)[0]
