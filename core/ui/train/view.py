"""Drawing a training: progress, curves, pictures getting cleaner, what it is worth; and the denoisers trained here."""

from functools import partial

import streamlit as st
from PIL import Image

from core.figures.training import PHASES, training_alt, training_curves
from core.plain_text import plain
from core.runs.unfinished import Unfinished
from core.training.classroom import TrainedHere, TrainingState
from core.training.loop import TrainingProgress
from core.training.trained import TrainedModel, delete_trained, share_trained, trained_models, zip_trained
from core.training.validation import CertifiedCount
from core.ui.figure import draw_figure, draw_live_figure, enlarged, keyed_columns, offer_file, side_by_side
from core.ui.jobs.follow import draw_stop, draw_waiting
from core.ui.jobs.job import Job
from core.ui.jobs.session import models
from core.ui.linked import key_for
from core.ui.login import visitor
from core.ui.sentences import offer_to_delete, offer_to_share, say_done, show_error
from core.ui.train.controls import PROSE

GAP = 4
OBJECTIVES = {"mse": "MSE", "stab": "STAB", "mse-stab": "MSE, then STAB"}


def draw_training(job: Job) -> None:
    """A training under way: what it does, time left, Stop, and what is there already."""
    state = job.progress
    if not isinstance(state, TrainingState):
        draw_waiting(job)
    elif state.stage == "pictures":
        st.progress(0.0, text="Reading pictures and classifier…")
    elif state.stage in ("before", "after"):
        how = "without a denoiser" if state.stage == "before" else "with the new denoiser"
        st.progress(state.done / max(1, state.total), text=f"Certifying {state.total} pictures {how}: {state.done} done")
    elif state.trained is not None:
        now = state.trained
        share, text = now.seconds / (now.seconds + now.seconds_left), PROSE["step"].format(phase=PHASES[now.phase], now=now)
        st.progress(min(1.0, share), text=text)
    if job.stopping:
        st.caption("Stopping…")
    else:
        draw_stop(job, "Keeps the best denoiser so far; it is not certified then.")
    if isinstance(state, TrainingState):
        _draw_notes(state)
        if state.trained is not None:
            moments, best = state.trained.moments, state.trained.best
            draw_live_figure(training_curves(moments, best), f"curves-{job.id}", training_alt(moments, best))
            _draw_pictures(state, state.trained, finished=False)


def draw_trained(result: TrainedHere, classifier: str, key: str) -> None:
    """A training that ended."""
    state, trained = result.state, result.result
    if result.saved is not None and all(model.name != result.name for model in trained_models(visitor())):
        st.caption(f"{plain(result.name)} was deleted.")
        return
    if result.unsaved:
        show_error(result.unsaved)
    else:
        name, early = plain(result.name), " stopped early;" if trained.stopped else ""
        told = PROSE["kept"].format(name=name, early=early, best=trained.best, by=result.best_by)
        st.success(told, icon=":material/check:")
    if trained.trouble:
        st.warning(plain(trained.trouble), icon=":material/warning:")
    _draw_notes(state)
    if state.before is not None:
        _draw_before_after(state.before, state.after, key)
    _draw_actions(result.name, classifier, key, kept=result.saved is not None, files=result.files)
    if state.trained is not None:
        _draw_pictures(state, state.trained, finished=True)
        moments, best = state.trained.moments, state.trained.best
        draw_figure(training_curves(moments, best), f"curves-{key}", training_alt(moments, best), f"{result.name}-curves")
        agreement = ", ".join(f"{share:.0%} at sigma {s:g}" for s, share in best.measured.agreement.items()) if best else ""
        if agreement:
            st.caption(PROSE["agreement"].format(agreement=agreement))


def _draw_notes(state: TrainingState) -> None:
    for note in state.notes:
        st.info(plain(note), icon=":material/info:")


