"""Choosing classifier and denoiser: bundled ones, and any that this session brought from the Hub; the same on every page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import streamlit as st

from core.errors import LabError
from core.models.catalogue import Entry, catalogue, classifiers, denoisers, usual_denoiser
from core.models.load import sigma_warning
from core.models.references import bundled_names, parse_reference, trained_folder
from core.training.trained import trained_models
from core.ui.linked import key_for, linked_choice

SIZES = ("32", "64", "96", "128", "224")


def may_be_linked(reference: str) -> bool:
    """Whether a link may bring this model: anything of the Hub or torchvision, but of this machine's folders only the
    operator's own, since a stranger's link must not make the Lab read arbitrary paths; and what was trained here."""
    try:
        parsed = parse_reference(reference)
    except LabError:
        return False
    if parsed.kind == "local":
        folder = Path(parsed.name).expanduser().resolve()
        return folder.parent == trained_folder().resolve() and folder.is_dir()
    if parsed.kind == "trained":
        return any(model.ref == reference for model in trained_models())
    if parsed.kind == "bundled":  # the others of the bundled models are choices anyway
        return parsed.precision is not None and parsed.name in bundled_names()
    return parsed.kind in ("hub", "torchvision")


def brought(kind: str) -> list[str]:
    """References that this session chose beside the bundled ones, denoisers trained here, and the operator's local models."""
    trained = {model.name: model.ref for model in trained_models()}
    folders = sorted(trained_folder().iterdir()) if trained_folder().is_dir() else []
    own = [f"local/{path}" for path in folders if path.is_dir() and path.name not in trained and path.name[:1] != "."]
    chosen = st.session_state.get(f"brought-{kind}", [])
    there = [ref for ref in chosen if not ref.startswith("trained/") or ref in trained.values()]  # else deleted since
    return list(dict.fromkeys([*there, *(trained.values() if kind == "denoiser" else ()), *own]))


def _remember(kind: str, references: Sequence[str]) -> None:
    st.session_state[f"brought-{kind}"] = list(dict.fromkeys([*st.session_state.get(f"brought-{kind}", []), *references]))


def bring(kind: str, reference: str, classifier: str | None = None) -> None:
    """Add a model to the choices of every page, and choose it. A callback: it runs before the page is drawn anew."""
    _remember(kind, [reference])
    before = classifier or "bundled/cifar10"
    st.session_state["classifier" if kind == "classifier" else key_for("denoiser", before)] = reference
    several = key_for("denoisers", before)  # on the Denoise page up to four stand beside each other
    if kind == "denoiser" and several in st.session_state:
        others = [ref for ref in st.session_state[several] if ref != reference]
        st.session_state[several] = [*others[:3], reference]


def model_options(kind: str, key: str, bundled: Iterable[str]) -> list[str]:
    """The references of a menu: bundled ones, those brought, and those of a link, which are brought to every page with it."""
    known = [*bundled, *brought(kind)]
    new = [ref for ref in st.query_params.get_all(key) if ref not in known and may_be_linked(ref)]
    _remember(kind, new)
    return [*known, *new]


def choose_classifier() -> str:
    """A classifier by reference."""
    titles = {e.ref: e.title for e in classifiers()}
    options = {ref: titles.get(ref, ref) for ref in model_options("classifier", "classifier", titles)}
    return linked_choice("Classifier", options, next(iter(titles)), "classifier")


def choose_denoiser(classifier: str) -> str:
    """A denoiser by reference; those trained for the classifier stand first."""
    titles = {e.ref: _denoiser_title(e, classifier) for e in denoisers(classifier)}
    key = key_for("denoiser", classifier)
    options = {ref: titles.get(ref) or model_title(ref) for ref in model_options("denoiser", key, titles)}
    return linked_choice("Denoiser", options, usual_denoiser(classifier), key)


def choose_size(classifier: str) -> int | None:
    """The side that pictures are brought to before the noise; asked for classifiers that are not bundled only."""
    if classifier.startswith("bundled/"):
        return None
    titles = {"own": "what suits the model"} | {side: f"{side} x {side} pixels" for side in SIZES}
    help = (
        "The picture is brought to this size once, before the noise; the certificate holds there. A model that works at another"
        " size scales inside."
    )
    chosen = linked_choice("Size for noise and certificate", titles, "own", "size", help=help)
    return None if chosen == "own" else int(chosen)


def warn_about_sigma(denoiser: str, sigma: float, classifier: str | None = None) -> None:
    """Say where sigma is outside what the denoiser, or without one the classifier, was trained for."""
    known = {entry.ref: entry for entry in catalogue()}
    warning = sigma_warning(None if denoiser == "none" else known.get(denoiser, denoiser), sigma, known.get(classifier or ""))
    if warning:
        st.warning(warning, icon=":material/warning:")


def model_title(reference: str) -> str:
    """What to call a model: the title of a bundled one, the name of what was trained here, else its reference."""
    known = {entry.ref: entry.title for entry in catalogue()}
    kind, _, name = reference.partition("/")
    return known.get(reference) or (f"{name} (trained here)" if kind == "trained" else reference)


def _denoiser_title(entry: Entry, classifier: str) -> str:
    # One trained for its own sake (MSE) names a classifier too: the one it was measured with.
    trained_for = entry.card.get("classifier") if entry.card.get("objective") == "stab" else None
    return entry.title if trained_for in (None, classifier) else f"{entry.title} (trained for another classifier)"
