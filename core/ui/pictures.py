"""Choosing pictures: a sample (part of the link), uploads, or one of a data set of the Hub."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from threading import Lock

import streamlit as st

from core.data.parquet import LabelledPicture, fetch_split, sample_pictures
from core.data.samples import Sample, sample_picture, samples
from core.errors import LabError
from core.models.formats.packaged import PACKAGED
from core.pictures.reading import Picture, read_picture
from core.plain_text import named, plain
from core.ui.figure import enlarged
from core.ui.jobs.follow import begin, draw_stop, draw_waiting, follow
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs
from core.ui.linked import SHARED, key_for, linked_choice
from core.ui.sentences import errors_shown, show_error

MAX_UPLOADS = 12
MOST_PIXELS = 100_000_000
"""Of the uploads of a page together."""
PICTURE_TYPES = ["png", "jpg", "jpeg", "webp"]
GALLERIES = SessionJobs("galleries")
USUAL, PHOTOGRAPHS, PHOTOGRAPH_SIDE = "bundled/cifar10", "package/efficientnet-lite0", 96
"""The classifiers that small and large uploads go to by themselves, and how many pixels the shorter side of a large one has."""
SUITED = "suited-classifier"
USUAL_SET = "hub/uoft-cs/cifar10"
DRAWN = 10
_read = OrderedDict[tuple[bytes, str], Picture]()
_lock = Lock()


@dataclass(frozen=True)
class Choice:
    """A picture to work on; ``sample`` is the name of the sample it is, or None for an upload."""

    picture: Picture
    sample: str | None


def choose_pictures(classifier: str, *, suit: bool = True) -> list[Choice]:
    """The sample menu and the uploader; uploads win. Bad files are named, one sentence each, and the others kept.
    ``suit``: whether the classifier is changed to the one that suits an upload's size, until another is chosen by hand."""
    menu = st.empty()
    upload = partial(st.file_uploader, accept_multiple_files=True, help=SHARED["uploads"])
    uploads = upload("Or upload your own", PICTURE_TYPES, key="uploads", on_change=_suit_uploads if suit else None)
    with menu.container():
        sample = choose_sample(classifier, disabled=bool(uploads))
    chosen: list[Choice] = []
    if len(uploads) > MAX_UPLOADS:
        st.warning(f"{len(uploads)} pictures were uploaded: the first {MAX_UPLOADS} are used.", icon=":material/warning:")
    pixels = 0
    for file in uploads[:MAX_UPLOADS]:
        with errors_shown():
            picture = read_upload(file.getvalue(), file.name)
            if pixels + pixels_of(picture) > MOST_PIXELS:
                raise LabError(SHARED["too-large"].format(name=picture.name, most=MOST_PIXELS // 1_000_000))
            pixels += pixels_of(picture)
            for note in picture.notes:
                st.info(plain(note), icon=":material/info:")
            chosen.append(Choice(picture, None))
    from_gallery = choose_from_gallery()
    if not chosen and from_gallery is not None:
        chosen = [Choice(from_gallery, None)]
    return chosen or [Choice(sample_picture(sample.name), sample.name)]


def _suit_uploads() -> None:
    """Choose the classifier of photographs for a large upload, and the usual one for small ones and once they are gone.
    A callback: it runs before the page is drawn anew. Whatever was chosen by hand stays."""
    ours = st.session_state.get(SUITED, USUAL)
    if st.session_state.get("classifier", USUAL) != ours:
        return
    wanted = USUAL
    for file in st.session_state.get("uploads", [])[:1]:
        try:
            large = min(read_upload(file.getvalue(), file.name).image.size) >= PHOTOGRAPH_SIDE
        except LabError:  # told where it is read for the page
            return
        wanted = PHOTOGRAPHS if large and PACKAGED[PHOTOGRAPHS.partition("/")[2]].weights() else USUAL
    st.session_state["classifier"] = st.session_state[SUITED] = wanted


def choose_shown(choices: list[Choice]) -> Choice:
    """Which of several pictures to look at; asked only where there are several."""
    if len(choices) == 1:
        return choices[0]
    names = [f"{number}. {choice.picture.name}" for number, choice in enumerate(choices, 1)]
    return choices[names.index(st.selectbox("Show", names))]


def choose_sample(classifier: str, disabled: bool = False) -> Sample:
    """The sample menu, with the pictures made for this classifier."""
    known = {s.name: s for s in samples() if s.classifier == classifier} or {s.name: s for s in samples()}
    titles, key = {name: sample.title for name, sample in known.items()}, key_for("picture", classifier)
    return known[linked_choice("Sample picture", titles, next(iter(known)), key, disabled=disabled)]


def read_upload(data: bytes, name: str) -> Picture:
    """Read an uploaded file once; raises LabError as :func:`core.pictures.reading.read_picture`.
    The last pictures are kept for all sessions, of :data:`MOST_PIXELS` together. Nobody may change them."""
    key = hashlib.sha256(data).digest(), name
    with _lock:
        if key in _read:
            _read.move_to_end(key)
            return _read[key]
    picture = read_picture(data, name)
    with _lock:
        _read[key] = picture
        while sum(map(pixels_of, _read.values())) > MOST_PIXELS:
            _read.popitem(last=False)
    return picture


def pixels_of(picture: Picture) -> int:
    """How many it has; in memory 4 bytes each."""
    return picture.image.width * picture.image.height


def choose_from_gallery() -> Picture | None:
    """A folded-away chooser; None where nothing is chosen there."""
    with st.expander("Or from a data set of the Hub", icon=":material/collections:"):
        reference = st.text_input("Data set", USUAL_SET, key="gallery-set", max_chars=200, persist_state="session").strip()
        split = st.text_input("Split", "test", key="gallery-split", max_chars=40, persist_state="session").strip()
        draws = st.session_state.setdefault("gallery-draws", 0)

        def work(context: JobContext) -> list[LabelledPicture]:
            with context.aside():
                found = fetch_split(reference, split, on_progress=context.report, should_stop=context.should_stop)
            return sample_pictures(found, DRAWN, seed=draws)

        if st.button(f"{DRAWN} at random", icon=":material/casino:", key="gallery-draw"):
            draws = st.session_state["gallery-draws"] = draws + 1
            st.session_state.pop("gallery-chosen", None)
            begin(lambda: GALLERIES.start(("gallery", reference, split, draws), f"Pictures of {reference}", work))
        if not draws:
            st.caption(SHARED["gallery"])
            return None
        find = partial(GALLERIES.find, ("gallery", reference, split, draws))
        job = find()
        if job is not None and job.finished and job.state == "done":
            return _choose(job.result)
        if job is not None and job.finished:
            show_error(job.error or "")
        elif job is not None:
            follow(_draw_fetching, find, busy=True)
        return None


def _draw_fetching(job: Job | None) -> None:
    if job is not None:
        draw_waiting(job, "Asking the Hub…")
        draw_stop(job)


def _choose(found: list[LabelledPicture]) -> Picture | None:
    with st.container(key="paired-gallery"):
        for start in range(0, len(found), 5):
            for column, one in zip(st.columns(5), found[start : start + 5], strict=False):
                name = named(one.name or "", f"class {one.label}")
                column.image(enlarged(one.picture, 96), width="stretch", alt=f"Picture {one.number} of the data set: {name}.")
                column.caption(plain(f"{one.number}: {name}"))
    titles = {one.number: plain(f"{one.number}: {named(one.name or '', f'class {one.label}')}") for one in found}
    chosen = st.pills("Take", list(titles), format_func=titles.__getitem__, key="gallery-chosen", persist_state="session")
    picked = next((one for one in found if one.number == chosen), None)
    return None if picked is None else Picture(picked.picture, f"{picked.name or picked.label}-{picked.number}.png")
