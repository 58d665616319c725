"""The denoisers that were trained here: using one elsewhere, taking it along, deleting it."""

from __future__ import annotations

import streamlit as st

from core.training.trained import TrainedModel, delete_trained, trained_models, zip_trained
from core.ui.jobs.session import models
from core.ui.linked import key_for
from core.ui.plain_text import attempt, plain, say_done

OBJECTIVES = {"mse": "MSE", "stab": "STAB", "mse-stab": "MSE, then STAB"}


def draw_kept() -> None:
    """All of them, in a list that is folded away."""
    say_done()
    kept = trained_models()
    if not kept:
        return
    st.subheader("Trained here")
    st.caption("Everybody who uses this Lab can choose, download and delete them.")
    for model in kept:
        with st.expander(f"{model.name} · {model.bytes / 2**20:.1f} MB", icon=":material/blur_off:"):
            st.markdown(_told(model))
            draw_model_actions(model.name, str(model.card.get("classifier")), f"kept-{model.name}")


def draw_model_actions(name: str, classifier: str, key: str, *, kept: bool = True, files: bytes | None = None) -> None:
    """Links to the other pages, the download, and Delete.

    Args:
        kept: whether it lies in the Lab's folder.
        files: the zip, where it does not.
    """
    ref = f"trained/{name}"
    with st.container(horizontal=True, vertical_alignment="center"):
        if kept:
            link = {"classifier": classifier, key_for("denoiser", classifier): ref}
            st.page_link("pages/1_Certify.py", label="Certify with it", icon=":material/verified_user:", query_params=link)
        st.download_button(
            "Download",
            files if files is not None else lambda: zip_trained(name),
            f"{name}.zip",
            "application/zip",
            key=f"zip-{key}",
            on_click="ignore",
            icon=":material/folder_zip:",
            help="Weights, config, card and README; unpacked, it is loaded as local/PATH, and can go to the Hub.",
        )
        if kept:
            with st.popover("Delete…", icon=":material/delete:", key=f"deleting-{key}"):
                st.markdown(f"**{plain(name)}** will be gone for good, for everybody.")
                if st.button("Delete for good", icon=":material/delete_forever:", key=f"delete-{key}"):
                    attempt(lambda: _delete(name), f"Deleted: {name}.")


def _delete(name: str) -> None:
    delete_trained(name)
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
