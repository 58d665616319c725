"""Drawing a study: under way, and finished."""

from __future__ import annotations

import streamlit as st

from core.figures.radius import growth, growth_alt, radius_bar
from core.figures.votes import icon_array, vote_bars, votes_alt
from core.pictures.pixels import to_pixels
from core.report import words
from core.report.export import python_snippet, to_csv, to_json
from core.report.notation import class_colours, class_name, radius_text
from core.report.page import html_report
from core.smoothing.certify import Progress
from core.studies.records import Study, StudyProgress
from core.ui.attack.at_radius import draw_meaning
from core.ui.certify.certificate import draw_both_ways, draw_formula, draw_headline, draw_radii
from core.ui.certify.neighbour_view import draw_neighbour
from core.ui.figure import FigureSheet
from core.ui.jobs.follow import draw_stop, draw_waiting
from core.ui.jobs.queue import Job
from core.ui.plain_text import plain
from core.ui.strip import CHART, draw_strip


def draw_running(job: Job, sigma: float) -> None:
    """Progress, time left, a Stop button, and the certificate as it grows."""
    progress = job.progress
    labels = progress.labels if isinstance(progress, StudyProgress) else None
    if not isinstance(progress, StudyProgress):
        draw_waiting(job)
    else:
        now = progress.now
        part = "without the denoiser" if progress.part == "without" else "certifying"
        about = "at most" if now.until_radius is not None else "about"
        left = "" if now.seconds < 0.3 else f" · {about} {max(0, now.seconds_left):.0f} s left"
        st.progress(now.done / now.total, text=f"{part}: {now.done:,} of {now.total:,} samples{left}")
        question = _question(now)
        if question:
            st.caption(question)
    draw_stop(job, "Keeps what is valid so far.")
    if isinstance(progress, StudyProgress):
        draw_strip(progress.views, labels, sigma, f"live-{job.id}")
        left_column, right_column = st.columns(2)
        if progress.now.counts:
            title = "Votes without the denoiser" if progress.part == "without" else "Votes of the noisy copies"
            left_column.plotly_chart(
                vote_bars(progress.now.counts, labels, title),
                config=CHART,
                key=f"live-votes-{job.id}",
                alt=votes_alt(progress.now.counts, labels),
            )
        if progress.points:
            right_column.plotly_chart(
                growth(progress.points, progress.now.until_radius),
                config=CHART,
                key=f"live-growth-{job.id}",
                alt=growth_alt(progress.points),
            )


def _question(now: Progress) -> str:
    """How far the question is settled, where a radius is to be."""
    if now.until_radius is None or now.radius_possible is None:
        return ""
    return (
        f"Radius {radius_text(now.until_radius)} asked for: {radius_text(now.radius)} is certified by now, and"
        f" endless sampling would certify {radius_text(now.radius_possible)} at most."
    )


def draw_study(result: Study, picture_name: str, key: str) -> None:
    """Everything about a finished study."""
    certificate, labels = result.certificate, result.certificate.labels
    draw_headline(certificate, key)
    for note in result.notes:
        st.caption(f":material/info: {note}")
    draw_strip(result.views, labels, certificate.sigma, key)
    sheet = FigureSheet(key, "certificate")
    other = None if result.without is None else words.named_radius("no denoiser", result.without)
    sheet.draw(
        radius_bar(words.named_radius("certified", certificate), certificate.radius_ceiling, other, certificate.norm),
        f"radius-{key}",
        f"Certified radius {radius_text(certificate.radius)} of at most"
        f" {radius_text(certificate.radius_ceiling)}"
        + (f"; without the denoiser {radius_text(result.without.radius)}." if result.without else "."),
        "radius",
    )
    colours = class_colours(_counts_of_both(result))
    left, right = st.columns(2)
    with left:
        sheet.draw(
            icon_array(certificate.counts, labels, colours),
            f"icons-{key}",
            f"One hundred icons in the shares of the vote. {votes_alt(certificate.counts, labels)}",
            "icons",
        )
    with right:
        sheet.draw(
            vote_bars(certificate.counts, labels, colours=colours),
            f"votes-{key}",
            votes_alt(certificate.counts, labels),
            "votes",
        )
        if result.points:
            sheet.draw(growth(result.points, certificate.until_radius), f"growth-{key}", growth_alt(result.points), "growth")
    draw_comparison(result, key, sheet)
    draw_ball(result, key)
    draw_radii(certificate, key, sheet)
    sheet.offer()
    draw_formula(certificate)
    draw_both_ways(certificate)
    draw_downloads(result, picture_name, key)


def _counts_of_both(result: Study) -> list[int]:
    """Votes with and without the denoiser together: a class then has one colour in all figures of a study."""
    if result.without is None:
        return list(result.certificate.counts)
    return [a + b for a, b in zip(result.certificate.counts, result.without.counts, strict=True)]


def draw_comparison(result: Study, key: str, sheet: FigureSheet) -> None:
    """The same noise with and without the denoiser, side by side."""
    if result.without is None:
        return
    st.subheader("With and without the denoiser")
    colours = class_colours(_counts_of_both(result))
    for column, title, certificate in zip(
        st.columns(2), ("With", "Without"), (result.certificate, result.without), strict=True
    ):
        with column:
            sheet.draw(
                vote_bars(certificate.counts, certificate.labels, f"{title} denoiser", colours),
                f"{title}-{key}",
                f"{title} the denoiser. {votes_alt(certificate.counts, certificate.labels)}",
                f"{title.lower()}-denoiser",
            )
            name = plain(class_name(certificate.candidate, certificate.labels))
            verdict = "abstains" if certificate.abstained else f"says {name}, radius {radius_text(certificate.radius)}"
            st.markdown(f"{title} denoiser the smoothed classifier **{verdict}**.")


def draw_ball(result: Study, key: str) -> None:
    """What the radius looks like in this picture."""
    certificate = result.certificate
    if certificate.abstained or "original" not in result.views:
        return
    draw_meaning(to_pixels(result.views["original"].picture), certificate.radius, certificate.norm, key, seed=certificate.seed)
    draw_neighbour(result.views["original"].picture, certificate, key)


def draw_downloads(result: Study, picture_name: str, key: str) -> None:
    """The certificate as a report, JSON, CSV, and Python."""
    stem = picture_name.rpartition(".")[0] or picture_name
    certificate, document = result.certificate, f"{stem}-certificate.json"
    files = (
        ("Report (HTML)", f"{stem}-words.html", html_report(certificate, picture_name, result.views, document), "text/html"),
        ("JSON", document, to_json(certificate), "application/json"),
        ("CSV", f"{stem}-certificate.csv", to_csv([(picture_name, certificate)]), "text/csv"),
        ("Python", f"{stem}-certificate.py", python_snippet(certificate, picture_name), "text/x-python"),
    )
    st.subheader("Take it with you")
    with st.container(horizontal=True):
        for label, name, data, mime in files:
            st.download_button(label, data, name, mime, icon=":material/download:", key=f"{label}-{key}", on_click="ignore")
