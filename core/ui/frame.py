"""The frame of every page: title, navigation, and the side line that says what computes and how fast."""

from __future__ import annotations

import streamlit as st

from core.folders import ROOT
from core.ui.garbage import spare_modules
from core.ui.linked import read_link, say_refused
from core.ui.presenter import close_presenting, open_presenting

PAGES = (
    ("app.py", "Start", ":material/home:"),
    ("pages/1_Certify.py", "Certify", ":material/verified_user:"),
    ("pages/2_Denoise.py", "Denoise", ":material/blur_off:"),
    ("pages/3_Trade-offs.py", "Trade-offs", ":material/balance:"),
    ("pages/4_Attack.py", "Attack", ":material/bolt:"),
    ("pages/5_Vision_APIs.py", "Vision APIs", ":material/cloud:"),
    ("pages/6_Train.py", "Train", ":material/model_training:"),
    ("pages/7_Learn.py", "Learn", ":material/school:"),
)
SPEED = "last_speed"

# Streamlit leaves 6rem above the first line and blurs small pictures when it enlarges them.
_STYLE = """
<style>
  .block-container {padding-top: 3.2rem; padding-bottom: 3rem; max-width: 76rem;}
  [data-testid="stImage"] img {image-rendering: pixelated; border-radius: 0.4rem;}
  [data-testid="stMetricValue"] {font-size: 1.7rem;}
  h1 {font-size: 2rem !important;}
  h2 {font-size: 1.6rem !important;}
  h3 {font-size: 1.35rem !important;}
  /* Names that do not fit are broken, not cut off: links, labels of figures, and the choices of a menu for several,
     which scroll where they are many: the figure below them stays on the first screen. */
  [data-testid="stPageLink"] p, [data-testid="stMetricLabel"] :is(div, p) {white-space: normal; overflow: visible;}
  [data-testid="stMultiSelect"] [role="group"]:has(> [data-testid="stMultiSelectTagsContainer"])
    {height: auto; max-height: none; min-height: 2.5rem;}
  [data-testid="stMultiSelectTagsContainer"]
    {flex-wrap: wrap; height: auto; max-height: 9rem; overflow: hidden auto; mask-image: none; padding-block: 0.3rem;}
  /* White on the dark theme's light blue could hardly be read. */
  [data-testid="stMultiSelect"] [data-tag], [data-testid="stBaseButton-primary"] {color: light-dark(#FFFFFF, #0F161D);}
  /* Streamlit's captions have a contrast of 4.2 to their ground; AA asks for 4.5. */
  [data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p {color: light-dark(#56606A, #A9B4BE); opacity: 1;}
  /* So have axes, notes and bars of figures on a light ground: 3.7. */
  .js-plotly-plot text:not(.gtitle, .legendtext, .bartext-inside)
    {fill: light-dark(#56606A, #E6EAF1) !important;}
  .js-plotly-plot .modebar-group {background: light-dark(#FFFFFF, #0F161D) !important;}
  .js-plotly-plot .modebar-btn path {fill: light-dark(#56606A, #A9B4BE) !important;}
  .js-plotly-plot .modebar-btn:is(.active, :hover) path {fill: light-dark(#0068A5, #56B4E9) !important;}
  /* What the keyboard has reached is framed, everywhere alike; a slider's own control lies unseen over it. */
  [data-testid="stApp"] :is(a, button, summary, [tabindex="0"]):focus-visible,
  [data-testid="stSlider"]:has(input:focus-visible)
    {outline: 2px solid light-dark(#0068A5, #56B4E9) !important; outline-offset: 2px; border-radius: 0.3rem;}
  /* Slanted letters reach a little beyond their box, which made a scroll bar of every formula. */
  .katex-display {padding: 0.2rem 0.3rem 0.4rem;}
  @media (max-width: 640px) {
    /* Pictures to be compared stay side by side on a phone; figures and thumbnails stand in pairs. */
    [class*="st-key-abreast"] [data-testid="stHorizontalBlock"] {flex-wrap: nowrap; gap: 0.5rem;}
    [class*="st-key-abreast"] [data-testid="stColumn"] {min-width: 0 !important; flex: 1 1 0 !important; font-size: 0.85rem;}
    [class*="st-key-paired"] [data-testid="stHorizontalBlock"] {gap: 0.75rem;}
    [class*="st-key-paired"] [data-testid="stColumn"] {min-width: 45% !important; flex: 1 1 45% !important;}
    .katex-display {font-size: 0.85em; overflow: auto hidden;}
  }
</style>
"""


def open_page(title: str) -> None:
    """Set the page up. Must be the first thing a page calls."""
    st.set_page_config(page_title=f"{title} · Denoised Smoothing Lab", page_icon=":material/verified_user:", layout="wide")
    st.html(_STYLE)
    open_presenting()
    with st.sidebar:
        st.markdown("**Denoised Smoothing Lab**")
        for path, label, icon in PAGES:
            if (ROOT / path).exists():
                st.page_link(path, label=label, icon=icon)
    read_link()


def close_page() -> None:
    """Write the foot and the side line, last, so that they know what became of the link and the speed of the run just shown."""
    say_refused()
    close_presenting([page for page in PAGES if (ROOT / page[0]).exists()])
    from core.device import describe_device, pick_device  # torch takes seconds the first time; by now the page is drawn

    with st.sidebar:
        st.divider()
        speed = st.session_state.get(SPEED)
        measured = f" · {speed:,.0f} samples/s in the last run" if speed else ""
        st.caption(f":material/memory: {describe_device(pick_device())}{measured}")
        st.caption("sigma and radii are in [0, 1] pixel units; 0.25 is 64 of 255 grey levels.")
    spare_modules()
