"""Chapter e: sigma against accuracy against radius, from the evaluations that come with the Lab."""

from collections.abc import Sequence

import streamlit as st

from core.evaluation.curve import best_steps, certified_accuracy
from core.evaluation.families import denoiser_words
from core.evaluation.recorded import RecordedEvaluation, stored_evaluations
from core.figures.curves import Curve, certified_curves, curves_alt
from core.ui.figure import draw_figure
from core.ui.learn.teaching import draw_terms
from core.ui.linked import linked_slider

USUAL = "bundled/cifar10-stab"


def draw_trade_off() -> None:
    """The curves, and what was measured."""
    st.markdown(
        "More noise lets a vote certify a larger radius, but hides more of the picture, so fewer pictures are right at all."
        " Each curve starts at the share that is right, and falls as more is asked."
    )
    everything = stored_evaluations()
    if not everything:
        st.info("No evaluations are stored: 'python -m core evaluate' makes one.", icon=":material/info:")
        return
    left, right = st.columns([1.45, 1])
    references = list(dict.fromkeys(e.made_by.denoiser or "none" for e in everything))
    several = len({e.made_by.sigma for e in everything}) > 1
    usual = [USUAL] if several and USUAL in references else references
    with right:
        wanted = (
            st.pills(
                "Denoiser",
                references,
                selection_mode="multi",
                default=usual,
                format_func=denoiser_words,
                key="learn-denoisers",
                persist_state="session",
                wrap=True,
            )
            or usual
        )
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
        st.dataframe(
            rows,
            hide_index=True,
            column_config={column: st.column_config.NumberColumn(format="percent") for column in ("right", reached)},
        )
        st.caption(_measured(shown))
        draw_terms("certified accuracy", "ACR")
    if not several:
        st.caption("Only one sigma is stored here yet; with several, each has a curve of its own.")


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
    return (
        f"Measured on {images} pictures of the {first.split} part of {data}, with {first.classifier}, {votes} votes a picture,"
        f" alpha {first.alpha:g}. On {counts[0]} pictures a share is known to within about {_half_width(counts[0]):.0%} (95%)."
    )


def _half_width(images: int) -> float:
    """Half the width of a 95% interval for a share of one half: the widest there is."""
    return 0.98 / images**0.5