def _draw_before_after(before: CertifiedCount, after: CertifiedCount | None, key: str) -> None:
    st.markdown(f"**Held-out pictures that are right and certified at l2 {before.radius:g}**")
    left, right = keyed_columns(f"paired-{key}", 2)
    left.metric("Without a denoiser", f"{before.right} of {before.total}", help="Right, and certified at the asked radius.")
    told = "not measured" if after is None else f"{after.right} of {after.total}"
    right.metric("With the new one", told, help="The same pictures and the same noise.")
    counts = {"Without": before} if after is None else {"Without": before, "with": after}
    spans = [f"{name}: {low:.0%} to {high:.0%}" for name, (low, high) in ((n, c.interval) for n, c in counts.items())]
    st.caption(PROSE["before-after"].format(before=before, intervals="; ".join(spans)))


def _draw_pictures(state: TrainingState, progress: TrainingProgress, *, finished: bool) -> None:
    """Rows of pictures: noisy, denoised (at several moments once it has ended), original; all with the same noise."""
    if state.noisy is None or state.clean is None:
        return
    st.markdown(f"**Held-out pictures, noise of sigma {state.shown:g}**")
    earlier = [(f"after {seconds:.0f} s", look) for seconds, look in progress.strips if 0 < seconds < 0.8 * progress.seconds]
    moments = earlier[:: max(1, len(earlier) // 3)][:3] if finished else []
    newest = [] if progress.strip is None else [(f"denoised, {progress.seconds:.0f} s", progress.strip)]
    for title, pictures in [("noisy", state.noisy), *moments, *newest, ("original", state.clean)]:
        row = [enlarged(Image.fromarray(one.permute(1, 2, 0).contiguous().numpy()), 96) for one in pictures]
        with st.container(gap=None):
            st.caption(title)
            st.image(side_by_side(row, GAP), width="stretch", alt=f"{len(pictures)} held-out pictures, {title}.")


def told_of_training(left: Unfinished) -> str:
    """A training that was cut short, in words."""
    asked = left.asked.get("request")
    uploads = isinstance(asked, dict) and asked.get("dataset") == "upload"
    return PROSE["cut-short"].format(name=left.asked.get("name")) + (PROSE["uploads-again"] if uploads else "")


def draw_kept() -> None:
    """All of them, in a list that is folded away."""
    say_done()
    kept, who = trained_models(visitor()), visitor()
    if not kept:
        return
    st.subheader("Trained here")
    st.caption(PROSE["shown" if who.operates else "yours"])
    for model in kept:
        with st.expander(f"{plain(model.name)} · {model.bytes / 2**20:.1f} MB", icon=":material/blur_off:"):
            st.markdown(_told(model))
            _draw_actions(model.name, str(model.card.get("classifier")), f"kept-{model.name}")


def _draw_actions(name: str, classifier: str, key: str, *, kept: bool = True, files: bytes | None = None) -> None:
    """Links to the other pages, the download (``files`` where the Lab's folder does not hold it), and Delete."""
    ref = f"trained/{name}"
    with st.container(horizontal=True, vertical_alignment="center"):
        if kept:
            link = {"classifier": classifier, key_for("denoiser", classifier): ref}
            st.page_link("pages/1_Certify.py", label="Certify with it", icon=":material/verified_user:", query_params=link)
        who, icon = visitor(), ":material/folder_zip:"
        archive = files if files is not None else partial(zip_trained, name, who)
        offer_file("Download", archive, f"{name}.zip", f"zip-{key}", icon=icon, help=PROSE["download"])
        model = next((model for model in trained_models(who) if model.name == name), None) if kept else None
        if model is not None and who.owns(model.owner):
            if not who.operates:
                offer_to_share("Others may choose it", model.shared, key, lambda shared: share_trained(name, shared, who))
            offer_to_delete(name, "will be gone for good, for everybody.", key, lambda: _delete(name))


def _delete(name: str) -> None:
    delete_trained(name, visitor())
    models().forget(f"trained/{name}")


def _told(model: TrainedModel) -> str:
    card = model.card
    low, high = card.get("sigma_range", (0, 1))
    certified = f" Certified: {card['certified_told']}." if card.get("certified_told") else ""
    objective = OBJECTIVES.get(str(card.get("objective")), card.get("objective"))
    return plain(
        f"{objective} before {card.get('classifier')}, on {card.get('data')};"
        f" sigma {low:g} to {high:g}; {card.get('parameters', 0):,} weights, {card.get('minutes')} min.{certified}"
    )
