"""Drawing the Vision APIs page: the plan, what is sent, the answers as they come, the certificate and its cost."""

import json

import streamlit as st
from PIL import Image

from core.apis.queries import Plan
from core.apis.study import RemoteRequest, RemoteStudy, RemoteStudyProgress
from core.evaluation.tables import TextTable
from core.figures.certificate import radius_bar, vote_bars, votes_alt
from core.plain_text import named, plain
from core.report import words
from core.report.notation import class_name, duration, radius_text
from core.ui.apis.controls import PROSE
from core.ui.figure import FigureSheet, draw_live_figure, enlarged, keyed_columns, offer_file, without_ending
from core.ui.jobs.follow import draw_stop, draw_waiting
from core.ui.jobs.job import Job


def draw_plan(plan: Plan, request: RemoteRequest, stored: int) -> None:
    """How many queries, at which price, how long, and what they can show at most: before the first one is paid."""
    queries, cost, time, ceiling = keyed_columns("paired-plan", 4)
    queries.metric("Queries at most", f"{plan.queries:,}", help=f"{stored:,} more are answered already and cost nothing.")
    cost.metric("They would cost", f"${plan.dollars:,.2f}", help=f"${request.price:g} each.")
    time.metric("At least", duration(plan.seconds), help=f"At {request.rate:g} queries a second; denoising may take longer.")
    ceiling.metric("Radius ceiling", radius_text(plan.radius_ceiling), help="If every answer were the same.")
    if plan.affordable < plan.queries:
        st.info(PROSE["affordable"].format(plan=plan), icon=":material/savings:")


def draw_preview(pairs: list[tuple[Image.Image, Image.Image]], key: str) -> None:
    """The first noisy copies, and what is sent of each."""
    for number, (column, (noisy, sent)) in enumerate(zip(keyed_columns(f"abreast-{key}", len(pairs)), pairs, strict=True), 1):
        column.image(enlarged(noisy), width="stretch", alt=f"Noisy copy {number}, which stays here.")
        column.image(enlarged(sent), width="stretch", alt=f"Copy {number} denoised, as it is sent to the API.")
    st.caption(PROSE["preview"])


def draw_asking(job: Job) -> None:
    """Answers as they arrive: progress, money, votes, the bound so far, Stop."""
    progress = job.progress
    if not isinstance(progress, RemoteStudyProgress):
        draw_waiting(job, "Loading the denoiser…")
    else:
        now = progress.now
        part = "without the denoiser: " if progress.part == "without" else ""
        left = now.waiting or f"at most {duration(now.seconds_left)} left"
        st.progress(
            min(1.0, now.answered / now.planned),
            text=f"{part}{now.answered:,} of {now.planned:,} answers · ${now.spent:.4f} spent · {plain(left)}",
        )
        if now.latest:
            st.caption(f"The newest answer says **{plain(named(now.latest))}**.")
    draw_stop(job, "Every answer paid for is kept.")
    if isinstance(progress, RemoteStudyProgress):
        votes = progress.now.votes
        shown = votes.counts or votes.chosen_from
        if shown:
            names, counts = tuple(shown), tuple(shown.values())
            title = "Votes so far" if votes.counts else "These choose the class"
            draw_live_figure(vote_bars(counts, names, title), f"asking-{job.id}", votes_alt(counts, names))
        if votes.candidate is not None:
            name, radius = plain(named(votes.candidate)), radius_text(progress.now.radius)
            st.markdown(f"Counting **{name}**: certified radius at least **{radius}** so far.")


def draw_asked(study: RemoteStudy, picture_name: str, key: str) -> None:
    """The certificate, what it cost, and what the API said."""
    sheet = FigureSheet(key, "api-certificate")
    _draw_result(study, key, sheet)
    if study.without is not None:
        st.subheader("With and without the denoiser")
        for column, title, result in zip(st.columns(2), ("With", "Without"), (study.result, study.without), strict=True):
            with column:
                c = result.certificate
                bars, alt = vote_bars(c.counts, c.labels, f"{title} denoiser"), votes_alt(c.counts, c.labels)
                sheet.draw(bars, f"{title}-{key}", f"{title} the denoiser. {alt}", f"{title.lower()}-denoiser")
                name = class_name(c.candidate, c.labels)
                verdict = "abstains" if c.abstained else f"says {plain(name)}, radius {radius_text(c.radius)}"
                st.markdown(f"{title} denoiser the smoothed API **{verdict}**; ${result.spent:.4f}.")
    sheet.offer()
    _draw_downloads(study, picture_name, key)


def _draw_result(study: RemoteStudy, key: str, sheet: FigureSheet) -> None:
    result = study.result
    c = result.certificate
    name = class_name(c.candidate, c.labels)
    answer, radius, votes, money = keyed_columns(f"paired-{key}", [1.4, 1, 1, 1])
    answer.metric("Smoothed API says", "abstains" if c.abstained else plain(name))
    radius.metric("Certified radius (l2)", radius_text(c.radius), help="In [0, 1] pixel units, at the size named below.")
    if c.candidate is not None and c.n:
        votes.metric("Votes", f"{c.counts[c.candidate]:,} / {c.n:,}", help=f"Answers that said {plain(name)}.")
    money.metric("Spent", f"${study.spent:.4f}", help=f"{study.asked:,} queries just now; the rest had been kept.")
    st.markdown(plain(words.headline(c)))
    if result.settled:
        outcome = "is certified" if result.settled == "reached" else "is out of reach, or the API would abstain"
        st.info(PROSE["settled"].format(c=c, outcome=outcome), icon=":material/task_alt:")
    if result.halt is not None:
        st.warning(plain(result.halt.message), icon=":material/pause_circle:")
    for note in result.notes:
        st.info(plain(note), icon=":material/info:")
    left, right = st.columns(2)
    with left:
        alt = f"Certified radius {radius_text(c.radius)} of at most {radius_text(c.radius_ceiling)} with {c.n:,} answers."
        sheet.draw(radius_bar(words.named_radius("certified", c), c.radius_ceiling), f"radius-{key}", alt, "radius")
    with right:
        sheet.draw(vote_bars(c.counts, c.labels), f"votes-{key}", votes_alt(c.counts, c.labels), "votes")
    with st.expander("What it does not say", icon=":material/report:"):
        st.markdown("\n".join(f"{number}. {text}" for number, text in enumerate([*words.caveats(c), PROSE["vendor"]], 1)))


def _draw_downloads(study: RemoteStudy, picture_name: str, key: str) -> None:
    stem, result = without_ending(picture_name), study.result
    document = result.certificate.to_dict() | {
        "api": {"run": result.run, "spent": result.spent, "labels_seen": result.labels_seen, "settled": result.settled}
    }
    labels = TextTable(("label", "times best"), tuple((label, str(times)) for label, times in result.labels_seen.items()))
    with st.container(horizontal=True):
        text = json.dumps(document, indent=2) + "\n"
        offer_file("Certificate (JSON)", text, f"{stem}-api-certificate.json", f"json-{key}")
        offer_file("Labels seen (CSV)", labels.as_csv(), f"{stem}-api-labels.csv", f"csv-{key}")
