"""Taking tables and logs of the Trade-offs page along."""

from __future__ import annotations

import io
import json
import zipfile

import streamlit as st

from core.evaluation.log import log_text
from core.evaluation.tables import TextTable
from core.evaluation.votes import votes_text
from core.ui.tradeoffs.logs import Chosen


def draw_exports(table: TextTable, chosen: Chosen, key: str) -> None:
    """Buttons for the table in three formats, and for the logs in one archive."""
    files = (
        ("CSV", "csv", table.as_csv, "text/csv"),
        ("Markdown", "md", table.as_markdown, "text/markdown"),
        ("LaTeX", "tex", table.as_latex, "text/x-tex"),
    )
    with st.container(horizontal=True):
        for label, ending, made, mime in files:
            st.download_button(
                f"Table as {label}",
                made,
                f"certified-accuracy.{ending}",
                mime,
                key=f"{key}-{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
        st.download_button(
            "Logs",
            lambda: logs_archive(chosen),
            "logs.zip",
            "application/zip",
            key=f"{key}-logs",
            on_click="ignore",
            icon=":material/folder_zip:",
            help="All logs that are compared, each with what made it and the votes where kept.",
        )


def logs_archive(chosen: Chosen) -> bytes:
    """The compared logs as a ZIP archive: the log, what made it, and the votes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, log in chosen.logs.items():
            stem = key.replace("/", "-").replace("\\", "-")
            archive.writestr(f"{stem}.tsv", log_text(log.outcomes.lines()))
            if log.made_by.document is not None:
                archive.writestr(f"{stem}.json", json.dumps(log.made_by.document, indent=2) + "\n")
            if log.votes:
                archive.writestr(f"{stem}.votes.jsonl", votes_text(log.votes.values()))
    return file.getvalue()
