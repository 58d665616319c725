"""The frame of every page: title, navigation, presenter mode, and the side line that says what computes and how fast.

Presenter mode has large type and no side bar, for a room that looks at a projector: ``?present=1`` in any link.
"""

from __future__ import annotations

import gc
import sys

import streamlit as st

from core.ui.linked import newly_asked, read_link, say_refused, write_link

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
PARAMETER, SWITCH = "present", "presenter-mode"
YES = ("1", "true", "yes", "on")
GROWN = 50
"""So many modules more are worth a new look at what garbage collection may pass over."""

_modules = 0

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

_PRESENTING_STYLE = """
<style>
  html {font-size: 125%;}
  [data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"], [data-testid="stExpandSidebarButton"],
    [data-testid="stHeader"], [data-testid="stToolbar"] {display: none !important;}
  .block-container {max-width: 100% !important; padding-top: 1.2rem !important;}
  [data-testid="stMarkdownContainer"] p, [data-testid="stMarkdownContainer"] li {font-size: 1.1rem; line-height: 1.5;}
  [data-testid="stCaptionContainer"] p {font-size: 0.95rem !important;}
</style>
"""


def open_page(title: str) -> None:
    """Set the page up. Must be the first thing a page calls."""
    st.set_page_config(page_title=f"{title} · Denoised Smoothing Lab", page_icon=":material/verified_user:", layout="wide")
    st.html(_STYLE)
    _open_presenting()
    with st.sidebar:
        st.markdown("**Denoised Smoothing Lab**")
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon)
    read_link()


def close_page() -> None:
    """Write the foot and the side line, last, so that they know what became of the link and the speed of the run just shown."""
    say_refused()
    _close_presenting()
    from core.device import describe_device, pick_device  # torch takes seconds the first time; by now the page is drawn

    with st.sidebar:
        st.divider()
        speed = st.session_state.get(SPEED)
        measured = f" · {speed:,.0f} samples/s in the last run" if speed else ""
        st.caption(f":material/memory: {describe_device(pick_device())}{measured}")
        st.caption("sigma and radii are in [0, 1] pixel units; 0.25 is 64 of 255 grey levels.")
    spare_modules()


def presenting() -> bool:
    """Whether presenter mode is on."""
    return bool(st.session_state.get(SWITCH, False))


def _open_presenting() -> None:
    """Hear what the link asks for, and set the large type where the mode is on. Call first on a page."""
    asked = newly_asked(PARAMETER)
    if asked and asked[-1].lower() in YES:
        st.session_state[SWITCH] = True
    if presenting():
        st.html(_PRESENTING_STYLE)


def _close_presenting() -> None:
    """The switch, at the foot of the page; with it, while presenting, the links that stand in the side bar elsewhere."""
    with st.container(horizontal=True, key="presenter"):
        # bind="query-params" would know "true" only, and forget "1" as soon as the page is loaded again.
        on = st.toggle("Presenter mode", key=SWITCH, persist_state="session", help="Large type, no side bar; part of the link.")
        if on:
            for path, label, icon in PAGES:
                st.page_link(path, label=label, icon=icon, query_params={PARAMETER: "1"})
    write_link(PARAMETER, ["1"] if on else [])


def spare_modules() -> None:
    """Freeze what is alive, once many modules have been imported since the last time.

    Streamlit collects garbage fully after every run of a page's program, and answers nothing meanwhile. With torch and its
    like imported that takes 0.16 s each time, spent on functions and classes that never go away; frozen, they are passed
    over. Garbage is collected first, and what an earlier freeze caught by chance is let go.
    """
    global _modules
    if len(sys.modules) < _modules + GROWN:
        return
    _modules = len(sys.modules)
    gc.unfreeze()
    gc.collect()
    gc.freeze()
