"""Choosing classifier and denoiser: bundled ones, any that this session brought from the Hub, and finding those."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core.errors import LabError
from core.models.catalogue import Entry, catalogue, classifiers, denoisers, usual_denoiser
from core.models.formats.packaged import PACKAGED
from core.models.hub.access import is_offline
from core.models.hub.cached import cached, delete_cached
from core.models.hub.search import Details, Found, curated, details, search
from core.models.labels import NAME_LISTS
from core.models.load import sigma_warning
from core.models.references import KINDS, bundled_names, parse_reference, trained_folder
from core.plain_text import cells, named, plain
from core.training.trained import OWNER, trained_models
from core.ui.jobs.session import models
from core.ui.linked import SHARED, key_for, linked_choice
from core.ui.login import visitor
from core.ui.sentences import errors_shown, show_error

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
        return folder.parent == trained_folder().resolve() and folder.is_dir() and not _is_kept_for_others(folder)
    if parsed.kind == "trained":
        return any(model.ref == reference for model in trained_models(visitor()))
    if parsed.kind in ("bundled", "package"):  # the others of them are choices anyway
        return parsed.precision is not None and parsed.name in (*bundled_names(), *PACKAGED)
    return parsed.kind in ("hub", "torchvision")


def brought(kind: str) -> list[str]:
    """References that this session chose beside the bundled ones, denoisers trained here, and the operator's local models."""
    trained = {model.name: model.ref for model in trained_models(visitor())}
    folders = sorted(trained_folder().iterdir()) if trained_folder().is_dir() else []
    own = [
        f"local/{path}"
        for path in folders
        if path.is_dir() and path.name not in trained and path.name[:1] != "." and not _is_kept_for_others(path)
    ]
    chosen = st.session_state.get(f"brought-{kind}", [])
    there = [ref for ref in chosen if not ref.startswith("trained/") or ref in trained.values()]  # else deleted since
    return list(dict.fromkeys([*there, *(trained.values() if kind == "denoiser" else ()), *own]))


def _is_kept_for_others(folder: Path) -> bool:
    """Whether it is no model of the operator's, but one trained here, which only its maker's menus may hold."""
    return not visitor().operates and (folder / OWNER).exists()


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
    if classifier.startswith(("bundled/", "package/")):
        return None
    titles = {"own": "what suits the model"} | {side: f"{side} x {side} pixels" for side in SIZES}
    chosen = linked_choice("Size for noise and certificate", titles, "own", "size", help=SHARED["size"])
    return None if chosen == "own" else int(chosen)


def warn_about_sigma(denoiser: str, sigma: float, classifier: str | None = None) -> None:
    """Say where sigma is outside what the denoiser, or without one the classifier, was trained for."""
    known = {entry.ref: entry for entry in catalogue()}
    warning = sigma_warning(None if denoiser == "none" else known.get(denoiser, denoiser), sigma, known.get(classifier or ""))
    if warning:
        st.warning(plain(warning), icon=":material/warning:")


def model_title(reference: str) -> str:
    """What to call a model: the title of a bundled one, the name of what was trained here, else its reference."""
    known = {entry.ref: entry.title for entry in catalogue()}
    kind, _, name = reference.partition("/")
    return known.get(reference) or (f"{name} (trained here)" if kind == "trained" else reference)


def _denoiser_title(entry: Entry, classifier: str) -> str:
    # One trained for its own sake (MSE) names a classifier too: the one it was measured with.
    trained_for = entry.card.get("classifier") if entry.card.get("objective") == "stab" else None
    return entry.title if trained_for in (None, classifier) else f"{entry.title} (trained for another classifier)"


TASKS = {"classifier": "image-classification", "denoiser": "denoiser"}
MOST_FOUND = 30


def draw_find_button(kind: str, classifier: str | None = None) -> None:
    """A small button beside the menu that opens the browser."""
    if st.button("More from the Hub…", icon=":material/travel_explore:", key=f"find-{kind}", type="tertiary"):
        _browse(kind, classifier)


@st.dialog("Models", width="large")
def _browse(kind: str, classifier: str | None) -> None:
    st.markdown(SHARED["browse"].format(kind=kind))
    if is_offline():
        st.info(SHARED["offline"], icon=":material/cloud_off:")
    parts = {"Known good": _draw_known, "Search": _draw_search, "By name": _draw_by_name, "On this machine": _draw_cached}
    for tab, draw in zip(st.tabs(list(parts)), parts.values(), strict=True):
        with tab:
            draw(kind, classifier)


def _draw_known(kind: str, classifier: str | None) -> None:
    entries = curated(kind)
    rows = [{"name": e.ref.removeprefix("hub/"), "trained on": e.data, "": e.remark} for e in entries]
    chosen = _choose_row(rows, f"known-{kind}")
    if chosen is None:
        st.caption("Tick a line to see what it takes.")
    else:
        _draw_details(entries[chosen].ref, kind, classifier, "known")


