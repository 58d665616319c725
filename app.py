"""The landing page: a finished certificate, what it means, and the ways in."""

import streamlit as st

from core.data.samples import sample_picture, samples
from core.figures.certificate import icon_array, radius_bar, votes_alt
from core.report import words
from core.report.notation import class_name, percent
from core.studies.records import stored_study
from core.ui.figure import FigureSheet, draw_strip, enlarged
from core.ui.frame import close_page, open_page
from core.ui.linked import key_for

FIRST = "red-car"

open_page("Start")
st.title("A prediction that provably holds")

finished = {s.name: (s, *found) for s in samples() if (found := stored_study(s.name)) is not None}
if not finished:
    st.warning("No finished certificates are stored: run 'python -m assets.certificates.make' once.", icon=":material/warning:")
    st.stop()
sample, study, request = finished.get(FIRST) or next(iter(finished.values()))
certificate = study.certificate
said = class_name(certificate.candidate, certificate.labels)

if certificate.abstained:
    st.markdown(f"##### {words.headline(certificate)}")
else:
    st.markdown(
        f"##### {certificate.counts[certificate.candidate or 0]:,} of {certificate.n:,} noisy copies of this picture were seen"
        f" as **{said}**. So no change of the picture smaller than **{certificate.radius:.2f}** (l2 norm) can change that"
        f" majority, whatever an attacker tries: this is proven, up to a chance of"
        f" {percent(certificate.failure_probability)} that the sample of noise misled us."
    )
sheet = FigureSheet("landing", "certificate")
left, right = st.columns([1.5, 1])
with left:
    draw_strip(study.views, certificate.labels, certificate.sigma, "landing")
    other = None if study.without is None else words.named_radius("no denoiser", study.without)
    bar = radius_bar(words.named_radius("certified", certificate), certificate.radius_ceiling, other)
    alt = f"Certified radius {certificate.radius:.3f} of at most {certificate.radius_ceiling:.3f}."
    sheet.draw(bar, "landing-radius", alt, "radius")
with right:
    alt = f"One hundred icons in the shares of the vote. {votes_alt(certificate.counts, certificate.labels)}"
    sheet.draw(icon_array(certificate.counts, certificate.labels), "landing-icons", alt, "icons")

with st.container(horizontal=True):
    st.page_link(
        "pages/1_Certify.py",
        label="**Move sigma, or certify a picture of your own**",
        icon=":material/verified_user:",
        query_params={key_for("picture", request.classifier): sample.name},
    )
    st.page_link("pages/2_Denoise.py", label="**Look at what the denoiser does**", icon=":material/blur_off:")
    st.page_link("pages/7_Learn.py", label="**Learn how it works, step by step**", icon=":material/school:")

with st.expander("What is behind it, and what it does not say", icon=":material/info:"):
    st.markdown(
        "The classifier was trained on clean pictures and is used as it is. Noise is added to many copies of the picture,"
        " a denoiser cleans them, the classifier looks at each, and the majority wins (denoised smoothing, Salman et al. 2020)."
        " From the vote follows a radius within which the majority cannot change (Cohen et al. 2019)."
    )
    st.markdown("\n".join(f"{number}. {text}" for number, text in enumerate(words.caveats(certificate), 1)))
    sheet.offer()

st.subheader("More finished certificates")
others = [entry for name, entry in finished.items() if name != sample.name]
with st.container(key="paired-gallery"):
    # A row at a time, so that the order holds where a row breaks into two.
    places = [column for _ in range(0, len(others), 4) for column in st.columns(4)]
for place, (other_sample, other_study, other_request) in zip(places, others, strict=False):
    with place:
        c = other_study.certificate
        verdict = "abstains" if c.abstained else f"{c.label}, radius {c.radius:.2f}"
        st.image(enlarged(sample_picture(other_sample.name).image.resize((144, 144))), width="stretch", alt=other_sample.alt)
        link = {key_for("picture", other_request.classifier): other_sample.name, "classifier": other_request.classifier}
        st.page_link("pages/1_Certify.py", label=verdict, icon=":material/arrow_forward:", query_params=link)

close_page()
