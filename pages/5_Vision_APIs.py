"""Certify what a remote vision API answers: plan the cost, ask within the budget, read the certificate."""

import streamlit as st

from core.apis.ledger import DAYS
from core.apis.providers import describe_provider
from core.apis.queries import make_plan
from core.apis.study import without_budget
from core.errors import LabError
from core.plain_text import plain
from core.ui.apis.controls import (
    ASKED,
    PREVIEWS,
    PROSE,
    answered_already,
    choose_provider,
    choose_request,
    go_on_asking,
    ledger,
    seeded_request,
    start_asking,
    start_preview,
    told_of_asking,
)
from core.ui.apis.view import draw_asked, draw_asking, draw_plan, draw_preview
from core.ui.frame import close_page, open_page
from core.ui.jobs.follow import begin, draw_job, draw_left, follow, under_way
from core.ui.jobs.job import Job
from core.ui.jobs.session import work_key
from core.ui.pictures import choose_pictures
from core.ui.sentences import show_error

open_page("Vision APIs")
st.title("Certify a vision API")
st.markdown(PROSE["title"])

draw_left("api", told_of_asking, go_on_asking)
left, right = st.columns([1, 1.6])
with left:
    provider = choose_provider()
    choice = choose_pictures("bundled/cifar10", suit=False)[0]
    picture, name = choice.picture.image, choice.picture.name
    st.image(picture, width=160, alt=f"The picture to certify: {name}.")
with right:
    request, seed = choose_request(provider)
try:
    facts = describe_provider(provider, request.price, request.rate)
    request = seeded_request(picture, request, seed)
    left_to_spend, stored = ledger(provider).left(), answered_already(picture, request)
except LabError as error:
    show_error(error)
    close_page()
    st.stop()
if provider == "api/demo":
    st.caption(PROSE["demo"])
else:
    st.warning(PROSE["sent"].format(destination=plain(facts.destination)), icon=":material/cloud_upload:")

key, look_key = work_key(picture, request), work_key(picture, without_budget(request))
ASKED.keep_only([key])
PREVIEWS.keep_only([look_key])
if PREVIEWS.find(look_key) is None:
    begin(lambda: start_preview(picture, request))
busy = under_way(ASKED.find(key)) or under_way(PREVIEWS.find(look_key))


def ask(offline: bool = False) -> None:
    """Ask, or count what is stored; say in a sentence why not."""
    ASKED.forget(key)
    if begin(lambda: start_asking(picture, name, request, offline, uploaded=choice.sample is None)):
        st.rerun()


def draw(asking: Job | None, look: Job | None) -> None:
    """What is there."""
    if look is not None and look.state == "failed":
        show_error(look.error or "")
    if look is not None and look.state == "done":
        draw_preview(look.result, "preview")
    else:
        st.caption("Making the first copies…")
    if asking is not None:
        draw_job(asking, draw_asking, lambda study: draw_asked(study, name, "asked"))


if left_to_spend is not None:
    st.caption(f"You may spend ${left_to_spend:,.2f} more within {DAYS} days.")
budget = request.budget if left_to_spend is None else min(request.budget, left_to_spend)
plan = make_plan(facts.limits, request.settings, budget=budget, runs=request.runs, stored=stored)
draw_plan(plan, request, stored)
with st.container(horizontal=True):
    running = under_way(ASKED.find(key))
    label = "Ask" if provider == "api/demo" else f"Ask and pay up to ${min(request.budget, plan.dollars):.2f}"
    if st.button(label, type="primary", icon=":material/play_arrow:", disabled=running):
        ask()
    if stored and st.button("Count stored answers only", icon=":material/inventory_2:", disabled=running):
        ask(offline=True)
follow(draw, lambda: ASKED.find(key), lambda: PREVIEWS.find(look_key), busy=busy)
close_page()