def _draw_search(kind: str, classifier: str | None) -> None:
    with st.form(f"search-form-{kind}", border=False):
        text = st.text_input("Search", key=f"search-text-{kind}", placeholder="cifar10, imagenet, resnet …")
        only = st.toggle("Only what the Lab can load", True, key=f"search-only-{kind}")
        asked = st.form_submit_button("Search", icon=":material/search:")
    slot = f"search-found-{kind}"
    if asked:
        st.session_state.pop(slot, None)
        with errors_shown(), st.spinner("Asking the Hub…"):
            st.session_state[slot] = search(text.strip()[:100], TASKS[kind], limit=MOST_FOUND, only_loadable=only)
    found: list[Found] | None = st.session_state.get(slot)
    if found is None:
        return
    if not found:
        st.info(SHARED["nothing-found"], icon=":material/search_off:")
        return
    may = {True: "yes", False: "no", None: "perhaps"}
    rows: list[dict[str, object]] = [
        {"name": f.name, "downloads": f.downloads, "likes": f.likes, "licence": f.license}
        | {"MB": None if f.bytes is None else round(f.bytes / 1e6, 1), "loadable": may[f.loadable], "": f.reason}
        for f in found
    ]
    chosen = _choose_row(rows, f"search-table-{kind}")
    if chosen is not None:
        _draw_details(found[chosen].ref, kind, classifier, "search")


@errors_shown()
def _draw_by_name(kind: str, classifier: str | None) -> None:
    example = "hub/timm/resnet18.a1_in1k or torchvision/resnet18" if kind == "classifier" else "hub/google/ddpm-cifar10-32"
    text = st.text_input("Reference", key=f"named-{kind}", placeholder=example, max_chars=200).strip()
    if not text:
        st.caption(SHARED["reference"])
        return
    if text.count("/") == 1 and not text.startswith(tuple(f"{known}/" for known in KINDS)):
        text = f"hub/{text}"  # OWNER/NAME, as the Hub's own pages have it
    parsed = parse_reference(text)
    if not may_be_linked(text):
        show_error("Here only models of the Hub and of torchvision can be named.")
    elif parsed.kind == "hub":
        _draw_details(text, kind, classifier, "named")
    else:
        _draw_use(text, kind, classifier, "named")


def _draw_cached(kind: str, classifier: str | None) -> None:
    repositories = cached()
    if not repositories:
        st.caption("Nothing has been downloaded from the Hub yet.")
        return
    total = sum(r.bytes for r in repositories)
    st.caption(f"{len(repositories)} repositories, {total / 1e6:,.0f} MB in all.")
    rows = [{"name": r.name, "MB": round(r.bytes / 1e6, 1), "commits": len(r.revisions)} for r in repositories]
    chosen = _choose_row(rows, f"cached-{kind}")
    if chosen is None:
        return
    repository = repositories[chosen]
    _draw_details(f"hub/{repository.name}", kind, classifier, "cached")
    if not visitor().operates:
        return  # all share what was downloaded, so it is not one visitor's to delete
    label = f"Delete from this machine ({repository.bytes / 1e6:,.0f} MB)"
    if st.button(label, icon=":material/delete:", key=f"delete-{kind}"):
        models().forget(f"hub/{repository.name}")
        with errors_shown():
            freed = delete_cached(repository.name)
            st.toast(f"{plain(repository.name)} was deleted: {freed / 1e6:,.0f} MB are free again.")
            st.rerun(scope="fragment")


@st.cache_data(ttl=300, max_entries=64, show_spinner="Looking at the repository…")
def _look(reference: str, kind: str) -> Details:
    return details(reference, kind)


@errors_shown()
def _draw_details(reference: str, kind: str, classifier: str | None, where: str) -> None:
    found = _look(reference, kind)
    repository = found.repository
    facts = [
        f"**{plain(repository.name)}** at commit `{repository.commit[:12]}`",
        f"licence {plain(repository.license or 'not stated')}",
        f"{found.bytes / 1e6:,.1f} MB to download" if found.needed else "",
        "gated: ask for access on its page, and set HF_TOKEN" if repository.gated else "",
    ]
    st.markdown(" · ".join(fact for fact in facts if fact))
    if found.labels:
        some = plain(", ".join(map(named, found.labels[:8])))
        st.caption(f"{len(found.labels)} classes: {some}{', …' if len(found.labels) > 8 else ''}")
    if found.needed:
        st.caption(plain("Files: " + ", ".join(found.needed)))
    for note in repository.notes:
        st.info(plain(note), icon=":material/info:")
    if found.problem:
        show_error(found.problem)
    else:
        _draw_use(reference, kind, classifier, where, named=bool(found.labels))


def _draw_use(reference: str, kind: str, classifier: str | None, where: str, *, named: bool = False) -> None:
    if kind == "classifier" and not named and parse_reference(reference).names is None:
        titles = {"": "its own, or their numbers"} | {
            data: f"{title}'s {count:,}" for data, (title, count) in NAME_LISTS.items()
        }
        help = "Where the model's files name no classes the Lab does not guess: say here what you know of them."
        if said := st.selectbox(
            "Names of its classes", titles, format_func=titles.__getitem__, key=f"names-{where}", help=help
        ):
            reference = f"{reference}:{said}"
    use = partial(bring, kind, reference, classifier)
    if st.button("Use it", type="primary", icon=":material/check:", key=f"use-{where}-{kind}", on_click=use):
        st.rerun()
    st.caption(SHARED["use"])


def _choose_row(rows: Sequence[Mapping[str, object]], key: str) -> int | None:
    """The row of a table that is ticked; of a shorter table it may be gone."""
    shown = cells(rows)
    picked = st.dataframe(shown, hide_index=True, width="stretch", on_select="rerun", selection_mode="single-row", key=key)
    chosen = picked.selection.rows
    return chosen[0] if chosen and chosen[0] < len(rows) else None
