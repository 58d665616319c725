"""Chapter d: why noise that people see through destroys a picture for a network, and what a denoiser restores."""

import math

import streamlit as st

from core.data.samples import samples
from core.figures.balls import noise_length_alt, noise_length_figure
from core.figures.certificate import vote_bars, votes_alt
from core.report.notation import class_colours
from core.studies.records import stored_study
from core.ui.figure import draw_figure, draw_strip
from core.ui.learn.teaching import draw_terms
from core.ui.linked import linked_choice

SAMPLE = "red-car"


def draw_dimensions() -> None:
    """A finished study of a sample picture, and the length of noise."""
    st.markdown(
        "A picture is a point, too, in thousands of dimensions. There noise is long: every value moves a little, and the"
        " lengths add up. People look through it. A classifier that never saw noise does not, and a denoiser helps it to."
    )
    finished = {s.name: s for s in samples() if stored_study(s.name) is not None}
    if not finished:
        st.info("No finished studies are stored: run 'python -m assets.certificates.make' once.", icon=":material/info:")
        return
    first = SAMPLE if SAMPLE in finished else next(iter(finished))
    name = linked_choice("Sample picture", {n: s.title for n, s in finished.items()}, first, "learn-picture")
    found = stored_study(name)
    assert found is not None  # only finished ones are offered
    study, c = found[0], found[0].certificate
    draw_strip(study.views, c.labels, c.sigma, "learn")
    with st.container(key="paired-learn"):
        left, right = st.columns(2)
    counts = {"With the denoiser": c.counts}
    if study.without is not None:
        counts = {"Without a denoiser": study.without.counts} | counts
    colours = class_colours([sum(both) for both in zip(*counts.values(), strict=True)])
    for column, (title, votes) in zip((left, right), counts.items(), strict=False):
        with column:
            bars, alt = vote_bars(votes, c.labels, title, colours), f"{title}. {votes_alt(votes, c.labels)}"
            draw_figure(bars, f"dimensions-{title.split()[0].lower()}", alt, title.lower().replace(" ", "-"))
    st.caption(f"Certified beforehand with {c.n:,} noisy copies each, sigma {c.sigma:g}; the classifier is the same in both.")
    if c.denoiser.ref.endswith("-stab"):
        st.caption(
            "This denoiser was trained to keep the classifier's answer (STAB), not the colours: what it makes may look odd to"
            " people and still serve the network."
        )

    values = 3 * c.image.height * c.image.width
    length = c.sigma * math.sqrt(values)
    left, right = st.columns([1.45, 1])
    with left:
        figure, alt = noise_length_figure(c.sigma, c.radius or None), noise_length_alt(c.sigma, c.radius or None)
        draw_figure(figure, "dimensions-length", alt, "noise-length")
    with right:
        st.markdown(
            f"This picture has {values:,} values, so the noise is about **{length:.1f}** long, and hardly ever much shorter or"
            " longer. Yet along any one direction, such as an attack's, it still spreads by sigma only: that is why radii are"
            " of the order of sigma however large the picture."
        )
        st.latex(rf"\lVert\varepsilon\rVert_2\approx\sigma\sqrt d={c.sigma:g}\cdot\sqrt{{{values}}}={length:.2f}")
        if c.radius:
            st.markdown(f"The certified radius is {c.radius:.3f}: the noise is {length / c.radius:.0f} times as long.")
        draw_terms("denoiser", "denoised smoothing", "MSE and STAB", "one-shot diffusion denoising")
    st.page_link("pages/2_Denoise.py", label="Look at denoisers side by side", icon=":material/blur_off:")
