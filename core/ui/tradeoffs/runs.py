"""The store of runs on a page: the list, one run opened and followed, what can be done with it, and bringing logs in."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import pandas as pd
import streamlit as st

from core.data.local import title_of_data
from core.evaluation.families import denoiser_words
from core.plain_text import cells, file_name, plain
from core.runs.evaluation import MOST_MINUTES
from core.runs.store import LONGEST_NAME, StoredRun, export_files, import_recorded, is_growing
from core.ui.figure import offer_file, zipped
from core.ui.jobs.follow import redrawn, under_way
from core.ui.linked import linked_choice
from core.ui.login import visitor
from core.ui.sentences import attempt, errors_shown, offer_to_delete, offer_to_share, say_done
from core.ui.tradeoffs.evaluating import EVALUATIONS, draw_curve, draw_own_job, draw_resume
from core.ui.tradeoffs.logs import PROSE, compare_run, upload_logs
from core.ui.tradeoffs.run_store import KEY, key_of, run_store, run_titles, stored_runs

MOST_ROWS = 12
_ROUND = "import-round"
_EVERY = 2.0
"""Seconds between two looks at a run that somebody works on."""


_NO_STORE = errors_shown(":material/database_off:")
"""Around what uses the store: where it cannot be used, a sentence says why."""


@_NO_STORE
def draw_runs() -> None:
    """Everything about stored runs."""
    runs = stored_runs()
    say_done()
    if runs:
        _list(runs)
    else:
        st.info(PROSE["no-runs"], icon=":material/inventory_2:")
    job = EVALUATIONS.latest()
    if job is not None and (not job.finished or job.state == "failed"):  # with its button to stop it, or why it failed
        draw_own_job(curve=False)  # the curve stands below, with the run
    if runs:
        keys = [str(run.id) for run in runs]
        titles = run_titles(runs)
        chosen = linked_choice("Run", {number: titles[f"{KEY}{number}"] for number in keys}, keys[0], "run")
        _draw_run(next(run for run in runs if str(run.id) == chosen))
        st.space("small")
    draw_import()


def _list(runs: Sequence[StoredRun]) -> None:
    """The table, kept up to date while somebody works on one of them."""

    def draw() -> None:
        now = stored_runs()
        if [(run.id, run.name, state_of(run)) for run in now] != [(run.id, run.name, state_of(run)) for run in runs]:
            st.rerun()
        _draw_list(now)

    _watch(draw, runs)


def _watch(draw: Callable[[], None], runs: Sequence[StoredRun]) -> None:
    """Draw something of the store, anew while somebody works on one of the runs, or say why it cannot be used."""
    every = _EVERY if _busy() or any(state_of(run) == "running" for run in runs) else None
    redrawn(_NO_STORE(draw), every)


def _draw_list(runs: Sequence[StoredRun]) -> None:
    who = visitor()
    rows = [
        {
            "name": run.name,
            **({} if who.operates else {"whose": _whose(run)}),
            "state": state_of(run),
            "images": f"{run.images:,}" + ("" if run.planned in (None, run.images) else f" of {run.planned:,}"),
            "sigma": f"{run.settings['sigma']:g}" if isinstance(run.settings.get("sigma"), int | float) else "",
            "models": _models(run),
            "data set": title_of_data(run.dataset) if run.dataset else "",
            "begun (UTC)": f"{run.created:%Y-%m-%d %H:%M}",
            "in links": key_of(run),
        }
        for run in runs
    ]
    height: Literal["content", "auto"] = "content" if len(rows) <= MOST_ROWS else "auto"
    alt = f"{len(rows)} stored runs with name, state, images, data set, models, sigma and when each was begun."
    st.dataframe(pd.DataFrame(cells(rows)), hide_index=True, key="runs-table", height=height, alt=alt)


def state_of(run: StoredRun) -> str:
    """``running``, ``finished``, ``stopped`` or ``interrupted``."""
    return "interrupted" if run.interrupted else run.state


def _whose(run: StoredRun) -> str:
    if visitor().owns(run.owner):
        return "yours, shared" if run.shared else "yours"
    return "another visitor's" if run.owner else "the Lab's"


def _models(run: StoredRun) -> str:
    if not run.classifier:
        return ""
    return f"{run.classifier.removeprefix('bundled/')}, {denoiser_words(run.denoiser or 'none')}"


def _busy() -> bool:
    """Whether this session has an evaluation under way, which will begin to work on its run once its models are loaded."""
    return under_way(EVALUATIONS.latest())


def _draw_run(run: StoredRun) -> None:
    st.subheader(plain(run.name))
    _watch(lambda: _draw_opened(run_store().run(run.id)), [run])
    draw_actions(run)


def _draw_opened(run: StoredRun) -> None:
    st.caption(plain(f"{key_of(run)} · {_told(run)}"))
    _say_state(run)
    if run.images:
        draw_curve(run_store().lines(run.id), growing=is_growing(run_store(), run))
    else:
        st.info("No image is finished yet.", icon=":material/hourglass_empty:")


def _told(run: StoredRun) -> str:
    made = run.settings
    models = f"{run.classifier} behind {run.denoiser or 'none'}" if run.classifier else ""
    shown = ("sigma", "n", "alpha", "seed")
    numbers = [f"{name} {made[name]:,g}" for name in shown if isinstance(made.get(name), int | float)]
    told = [title_of_data(run.dataset) if run.dataset else "", models, *numbers, f"begun {run.created:%Y-%m-%d %H:%M} UTC"]
    return " · ".join(part for part in told if part)


def _say_state(run: StoredRun) -> None:
    of = f"{run.images:,} of {run.planned:,} images" if run.planned is not None else f"{run.images:,} images"
    if state_of(run) == "running":
        if not _busy():  # one's own has its bar, with a button to stop it, above
            share = min(1.0, run.images / run.planned) if run.planned else 0.0
            st.progress(share, text=f"Under way, by another session or process: {of}")
        return
    if run.interrupted:
        st.info(f"Interrupted after {of}: whoever worked on it is gone.", icon=":material/power_off:")
    elif run.state == "stopped":
        st.info(f"Stopped after {of}.", icon=":material/pause_circle:")
    if run.may_resume and run.planned is not None and visitor().owns(run.owner):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            span, help = (1, int(MOST_MINUTES)), PROSE["minutes"]
            minutes = st.number_input("Minutes, at most", *span, 10, 5, key="resume-minutes", width=180, help=help)
            draw_resume(run.id, run.planned - run.images, float(minutes), f"run-{run.id}")


def draw_actions(run: StoredRun) -> None:
    """Buttons for one run. What fails is said in a sentence."""
    with st.container(horizontal=True):
        help, off = "Its curve among the others, with every view of this page.", not run.images
        compare, key = partial(compare_run, key_of(run)), f"compare-{run.id}"
        st.button("Compare", type="primary", icon=":material/balance:", key=key, on_click=compare, disabled=off, help=help)
        help = "The log in the field's format, what made it, and the votes where they were kept."
        archive, name, icon = partial(run_archive, run.id), f"{file_name(run.name, 'run')}.zip", ":material/folder_zip:"
        offer_file("Download", archive, name, f"download-{run.id}", icon=icon, help=help)
        who = visitor()
        if not who.owns(run.owner):
            st.caption(f"It is {_whose(run)}: shared to be looked at.", width="content")
            return
        key, store = str(run.id), run_store()
        if not who.operates:
            help = "Not change, resume or delete."
            offer_to_share("Others may look", run.shared, key, lambda shared: store.share(run.id, shared), help=help)
        with st.popover("Rename", icon=":material/edit:", key=f"renaming-{run.id}"):
            name = st.text_input("Name", run.name, max_chars=LONGEST_NAME, key=f"name-{run.id}-{run.name}")
            if st.button("Rename", icon=":material/check:", key=f"rename-{run.id}", disabled=name.strip() == run.name):
                attempt(lambda: store.rename(run.id, name), "Renamed.")
        fate = f"and its {run.images:,} images will be gone for good."
        offer_to_delete(run.name, fate, key, lambda: store.delete(run.id))


def run_archive(run: int) -> bytes:
    """The files of a run as a ZIP archive. Raises LabError where there is no such run any more."""
    return zipped(export_files(run_store(), run))


def draw_import() -> None:
    """Bringing logs of one's own into the store."""
    with st.expander("Bring logs into the store", icon=":material/upload_file:"):
        st.markdown(PROSE["import"])
        turn = int(st.session_state.get(_ROUND, 0))  # another key empties the uploader once its files were taken over
        logs = upload_logs(f"import-logs-{turn}")
        label = f"Bring {len(logs)} logs in" if len(logs) > 1 else "Bring it in"
        if logs and st.button(label, icon=":material/download:", key="import"):

            def bring() -> None:
                for log in logs:
                    import_recorded(run_store(), log)
                st.session_state[_ROUND] = turn + 1

            attempt(bring, f"In the store now: {', '.join(log.name for log in logs[:3])}{', …' if len(logs) > 3 else ''}.")
