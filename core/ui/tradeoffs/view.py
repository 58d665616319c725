"""The views of the Trade-offs page: one figure each, with what it needs to be chosen, and the tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.evaluation.curve import PublishedCurve, best_steps, by_class, envelope, summarise
from core.evaluation.families import shares_at
from core.evaluation.projection import lower_bounds_of
from core.evaluation.recorded import RecordedEvaluation, classes_of, dataset_of, evaluation_files
from core.evaluation.tables import TextTable, curve_table
from core.figures.curves import Curve, bound_histogram, certified_curves, class_bars, curves_alt, radius_histogram
from core.figures.tradeoff import Spot, sigma_path, tradeoff_alt
from core.plain_text import cells, file_name, plain
from core.report.notation import class_name
from core.smoothing.radius import asked_text, floored
from core.ui.figure import draw_figure, offer_file, zipped
from core.ui.linked import linked_choice, linked_switch
from core.ui.tradeoffs.images import draw_images_behind, take_click
from core.ui.tradeoffs.logs import PROSE, Chosen

CURVES = "tradeoffs-curves"
MOST_FINE = 12
"""So many curves are drawn at 300 points; more of them at fewer, so that the page stays quick."""
MOST_SPREAD = 6
MOST_ROWS = 16


def draw_curves(chosen: Chosen, published: Sequence[PublishedCurve], radii: Sequence[float]) -> None:
    """Certified accuracy against radius, the table, and the images behind a point."""
    if any(len(logs) > 1 for logs in chosen.alike.values()):
        best_only = linked_switch("Only the best sigma at each radius", True, "best", help=PROSE["best"])
    else:
        best_only = False
    curves = _curves(chosen, best_only)
    figure, alt = certified_curves(curves, published), curves_alt(curves, published, radii)
    draw_figure(figure, CURVES, alt, "certified-accuracy", on_select=take_click(CURVES))
    _say_sources(published)
    _draw_table(chosen, radii)
    draw_settings(chosen)
    draw_images_behind(chosen)


def _curves(chosen: Chosen, best_only: bool) -> list[Curve]:
    most = 300 if len(chosen.logs) <= MOST_FINE else 100
    curves = []
    for group, logs in chosen.alike.items():
        outcomes = {key: log.outcomes for key, log in logs.items()}
        if best_only and len(logs) > 1:
            curves.append(Curve(f"{group}, best sigma", group, 0, best_steps(outcomes, most)))
            continue
        curves += [
            Curve(chosen.titles[key], group, rank, best_steps({key: one}, most))
            for rank, (key, one) in enumerate(outcomes.items())
        ]
    return curves


def _say_sources(published: Sequence[PublishedCurve]) -> None:
    if not published:
        return
    with st.expander("Where the published figures come from", icon=":material/menu_book:"):
        for curve in published:
            network = f", {curve.network}" if curve.network else ""
            images = f", {curve.images} images" if curve.images else ""
            name, text, how = plain(curve.name), plain(curve.source.text), plain(curve.how)
            st.markdown(PROSE["source"].format(curve=curve, name=name, text=text, how=how, network=network, images=images))
        st.caption(PROSE["sources"])


def _draw_table(chosen: Chosen, radii: Sequence[float]) -> None:
    summaries = {
        chosen.titles[key]: summarise(log.outcomes, radii, ceiling=log.made_by.ceiling) for key, log in chosen.logs.items()
    }
    sigmas = {chosen.titles[key]: log.made_by.sigma for key, log in chosen.logs.items()}
    best = {
        f"{group}, best sigma": envelope({chosen.titles[key]: log for key, log in logs.items()}, radii)
        for group, logs in chosen.alike.items()
        if len(logs) > 1
    }
    table = curve_table(summaries, radii, best, sigmas)
    st.dataframe(
        pd.DataFrame(cells(dict(zip(table.head, row, strict=True)) for row in table.rows)),
        hide_index=True,
        key="tradeoffs-table",
        height="content" if len(table.rows) <= MOST_ROWS else "auto",
        alt=f"Certified accuracy of {len(summaries)} logs at {len(radii)} radii.",
    )
    st.caption(table.caption + " ACR is the mean of radius times right.")
    draw_exports(table, chosen)
    beyond = [r for r in radii if not any(log.made_by.allows(r) for log in chosen.logs.values())]
    if beyond:
        st.info(PROSE["beyond"].format(radii=", ".join(map(asked_text, beyond))), icon=":material/vertical_align_top:")


def draw_path(chosen: Chosen, radius: float) -> None:
    """Accuracy against robustness, sigma as the path."""
    spots = [spot_of(chosen, key, radius, shares_at(log, radius)[0]) for key, log in chosen.logs.items()]
    draw_figure(sigma_path(spots, radius), "tradeoffs-path", tradeoff_alt(spots, "right", "certified"), "accuracy-robustness")
    st.caption(PROSE["path"])


def spot_of(chosen: Chosen, key: str, radius: float, x: float) -> Spot:
    """An evaluation as a mark: ``x`` as given, certified accuracy at the radius as y."""
    log = chosen.logs[key]
    sigma = log.made_by.sigma
    _, y, low, high = shares_at(log, radius)
    return Spot(
        name=chosen.titles[key],
        label="" if sigma is None else f"sigma {sigma:g}",
        key=key,
        group=chosen.group_of[key],
        order=sigma or 0.0,
        x=x,
        y=y,
        y_low=low,
        y_high=high,
    )


def draw_spread(chosen: Chosen) -> None:
    """How radii and bounds are spread."""
    logs = dict(list(chosen.logs.items())[:MOST_SPREAD])
    if len(logs) < len(chosen.logs):
        st.caption(f"The first {MOST_SPREAD} of {len(chosen.logs)} logs; choose fewer above to see others.")
    outcomes = {chosen.titles[key]: log.outcomes for key, log in logs.items()}
    ceilings = {chosen.titles[key]: log.made_by.ceiling for key, log in logs.items()}
    alt = "Histogram of radii of right answers: " + "; ".join(
        f"{name}, median {floored(float(np.median(o.radius[o.right])) if o.right.any() else 0.0, '.2f')}"
        for name, o in outcomes.items()
    )
    draw_figure(radius_histogram(outcomes, ceilings=ceilings), "tradeoffs-radii", f"{alt}.", "radii")
    bounds = {chosen.titles[key]: lower_bounds_of(log) for key, log in logs.items()}
    bounds = {name: p for name, p in bounds.items() if np.isfinite(p).any()}
    if not bounds:
        st.info(PROSE["no-bounds"], icon=":material/info:")
        return
    medians = "; ".join(f"{name}, median {np.nanmedian(p):.3f}" for name, p in bounds.items())
    draw_figure(bound_histogram(bounds), "tradeoffs-bounds", f"Histogram of lower bounds on p: {medians}.", "bounds")
    st.caption(PROSE["bounds"])


def draw_classes(chosen: Chosen, radius: float) -> None:
    """Right and certified by true class, of one log."""
    keys = list(chosen.logs)
    key = linked_choice("Log", chosen.titles, keys[0], "class-log")
    log = chosen.logs[key]
    words = classes_of(dataset_of(log))

    shares = [(class_name(label, words), summary) for label, summary in by_class(log.outcomes, [radius]).items()]
    if len(shares) > 40:
        st.info(f"{len(shares)} classes are too many for bars: the 40 with most images are shown.", icon=":material/info:")
        shares = sorted(shares, key=lambda share: -share[1].images)[:40]
    parts = ", ".join(f"{name} {summary.certified[radius]:.0%}" for name, summary in shares[:12])
    alt = f"Bars by class, certified at {asked_text(radius)}: {parts}."
    draw_figure(class_bars(shares, radius), "tradeoffs-classes", alt, "classes")
    st.caption("With so few images a class, look at the intervals before you compare.")


def draw_settings(chosen: Chosen) -> None:
    """A table of settings, folded away, and a sentence where images, n or alpha differ."""
    logs = list(chosen.logs.values())
    if len({frozenset(log.outcomes.idx.tolist()) for log in logs}) > 1:
        st.caption(PROSE["other-images"])
    if len({(log.made_by.n, log.made_by.alpha) for log in logs}) > 1:
        st.caption(PROSE["other-alpha"])
    with st.expander("What these logs were made with", icon=":material/receipt_long:"):
        rows = [{"log": chosen.titles[key], **_settings(log)} for key, log in chosen.logs.items()]
        st.dataframe(pd.DataFrame(cells(rows)), hide_index=True, key="tradeoffs-settings", alt="Settings of each log.")
        st.caption(PROSE["settings"])


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


def draw_exports(table: TextTable, chosen: Chosen) -> None:
    """Buttons for the table in three formats, and for the logs in one archive."""
    formats = (("CSV", "csv", table.as_csv), ("Markdown", "md", table.as_markdown), ("LaTeX", "tex", table.as_latex))
    with st.container(horizontal=True):
        for label, ending, text in formats:
            offer_file(f"Table as {label}", text, f"certified-accuracy.{ending}", f"tradeoffs-{ending}")
        help = "All logs that are compared, each with what made it and the votes where kept."
        icon = ":material/folder_zip:"
        offer_file("Logs", lambda: logs_archive(chosen), "logs.zip", "tradeoffs-logs", icon=icon, help=help)


def logs_archive(chosen: Chosen) -> bytes:
    """The compared logs as a ZIP archive: the log, what made it, and the votes."""
    files: dict[str, bytes] = {}
    for key, log in chosen.logs.items():
        stem = file_name(key, "log")
        if f"{stem}.tsv" in files:  # two keys that are one name
            stem = f"{stem}-{len(files)}"
        files |= evaluation_files(stem, log.outcomes.lines(), log.made_by.document, log.votes.values())
    return zipped(files)
