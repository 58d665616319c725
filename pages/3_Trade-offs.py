"""What does robustness cost? Certified accuracy over data sets, against radius, accuracy, samples, seconds and money."""

from importlib import import_module

import streamlit as st

from core.ui.frame import close_page, open_page
from core.ui.linked import linked_choice
from core.ui.tradeoffs.logs import PROSE, choose_logs, choose_published, choose_radius, choose_table_radii
from core.ui.tradeoffs.projection import draw_cost, draw_samples
from core.ui.tradeoffs.view import draw_classes, draw_curves, draw_path, draw_spread

VIEWS = {
    "curve": "Accuracy against radius",
    "path": "Accuracy against robustness",
    "cost": "Cost",
    "samples": "What more samples buy",
    "spread": "Radii and p",
    "classes": "By class",
}

# What computes needs torch, which the views above do without: it is imported once it is asked for.
COMPUTING = {
    "new": ("A new evaluation", "core.ui.tradeoffs.evaluating", "draw_new_evaluation"),
    "runs": ("Evaluations made here", "core.ui.tradeoffs.runs", "draw_runs"),
}
EVALUATING = "jobs-evaluations"

open_page("Trade-offs")
st.title("What robustness costs")
st.markdown(PROSE["title"])

titles = VIEWS | {key: title for key, (title, _, _) in COMPUTING.items()}
left, right = st.columns(2)
with right:
    view = linked_choice("View", titles, "curve", "view")
if view in COMPUTING:
    with left:
        st.markdown(PROSE[view])
    _, module, function = COMPUTING[view]
    getattr(import_module(module), function)()
    close_page()
    st.stop()

if EVALUATING in st.session_state:
    import_module("core.ui.tradeoffs.evaluating").draw_under_way()
with left:
    chosen = choose_logs()
with right:
    published = choose_published() if view == "curve" else []
    radii = choose_table_radii() if view == "curve" else []
    radius = choose_radius() if view in ("path", "cost", "samples", "classes") else 0.25

if not chosen.logs:
    st.info("Choose an evaluation above, or bring logs of your own.", icon=":material/arrow_upward:")
elif view == "curve":
    draw_curves(chosen, published, radii)
elif view == "path":
    draw_path(chosen, radius)
elif view == "cost":
    draw_cost(chosen, radius)
elif view == "samples":
    draw_samples(chosen, radius)
elif view == "spread":
    draw_spread(chosen)
else:
    draw_classes(chosen, radius)

close_page()
