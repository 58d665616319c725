"""Finding a model on the Hub: known good ones, a search, any by name, and what is on this machine already."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from core.models.hub.access import is_offline
from core.models.hub.cached import cached, delete_cached
from core.models.hub.search import Details, Found, curated, details, search
from core.models.references import parse_reference
from core.ui.jobs.session import models
from core.ui.models.choice import bring, may_be_linked
from core.ui.plain_text import errors_shown, show_error

TASKS = {"classifier": "image-classification", "denoiser": "denoiser"}
MOST_FOUND = 30


def draw_find_button(kind: str, classifier: str | None = None) -> None:
    """A small button beside the menu that opens the browser."""
    if st.button("More from the Hub…", icon=":material/travel_explore:", key=f"find-{kind}", type="tertiary"):
        _browse(kind, classifier)


@st.dialog("Models", width="large")
def _browse(kind: str, classifier: str | None) -> None:
    st.markdown(f"Any pretrained {kind} of the Hugging Face Hub that the Lab can build. Weights are downloaded, never code.")
    if is_offline():
        st.info("Offline (HF_HUB_OFFLINE): only what is on this machine can be used.", icon=":material/cloud_off:")
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
        st.info("Nothing was found: try fewer words, or allow what the Lab cannot load.", icon=":material/search_off:")
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
        st.caption("hub/OWNER/NAME, with @REVISION for a branch, tag or commit; for classifiers also torchvision/ARCH@WEIGHTS.")
        return
    if text.count("/") == 1 and not text.startswith(("torchvision/", "local/", "trained/", "bundled/", "classical/")):
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
    label = f"Delete from this machine ({repository.bytes / 1e6:,.0f} MB)"
    if st.button(label, icon=":material/delete:", key=f"delete-{kind}"):
        models().forget(f"hub/{repository.name}")
        with errors_shown():
            freed = delete_cached(repository.name)
            st.toast(f"{repository.name} was deleted: {freed / 1e6:,.0f} MB are free again.")
            st.rerun(scope="fragment")


@st.cache_data(ttl=300, max_entries=64, show_spinner="Looking at the repository…")
def _look(reference: str, kind: str) -> Details:
    return details(reference, kind)


@errors_shown()
def _draw_details(reference: str, kind: str, classifier: str | None, where: str) -> None:
    found = _look(reference, kind)
    repository = found.repository
    facts = [
        f"**{repository.name}** at commit `{repository.commit[:12]}`",
        f"licence {repository.license or 'not stated'}",
        f"{found.bytes / 1e6:,.1f} MB to download" if found.needed else "",
        "gated: ask for access on its page, and set HF_TOKEN" if repository.gated else "",
    ]
    st.markdown(" · ".join(fact for fact in facts if fact))
    if found.labels:
        some = ", ".join(found.labels[:8])
        st.caption(f"{len(found.labels)} classes: {some}{', …' if len(found.labels) > 8 else ''}")
    if found.needed:
        st.caption("Files: " + ", ".join(found.needed))
    for note in repository.notes:
        st.info(note, icon=":material/info:")
    if found.problem:
        show_error(found.problem)
    else:
        _draw_use(reference, kind, classifier, where)


def _draw_use(reference: str, kind: str, classifier: str | None, where: str) -> None:
    use = partial(bring, kind, reference, classifier)
    if st.button("Use it", type="primary", icon=":material/check:", key=f"use-{where}-{kind}", on_click=use):
        st.rerun()
    st.caption("It is downloaded when it is first used, with progress and a Stop button, and stays on this machine.")


def _choose_row(rows: Sequence[Mapping[str, object]], key: str) -> int | None:
    """The row of a table that is ticked; of a shorter table it may be gone."""
    picked = st.dataframe(rows, hide_index=True, width="stretch", on_select="rerun", selection_mode="single-row", key=key)
    chosen = picked.selection.rows
    return chosen[0] if chosen and chosen[0] < len(rows) else None
