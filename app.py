"""The landing page: a finished certificate, what it means, and the ways in."""

import streamlit as st

from core.report import words
from core.ui.frame import close_page, open_page, presenting
from core.ui.landing import draw_first, draw_others, finished

FIRST = "red-car"

open_page("Start")
st.title("A certified prediction")
if not finished():
    st.warning("No finished certificates are stored: run 'python -m assets.certificates.make' once.", icon=":material/warning:")
    st.stop()
first = FIRST if FIRST in finished() else next(iter(finished()))
sheet = draw_first(first, presenting())

with st.expander("What is behind it, and what it does not say", icon=":material/info:"):
    st.markdown(
        "The classifier was trained on clean pictures and is used as it is. Noise is added to many copies of the picture,"
        " a denoiser cleans them, the classifier looks at each, and the majority wins (denoised smoothing, Salman et al. 2020)."
        " From the vote follows a radius within which the majority cannot change (Cohen et al. 2019)."
    )
    caveats = words.caveats(finished()[first][1].certificate)
    st.markdown("\n".join(f"{number}. {text}" for number, text in enumerate(caveats, 1)))
    sheet.offer()

st.subheader("More finished certificates")
draw_others(first)
close_page()
