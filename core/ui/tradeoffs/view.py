"""The views of the Trade-offs page: one figure each, with what it needs to be chosen, and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.evaluation.curve import PublishedCurve, best_steps, by_class, envelope, published_curves, summarise
from core.evaluation.families import by_family, shares_at, titles
from core.evaluation.log_pictures import class_names, dataset_of
from core.evaluation.projection import lower_bounds_of
from core.evaluation.recorded import RecordedEvaluation
from core.evaluation.tables import curve_table
from core.figures.curves import Curve, Points, certified_curves, curves_alt
from core.figures.radii import ClassShare, bound_histogram, class_bars, radius_histogram
from core.figures.tradeoff import Spot, sigma_path, tradeoff_alt
from core.report.notation import class_name
from core.ui.figure import draw_figure
from core.ui.linked import linked_choice, linked_choices, linked_switch
from core.ui.plain_text import plain
from core.ui.tradeoffs.export import draw_exports
from core.ui.tradeoffs.images import draw_images_behind, take_click
from core.ui.tradeoffs.logs import Chosen
from core.ui.tradeoffs.settings import draw_settings

USUAL_PUBLISHED = ("cifar10-salman-white-box", "cifar10-salman-black-box", "cifar10-salman-noise-trained")
CURVES = "tradeoffs-curves"
MOST_FINE = 12
"""So many curves are drawn at 300 points; more of them at fewer, so that the page stays quick."""
MOST_SPREAD = 6
MOST_ROWS = 16


def choose_published(norm: str = "l2") -> list[PublishedCurve]:
    """The menu of published curves."""
    known = {curve.key: curve for curve in published_curves() if curve.norm == norm}
    chosen = linked_choices(
        "Published curves",
        {key: f"{known[key].dataset} · {known[key].name}" for key in known},
        [key for key in USUAL_PUBLISHED if key in known],
        "published",
        help="Figures of the papers, at the radii of their tables. Switch each on or off.",
        placeholder="None shown",
    )
    return [known[key] for key in chosen]


def draw_curves(chosen: Chosen, published: Sequence[PublishedCurve], radii: Sequence[float]) -> None:
    """Certified accuracy against radius, the table, and the images behind a point."""
    if any(len(logs) > 1 for logs in alike(chosen).values()):
        best_only = linked_switch(
            "Only the best sigma at each radius",
            True,
            "best",
            help="The upper envelope over the sigmas of the same models, as the papers' tables are made. It is chosen on the"
            " same images that it is told of, so it flatters a little.",
        )
    else:
        best_only = False
    curves = _curves(chosen, best_only)
    points = [Points(curve.name, curve.points) for curve in published]
    draw_figure(
        certified_curves(curves, points),
        CURVES,
        curves_alt(curves, points, radii),
        "certified-accuracy",
        on_select=take_click(CURVES),
    )
    _say_sources(published)
    _draw_table(chosen, radii)
    draw_settings(chosen)
    draw_images_behind(chosen)


def alike(chosen: Chosen) -> dict[str, dict[str, RecordedEvaluation]]:
    """Logs of the same models **and** the same images by a title, small sigma first: of such the best sigma can be told.

    The best of logs of different images would often be the one with the fewest, by luck. Runs of the store keep apart from
    other logs, so that whoever compares one sees its own curve.
    """
    named = titles(chosen.logs)
    found: dict[str, dict[str, RecordedEvaluation]] = {}
    for family, logs in by_family(chosen.logs).items():
        parts: dict[tuple[bool, bytes], dict[str, RecordedEvaluation]] = {}
        for key, log in logs.items():
            parts.setdefault((key in chosen.made_here, np.sort(log.outcomes.idx).tobytes()), {})[key] = log
        both = len({here for here, _ in parts}) > 1
        for (here, _), part in parts.items():
            title = named[family] + (", made here" if here and both else "")
            if sum(other == here for other, _ in parts) > 1:
                title += f", {len(next(iter(part.values())).outcomes):,} images"
            while title in found:
                title += ", others"
            found[title] = part
    return found


def _curves(chosen: Chosen, best_only: bool) -> list[Curve]:
    most = 300 if len(chosen.logs) <= MOST_FINE else 100
    curves = []
    for group, logs in alike(chosen).items():
        outcomes = {key: log.outcomes for key, log in logs.items()}
        if best_only and len(logs) > 1:
            curves.append(Curve(f"{group}, best sigma", group, 0, best_steps(outcomes, most)))
            continue
        curves += [
            Curve(chosen.titles[key], group, rank, best_steps({key: one}, most))
            for rank, (key, one) in enumerate(outcomes.items())
        ]
    return curves


def _say_sources(published: Sequence[PublishedCurve]) -> None:
    if not published:
        return
    with st.expander("Where the published figures come from", icon=":material/menu_book:"):
        for curve in published:
            network = f", {curve.network}" if curve.network else ""
            images = f", {curve.images} images" if curve.images else ""
            st.markdown(
                f"**{plain(curve.name)}** ({curve.dataset}{network}{images}): [{plain(curve.source.text)}]({curve.source.url});"
                f" {plain(curve.how)}."
            )
        st.caption(
            "Other networks and other training than the bundled models, and other images of the test set: they show where the"
            " field stands, not what a change of method alone would do."
        )


def _draw_table(chosen: Chosen, radii: Sequence[float]) -> None:
    summaries = {chosen.titles[key]: summarise(log.outcomes, radii) for key, log in chosen.logs.items()}
    sigmas = {chosen.titles[key]: log.made_by.sigma for key, log in chosen.logs.items()}
    best = {
        f"{group}, best sigma": envelope({chosen.titles[key]: summaries[chosen.titles[key]] for key in logs}, radii)
        for group, logs in alike(chosen).items()
        if len(logs) > 1
    }
    table = curve_table(summaries, radii, best, sigmas)
    st.dataframe(
        pd.DataFrame(list(table.rows), columns=list(table.head)),
        hide_index=True,
        key="tradeoffs-table",
        height="content" if len(table.rows) <= MOST_ROWS else "auto",
        alt=f"Certified accuracy of {len(summaries)} logs at {len(radii)} radii.",
    )
    st.caption(table.caption + " ACR is the mean of radius times right.")
    draw_exports(table, chosen, "tradeoffs")
    beyond = [r for r in radii if not any(log.made_by.allows(r) for log in chosen.logs.values())]
    if beyond:
        st.info(
            f"No sigma and n of these logs can certify a radius of {', '.join(f'{r:g}' for r in beyond)}, whatever the votes.",
            icon=":material/vertical_align_top:",
        )


def draw_path(chosen: Chosen, radius: float) -> None:
    """Accuracy against robustness, sigma as the path."""
    groups = group_titles(chosen)
    spots = [spot_of(key, log, chosen, groups, radius, shares_at(log, radius)[0]) for key, log in chosen.logs.items()]
    draw_figure(sigma_path(spots, radius), "tradeoffs-path", tradeoff_alt(spots, "right", "certified"), "accuracy-robustness")
    st.caption(
        "Each mark is an evaluation; the line goes from small sigma to large. Vertical bars are 95% intervals over images."
        " At a small radius less noise wins, at a large one more."
    )


def group_titles(chosen: Chosen) -> dict[str, str]:
    """By log, the title of those that are like it."""
    return {key: group for group, logs in alike(chosen).items() for key in logs}


def spot_of(key: str, log: RecordedEvaluation, chosen: Chosen, groups: Mapping[str, str], radius: float, x: float) -> Spot:
    """An evaluation as a mark: ``x`` as given, certified accuracy at the radius as y."""
    sigma = log.made_by.sigma
    _, y, low, high = shares_at(log, radius)
    label = "" if sigma is None else f"sigma {sigma:g}"
    return Spot(chosen.titles[key], label, key, groups[key], sigma or 0.0, x, y, low, high)


def draw_spread(chosen: Chosen) -> None:
    """How radii and bounds are spread."""
    logs = dict(list(chosen.logs.items())[:MOST_SPREAD])
    if len(logs) < len(chosen.logs):
        st.caption(f"The first {MOST_SPREAD} of {len(chosen.logs)} logs; choose fewer above to see others.")
    outcomes = {chosen.titles[key]: log.outcomes for key, log in logs.items()}
    ceilings = {chosen.titles[key]: log.made_by.ceiling for key, log in logs.items()}
    alt = "Histogram of radii of right answers: " + "; ".join(
        f"{name}, median {np.median(o.radius[o.right]) if o.right.any() else 0:.2f}" for name, o in outcomes.items()
    )
    draw_figure(radius_histogram(outcomes, ceilings=ceilings), "tradeoffs-radii", f"{alt}.", "radii")
    bounds = {chosen.titles[key]: lower_bounds_of(log) for key, log in logs.items()}
    bounds = {name: p for name, p in bounds.items() if np.isfinite(p).any()}
    if not bounds:
        st.info("The bounds on p are not known: the logs do not say which sigma they were made with.", icon=":material/info:")
        return
    medians = "; ".join(f"{name}, median {np.nanmedian(p):.3f}" for name, p in bounds.items())
    draw_figure(bound_histogram(bounds), "tradeoffs-bounds", f"Histogram of lower bounds on p: {medians}.", "bounds")
    st.caption(
        "The bound is kept with the votes; where they were not kept, it is worked out from the radius, and that of an"
        " abstention is not known."
    )


def draw_classes(chosen: Chosen, radius: float) -> None:
    """Right and certified by true class, of one log."""
    keys = list(chosen.logs)
    key = linked_choice("Log", chosen.titles, keys[0], "class-log")
    log = chosen.logs[key]
    words = class_names(dataset_of(log))

    shares = [
        ClassShare(class_name(label, words), s.images, s.clean, s.certified[float(radius)], *s.interval[float(radius)])
        for label, s in by_class(log.outcomes, [radius]).items()
    ]
    if len(shares) > 40:
        st.info(f"{len(shares)} classes are too many for bars: the 40 with most images are shown.", icon=":material/info:")
        shares = sorted(shares, key=lambda share: -share.images)[:40]
    parts = ", ".join(f"{share.name} {share.certified:.0%}" for share in shares[:12])
    draw_figure(class_bars(shares, radius), "tradeoffs-classes", f"Bars by class, certified at {radius:g}: {parts}.", "classes")
    st.caption("With so few images a class, look at the intervals before you compare.")
