"""Finished certificates on the landing page: the same for everybody, so they are drawn once and repeated for the others."""

import streamlit as st

from core.data.samples import Sample, sample_picture, samples
from core.figures.certificate import icon_array, radius_bar, votes_alt
from core.folders import made_once
from core.pictures.reading import data_uri
from core.plain_text import plain
from core.report import words
from core.report.notation import class_name, percent
from core.smoothing.radius import floored
from core.studies.records import Study, StudyRequest, stored_study
from core.ui.figure import FigureSheet, draw_strip
from core.ui.linked import key_for


@made_once()
def finished() -> dict[str, tuple[Sample, Study, StudyRequest]]:
    """The samples whose finished studies come with the Lab, by name."""
    return {s.name: (s, *found) for s in samples() if (found := stored_study(s.name)) is not None}


@st.cache_resource(show_spinner=False)
def draw_first(name: str, large: bool) -> FigureSheet:
    """The certificate that one sees first, and the ways in; ``large`` as presenter mode has it, of which a copy is kept too."""
    sample, study, request = finished()[name]
    c = study.certificate
    if c.abstained:
        st.markdown(f"##### {words.headline(c)}")
    else:
        st.markdown(
            f"##### {c.counts[c.candidate or 0]:,} of {c.n:,} noisy copies of this picture were seen as"
            f" **{plain(class_name(c.candidate, c.labels))}**. So no change of the picture smaller than"
            f" **{floored(c.radius, '.2f')}** (l2 norm) can change that majority, whatever an attacker tries:"
            f" this follows from the vote, up to a chance of {percent(c.failure_probability)} that the sample of noise misled"
            f" us{'' if c.sound else ', and but for the rounding of floating-point numbers'}."
        )
    sheet = FigureSheet("landing", "certificate")
    left, right = st.columns([1.5, 1])
    with left:
        draw_strip(study.views, c.labels, c.sigma, "landing")
        beside = None if study.without is None else words.named_radius("no denoiser", study.without, study.clean)
        bar = radius_bar(words.named_radius("certified", c, study.clean), c.radius_ceiling, beside)
        alt = f"Certified radius {floored(c.radius, '.3f')} of at most {floored(c.radius_ceiling, '.3f')}."
        sheet.draw(bar, "landing-radius", alt, "radius")
    with right:
        alt = f"One hundred icons in the shares of the vote. {votes_alt(c.counts, c.labels)}"
        sheet.draw(icon_array(c.counts, c.labels), "landing-icons", alt, "icons")
    with st.container(horizontal=True):
        st.page_link(
            "pages/1_Certify.py",
            label="**Move sigma, or certify a picture of your own**",
            icon=":material/verified_user:",
            query_params={key_for("picture", request.classifier): sample.name},
        )
        st.page_link("pages/2_Denoise.py", label="**Look at what the denoiser does**", icon=":material/blur_off:")
        st.page_link("pages/7_Learn.py", label="**Learn how it works, step by step**", icon=":material/school:")
    return sheet


@st.cache_resource(show_spinner=False)
def draw_others(name: str) -> None:
    """The certificates but one, each with its verdict and the way to it."""
    others = [entry for other, entry in finished().items() if other != name]
    with st.container(key="paired-gallery"):
        # A row at a time, so that the order holds where a row breaks into two.
        places = [column for _ in range(0, len(others), 4) for column in st.columns(4)]
    for place, (sample, study, request) in zip(places, others, strict=False):
        with place:
            c = study.certificate
            verdict = "abstains" if c.abstained else f"{plain(c.label or '')}, radius {floored(c.radius, '.2f')}"
            if c.label not in (None, sample.label):
                verdict = f"{verdict}: wrong, it is a picture of {sample.label}"
            picture = sample_picture(sample.name).image.resize((144, 144))
            st.image(data_uri(picture, "JPEG"), width="stretch", alt=sample.alt)
            link = {key_for("picture", request.classifier): sample.name, "classifier": request.classifier}
            st.page_link("pages/1_Certify.py", label=verdict, icon=":material/arrow_forward:", query_params=link)
