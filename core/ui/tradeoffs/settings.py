"""What the compared logs were made with, and where they cannot be compared like with like."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from core.evaluation.recorded import RecordedEvaluation
from core.ui.tradeoffs.logs import Chosen


def draw_settings(chosen: Chosen) -> None:
    """A table of settings, folded away, and a sentence where images, n or alpha differ."""
    logs = list(chosen.logs.values())
    if len({frozenset(log.outcomes.idx.tolist()) for log in logs}) > 1:
        st.caption("The logs hold different images, so their differences are not those of the models alone.")
    if len({(log.made_by.n, log.made_by.alpha) for log in logs}) > 1:
        st.caption("The logs differ in n or alpha, or do not all say theirs: more samples alone give larger radii.")
    with st.expander("What these logs were made with", icon=":material/receipt_long:"):
        rows = [{"log": chosen.titles[key], **_settings(log)} for key, log in chosen.logs.items()]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="tradeoffs-settings", alt="Settings of each log.")
        st.caption("As the file beside each log says; empty where it does not, or where there is none.")


def _settings(log: RecordedEvaluation) -> dict[str, Any]:
    """One row: text throughout, since a column may be empty for some logs."""
    made, document = log.made_by, log.made_by.document or {}
    known = {
        "sigma": made.sigma,
        "n0": made.n0,
        "n": made.n,
        "alpha": made.alpha,
        "bound": made.method if document else None,
        "classifier": made.classifier,
        "denoiser": made.denoiser,
        "data set": made.dataset,
        "split": made.split,
        "every": document.get("every"),
        "seed": document.get("seed"),
        "device": made.device,
        "votes kept": "yes" if log.votes else "no",
    }
    return {
        name: "" if value is None else f"{value:g}" if isinstance(value, float) else str(value) for name, value in known.items()
    }
