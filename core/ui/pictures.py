"""Choosing pictures: a sample (part of the link), uploads, or one of a data set of the Hub."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.data.samples import Sample, sample_picture, samples
from core.errors import LabError
from core.pictures.reading import Picture, read_picture
from core.ui.gallery import choose_from_gallery
from core.ui.linked import key_for, linked_choice

MAX_UPLOADS = 12


@dataclass(frozen=True)
class Choice:
    """A picture to work on; ``sample`` is the name of the sample it is, or None for an upload."""

    picture: Picture
    sample: str | None


def choose_pictures(classifier: str) -> list[Choice]:
    """The sample menu and the uploader; uploads win. Bad files are named, one sentence each, and the others kept."""
    menu = st.empty()
    uploads = st.file_uploader(
        "Or upload your own",
        ["png", "jpg", "jpeg", "webp"],
        accept_multiple_files=True,
        key="uploads",
        help="PNG, JPEG or WebP, several at once. Pictures stay on the machine that runs the Lab.",
    )
    with menu.container():
        sample = choose_sample(classifier, disabled=bool(uploads))
    chosen: list[Choice] = []
    if len(uploads) > MAX_UPLOADS:
        st.warning(f"{len(uploads)} pictures were uploaded: the first {MAX_UPLOADS} are used.", icon=":material/warning:")
    for file in uploads[:MAX_UPLOADS]:
        try:
            picture = read_upload(file.getvalue(), file.name)
        except LabError as error:
            st.error(str(error), icon=":material/error:")
            continue
        for note in picture.notes:
            st.info(note, icon=":material/info:")
        chosen.append(Choice(picture, None))
    from_gallery = choose_from_gallery()
    if not chosen and from_gallery is not None:
        chosen = [Choice(from_gallery, None)]
    return chosen or [Choice(sample_picture(sample.name), sample.name)]


def choose_shown(choices: list[Choice]) -> Choice:
    """Which of several pictures to look at; asked only where there are several."""
    if len(choices) == 1:
        return choices[0]
    names = [f"{number}. {choice.picture.name}" for number, choice in enumerate(choices, 1)]
    return choices[names.index(st.selectbox("Show", names))]


def choose_sample(classifier: str, disabled: bool = False) -> Sample:
    """The sample menu, with the pictures made for this classifier."""
    known = {s.name: s for s in samples() if s.classifier == classifier} or {s.name: s for s in samples()}
    name = linked_choice(
        "Sample picture",
        {n: s.title for n, s in known.items()},
        next(iter(known)),
        key_for("picture", classifier),
        disabled=disabled,
    )
    return known[name]


@st.cache_data(max_entries=64, show_spinner=False)
def read_upload(data: bytes, name: str) -> Picture:
    """Read an uploaded file once; raises LabError as :func:`core.pictures.reading.read_picture`."""
    return read_picture(data, name)
