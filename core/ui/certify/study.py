"""The study of a picture on the Certify page: started, found, drawn while it is under way and when it has ended."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st
from PIL import Image

from core.device import pick_device
from core.figures.certificate import growth, growth_alt, icon_array, radius_bar, vote_bars, votes_alt
from core.pictures.pixels import to_pixels
from core.plain_text import cells, plain
from core.report import words
from core.report.export import python_snippet, to_csv, to_json
from core.report.notation import class_colours, class_name, norm_name, radius_text
from core.report.page import html_report
from core.smoothing.certificate import Certificate
from core.smoothing.radius import floored, raised
from core.studies.certify import study
from core.studies.records import Study, StudyProgress, StudyRequest, stored_study
from core.ui.attack.at_radius import draw_at_radius, draw_neighbour
from core.ui.certify.certificate import draw_both_ways, draw_formula, draw_headline, draw_radii
from core.ui.certify.controls import PROSE
from core.ui.figure import FigureSheet, draw_live_figure, draw_strip, offer_file, without_ending
from core.ui.frame import note_speed
from core.ui.jobs.follow import draw_stop, draw_waiting
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs, models, picture_key, work_key
from core.ui.linked import drawn_seed
from core.ui.pictures import Choice

STUDIES = SessionJobs("studies")
_LAST, _SENTENCE = "change-last", "change-sentence"


def seeded(choice: Choice, request: StudyRequest, seed: int | None) -> StudyRequest:
    """A request with the seed that is asked for; else that of the stored example that it is but for it; else a drawn one."""

    def with_seed(number: int) -> StudyRequest:
        return replace(request, settings=replace(request.settings, seed=number))

    if seed is not None:
        return with_seed(seed)
    stored = None if choice.sample is None else stored_study(choice.sample)
    if stored is not None and is_stored(choice, own := with_seed(stored[1].settings.seed)):
        return own
    return with_seed(drawn_seed(picture_key(choice.picture.image), request))


def start_study(picture: Image.Image, name: str, request: StudyRequest) -> Job:
    """Queue the study of a picture. Raises LabError where the queue is full."""
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> Study:
        size = None if request.size is None else (request.size, request.size)
        tell, stop = context.report, context.should_stop
        with context.aside():  # a download may take minutes
            classifier = cache.classifier(request.classifier, device, size=size, on_progress=tell, should_stop=stop)
            denoiser = cache.denoiser(request.denoiser, device, on_progress=tell, should_stop=stop)
        return study(picture, classifier, denoiser, request, device=device, report=tell, should_stop=stop)

    return STUDIES.start(work_key(picture, request), f"Certify {name}", work)


def finished_study(choice: Choice, request: StudyRequest, job: Job | None) -> Study | None:
    """The study of a choice, from its job where there is one and it is done, else from the files that come with the Lab."""
    if job is not None:
        return job.result if job.finished and job.state == "done" else None
    stored = None if choice.sample is None else stored_study(choice.sample)
    return stored[0] if stored is not None and stored[1] == request else None


def is_stored(choice: Choice, request: StudyRequest) -> bool:
    """Whether the files that come with the Lab have the study of a choice."""
    return finished_study(choice, request, None) is not None


def draw_shown(result: Study, picture_name: str, key: str, *, stored: bool) -> str | None:
    """The study that is looked at and what changed since the last; returns what a button to compute it anew is called."""
    certificate = result.certificate
    if not stored:
        note_speed(certificate)
    _note_change(certificate)
    draw_study(result, picture_name, key)
    if stored:
        st.caption(PROSE["stored"])
        return "Compute it here"
    return "Run it to the end" if certificate.stopped and certificate.settled is None else None


def _note_change(certificate: Certificate) -> None:
    """Compare with the last certificate that this session was shown, and say what changed until another one is shown."""
    last: Certificate | None = st.session_state.get(_LAST)
    if last is None or last != certificate:
        st.session_state[_SENTENCE] = "" if last is None else words.what_changed(last, certificate)
        st.session_state[_LAST] = certificate
    sentence = st.session_state[_SENTENCE]
    if sentence:
        st.markdown(f":material/compare_arrows: {plain(sentence)}")


def draw_table(choices: Sequence[Choice], requests: Sequence[StudyRequest], jobs: Sequence[Job | None]) -> None:
    """One row a picture with its job, and the finished certificates as CSV."""
    rows, done = [], []
    for number, (choice, request, job) in enumerate(zip(choices, requests, jobs, strict=True), 1):
        result = finished_study(choice, request, job)
        state = "not started" if job is None else job.state
        row: dict[str, object] = {"#": number, "picture": choice.picture.name, "state": state}
        if result is not None:
            c = result.certificate
            done.append((choice.picture.name, c))
            row |= {
                "state": c.settled or ("stopped" if c.stopped else "done"),
                "prediction": "abstains" if c.abstained else class_name(c.prediction, c.labels),
                f"radius ({norm_name(c.norm)})": float(floored(c.radius, ".4g")),
                "p_lower": float(floored(c.p_lower, ".4f")),
                "n": c.n,
            }
        rows.append(row)
    st.dataframe(cells(rows), hide_index=True, width="stretch")
    if done:
        offer_file("All as CSV", to_csv(done), "certificates.csv", "certificates-csv")


def draw_running(job: Job, sigma: float) -> None:
    """Progress, time left, a Stop button, and the certificate as it grows."""
    progress, stop = job.progress, "Keeps what is valid so far."
    if not isinstance(progress, StudyProgress):
        draw_waiting(job)
        draw_stop(job, stop)
        return
    now, points, labels, without = progress.now, progress.points, progress.labels, progress.part == "without"
    about = "at most" if now.until_radius is not None else "about"
    left = "" if now.seconds < 0.3 else f" · {about} {max(0, now.seconds_left):.0f} s left"
    part = "without the denoiser" if without else "certifying"
    st.progress(now.done / now.total, text=f"{part}: {now.done:,} of {now.total:,} samples{left}")
    if now.until_radius is not None and now.radius_possible is not None:
        asked, certified = radius_text(now.until_radius), radius_text(now.radius)
        st.caption(PROSE["asked-radius"].format(asked=asked, now=certified, possible=raised(now.radius_possible, ".3f")))
    draw_stop(job, stop)
    draw_strip(progress.views, labels, sigma, f"live-{job.id}")
    left_column, right_column = st.columns(2)
    if now.counts:
        title = "Votes without the denoiser" if without else "Votes of the noisy copies"
        with left_column:
            draw_live_figure(vote_bars(now.counts, labels, title), f"live-votes-{job.id}", votes_alt(now.counts, labels))
    if points:
        with right_column:
            draw_live_figure(growth(points, now.until_radius), f"live-growth-{job.id}", growth_alt(points))


def draw_study(result: Study, picture_name: str, key: str) -> None:
    """Everything about a finished study."""
    c, without = result.certificate, result.without
    draw_headline(c, key)
    for note in result.notes:
        st.caption(f":material/info: {plain(note)}")
    if result.clean is not None and (sentence := words.clean_answer_text(c, *result.views["original"].top[0])):
        st.warning(plain(sentence), icon=":material/report:")
    draw_strip(result.views, c.labels, c.sigma, key)
    sheet = FigureSheet(key, "certificate")
    beside = None if without is None else words.named_radius("no denoiser", without, result.clean)
    bar = radius_bar(words.named_radius("certified", c, result.clean), c.radius_ceiling, beside, c.norm)
    ending = "." if without is None else f"; without the denoiser {radius_text(without.radius)}."
    alt = f"Certified radius {radius_text(c.radius)} of at most {radius_text(c.radius_ceiling)}{ending}"
    sheet.draw(bar, f"radius-{key}", alt, "radius")
    # Votes of both together: a class then has one colour in all figures of a study.
    both = c.counts if without is None else [a + b for a, b in zip(c.counts, without.counts, strict=True)]
    colours, votes = class_colours(both), votes_alt(c.counts, c.labels)
    left, right = st.columns(2)
    with left:
        alt = f"One hundred icons in the shares of the vote. {votes}"
        sheet.draw(icon_array(c.counts, c.labels, colours), f"icons-{key}", alt, "icons")
    with right:
        sheet.draw(vote_bars(c.counts, c.labels, colours=colours), f"votes-{key}", votes, "votes")
        if result.points:
            sheet.draw(growth(result.points, c.until_radius), f"growth-{key}", growth_alt(result.points), "growth")
    if without is not None:
        _draw_with_and_without({"With": c, "Without": without}, colours, key, sheet)
    if not c.abstained and "original" in result.views:
        picture = result.views["original"].picture
        draw_at_radius(to_pixels(picture), c.radius, c.norm, key, seed=c.seed)
        draw_neighbour(picture, c, key)
    draw_radii(c, key, sheet)
    sheet.offer()
    draw_formula(c)
    draw_both_ways(c)
    draw_downloads(result, picture_name, key)


def _draw_with_and_without(
    certificates: Mapping[str, Certificate], colours: Mapping[int, str], key: str, sheet: FigureSheet
) -> None:
    st.subheader("With and without the denoiser")
    for column, (title, c) in zip(st.columns(2), certificates.items(), strict=True):
        with column:
            bars, alt = vote_bars(c.counts, c.labels, f"{title} denoiser", colours), votes_alt(c.counts, c.labels)
            sheet.draw(bars, f"{title}-{key}", f"{title} the denoiser. {alt}", f"{title.lower()}-denoiser")
            says = f"says {plain(class_name(c.candidate, c.labels))}, radius {radius_text(c.radius)}"
            st.markdown(f"{title} denoiser the smoothed classifier **{'abstains' if c.abstained else says}**.")


def draw_downloads(result: Study, picture_name: str, key: str) -> None:
    """The certificate as a report, JSON, CSV, and Python."""
    stem, certificate = without_ending(picture_name), result.certificate
    document = f"{stem}-certificate.json"
    files = (
        ("Report (HTML)", f"{stem}-words.html", html_report(certificate, picture_name, result.views, document)),
        ("JSON", document, to_json(certificate)),
        ("CSV", f"{stem}-certificate.csv", to_csv([(picture_name, certificate)])),
        ("Python", f"{stem}-certificate.py", python_snippet(certificate, picture_name)),
    )
    st.subheader("Take it with you")
    with st.container(horizontal=True):
        for label, name, data in files:
            offer_file(label, data, name, f"{label}-{key}")
