"""Chapters d and e, on pictures: why noise destroys them for a network, and sigma against accuracy against radius."""

import math
from collections.abc import Sequence
from functools import partial

import streamlit as st

from core.data.samples import samples
from core.evaluation.curve import best_steps, certified_accuracy
from core.evaluation.families import denoiser_words
from core.evaluation.recorded import RecordedEvaluation, stored_evaluations
from core.figures.balls import noise_length_alt, noise_length_figure
from core.figures.certificate import vote_bars, votes_alt
from core.figures.curves import Curve, certified_curves, curves_alt
from core.report.notation import class_colours, radius_text
from core.studies.records import stored_study
from core.ui.figure import draw_figure, draw_strip, keyed_columns
from core.ui.learn.teaching import PROSE, draw_terms
from core.ui.linked import linked_choice, linked_slider

SAMPLE = "red-car"


def draw_dimensions() -> None:
    """A finished study of a sample picture, and the length of noise."""
    st.markdown(PROSE["dimensions"])
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
    counts = {"With the denoiser": c.counts}
    if study.without is not None:
        counts = {"Without a denoiser": study.without.counts} | counts
    colours = class_colours([sum(both) for both in zip(*counts.values(), strict=True)])
    for column, (title, votes) in zip(keyed_columns("paired-learn", 2), counts.items(), strict=False):
        with column:
            bars, alt = vote_bars(votes, c.labels, title, colours), f"{title}. {votes_alt(votes, c.labels)}"
            draw_figure(bars, f"dimensions-{title.split()[0].lower()}", alt, title.lower().replace(" ", "-"))
    st.caption(f"Certified beforehand with {c.n:,} noisy copies each, sigma {c.sigma:g}; the classifier is the same in both.")
    if c.denoiser.ref.endswith("-stab"):
        st.caption(PROSE["dimensions-stab"])

    values = 3 * c.image.height * c.image.width
    length = c.sigma * math.sqrt(values)
    left, right = st.columns([1.45, 1])
    with left:
        figure, alt = noise_length_figure(c.sigma, c.radius or None), noise_length_alt(c.sigma, c.radius or None)
        draw_figure(figure, "dimensions-length", alt, "noise-length")
    with right:
        st.markdown(PROSE["dimensions-length"].format(values=values, length=length))
        st.latex(rf"\lVert\varepsilon\rVert_2\approx\sigma\sqrt d={c.sigma:g}\cdot\sqrt{{{values}}}={length:.2f}")
        if c.radius:
            st.markdown(f"The certified radius is {radius_text(c.radius)}: the noise is {length / c.radius:.0f} times as long.")
        draw_terms("denoiser", "denoised smoothing", "MSE and STAB", "one-shot diffusion denoising")
    st.page_link("pages/2_Denoise.py", label="Look at denoisers side by side", icon=":material/blur_off:")


USUAL = "bundled/cifar10-stab"


def draw_trade_off() -> None:
    """The curves, and what was measured."""
    st.markdown(PROSE["trade-off"])
    everything = stored_evaluations()
    if not everything:
        st.info("No evaluations are stored: 'python -m core evaluate' makes one.", icon=":material/info:")
        return
    left, right = st.columns([1.45, 1])
    references = list(dict.fromkeys(e.made_by.denoiser or "none" for e in everything))
    several = len({e.made_by.sigma for e in everything}) > 1
    usual = [USUAL] if several and USUAL in references else references
    with right:
        pills = partial(st.pills, selection_mode="multi", format_func=denoiser_words, persist_state="session", wrap=True)
        wanted = pills("Denoiser", references, default=usual, key="learn-denoisers") or usual
        marked = linked_slider("Radius to read off", (0.0, 1.0), 0.25, "learn-radius", step=0.05)
    shown = [e for e in everything if (e.made_by.denoiser or "none") in wanted]
    with left:
        curves = stored_curves(shown)
        figure = certified_curves(curves, title="More noise: a longer reach, from a lower start", marked=marked, bands=False)
        draw_figure(figure, "trade-off", curves_alt(curves, [], [marked]), "trade-off")
    with right:
        reached = f"at {marked:g}"
        rows = []
        for e in shown:
            right_ones, certified = certified_accuracy(e.outcomes, [0.0, marked])
            title = denoiser_words(e.made_by.denoiser or "none")
            rows.append({"sigma": e.made_by.sigma, "denoiser": title, "right": right_ones, reached: certified})
        shares = {column: st.column_config.NumberColumn(format="percent") for column in ("right", reached)}
        st.dataframe(rows, hide_index=True, column_config=shares)
        st.caption(_measured(shown))
        draw_terms("certified accuracy", "ACR")
    if not several:
        st.caption(PROSE["trade-off-one"])


def stored_curves(evaluations: Sequence[RecordedEvaluation]) -> list[Curve]:
    """Colour and marker tell sigma, the dash tells the denoiser; with one sigma all three tell the denoiser."""
    denoisers = list(dict.fromkeys(e.made_by.denoiser or "none" for e in evaluations))
    several = len({e.made_by.sigma for e in evaluations}) > 1
    curves = []
    for e in evaluations:
        denoiser = e.made_by.denoiser or "none"
        name = f"sigma {e.made_by.sigma:g}, {denoiser_words(denoiser)}"
        group = f"{e.made_by.sigma:g}" if several else denoiser
        curves.append(Curve(name, group, denoisers.index(denoiser), best_steps({e.name: e.outcomes}, 150)))
    return curves


def _measured(shown: Sequence[RecordedEvaluation]) -> str:
    counts = sorted({len(e.outcomes) for e in shown})
    images = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    first = shown[0].made_by
    votes = " or ".join(f"{n:,}" for n in sorted({e.made_by.n or 0 for e in shown}))
    data = "CIFAR-10" if "cifar10" in (first.dataset or "") else first.dataset
    told = {"images": images, "first": first, "data": data, "votes": votes, "fewest": counts[0]}
    return PROSE["trade-off-measured"].format(half=0.98 / counts[0] ** 0.5, **told)
