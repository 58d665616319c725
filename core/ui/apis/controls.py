"""What a vision API is asked on its page, all but price list and label map part of the link; and starting it."""

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitSecretNotFoundError

from core.apis.demo import DEMO_LIMITS
from core.apis.http import described_endpoints
from core.apis.labels import LabelMap, parse_label_map
from core.apis.ledger import Allowance, Ledger
from core.apis.provider import Described, Provider
from core.apis.providers import VENDORS, describe_provider, load_provider
from core.apis.study import RemoteRequest, RemoteStudy, kept_seed, preview, stored_queries, study_remote, without_budget
from core.device import pick_device
from core.errors import LabError
from core.folders import answers_file
from core.models.catalogue import denoisers
from core.plain_text import plain
from core.runs.unfinished import Unfinished, remembered, unfinished
from core.smoothing.settings import Settings
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs, models, picture_key, work_key
from core.ui.linked import (
    SHARED,
    choose_alpha,
    choose_seed,
    choose_sigma,
    drawn_seed,
    link_seed,
    linked_choice,
    linked_number,
    linked_switch,
)
from core.ui.login import others_come_in, visitor
from core.ui.sentences import show_error, stored_texts

PROSE = stored_texts("pages/apis")

ASKED = SessionJobs("api")
PREVIEWS = SessionJobs("api-previews")
SIDES = (32, 64, 96, 128, 224)
_CONTROLS = (
    *("picture", "sigma", "api", "api-denoiser", "api-side", "api-side-vendor", "api-budget", "api-n", "api-n0", "api-alpha"),
    *("api-seed", "api-bound", "api-until", "api-compare", "api-labels"),
)
"""The keys of all that decides which answers are bought, but for the table of prices."""
LIMITS = {"LAB_MAX_BUDGET": 5.0, "LAB_VISITOR_BUDGET": 20.0, "LAB_SERVER_BUDGET": 100.0}
"""Dollars that may be spent on a picture, by a visitor and by all in 30 days, unless the variable says otherwise."""


def most_dollars(name: str = "LAB_MAX_BUDGET") -> float:
    """The most that may be spent, by the name of the limit, since it is the operator's money; nothing where it is no sum."""
    try:
        most = float(os.environ.get(name) or LIMITS[name])
    except ValueError:
        most = -1.0
    if not 0 <= most < 1e9:
        st.warning(PROSE["no-sum"].format(name=name), icon=":material/warning:")
        return 0.0
    return most


def allowance(provider: str) -> Allowance | None:
    """What bounds this visitor's spending on a provider; None where it is play money, or there is nobody but the operator."""
    named = [name for name in ("LAB_VISITOR_BUDGET", "LAB_SERVER_BUDGET") if os.environ.get(name)]
    if provider == "api/demo" or not (named or others_come_in()):
        return None
    return Allowance(most_dollars("LAB_VISITOR_BUDGET"), most_dollars("LAB_SERVER_BUDGET"))


def choose_provider() -> str:
    """The provider: the demo first, then the vendors, then the endpoints that the operator described."""
    titles = {"api/demo": "Demo: an API on this machine, free"}
    titles |= {f"api/{name}": vendor.title for name, vendor in VENDORS.items()}
    titles |= {reference: f"HTTP: {name}" for name, reference in described_endpoints(visitor()).items()}
    return linked_choice("Vision API", titles, "api/demo", "api")


def choose_price(provider: str) -> tuple[float, float]:
    """Price of a query and queries a second, from a list that the operator, alone, puts right for their own contract."""
    references = ["api/demo", *(f"api/{name}" for name in VENDORS), *described_endpoints(visitor()).values()]
    rows = {}
    for reference in dict.fromkeys([provider, *references]):
        try:
            limits = DEMO_LIMITS if reference == "api/demo" else describe_provider(reference).limits
        except LabError as error:
            st.warning(plain(str(error)), icon=":material/warning:")
            continue
        rows[reference] = (limits.price, limits.rate)
    if others_come_in():  # a visitor who names the price would name the budget, too
        price, rate = rows.get(provider, (0.0, 1.0))
        st.caption(PROSE["set-price"].format(price=price, rate=rate))
        return price, rate
    columns = {
        "dollars a query": st.column_config.NumberColumn(min_value=0.0, max_value=10.0, format="%.5f", step=0.00001),
        "queries a second": st.column_config.NumberColumn(min_value=0.01, max_value=1000.0),
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    config = {"_index": st.column_config.TextColumn("API")} | columns
    edited = st.data_editor(table, key="api-terms", width="stretch", disabled=["_index"], column_config=config)
    st.caption(PROSE["prices"])
    price, rate = edited.loc[provider] if provider in edited.index else (0.0, 1.0)
    return float(price), float(rate)


def choose_label_map() -> LabelMap:
    """Synonyms, one class a line. A mistake is told, and no map is used meanwhile."""
    example = "cat: tabby, kitten\ndog: hound, terrier"
    text = st.text_area("Label map (optional)", key="api-labels", placeholder=example, height=110, help=PROSE["labels"])
    try:
        return parse_label_map(text or "")
    except LabError as error:
        show_error(f"{error} Until then, no map is used.")
        return LabelMap()


def choose_request(provider: str) -> tuple[RemoteRequest, int | None]:
    """All controls beside the picture and the provider; and the seed, where one is asked for."""
    demo = provider == "api/demo"
    left, right = st.columns(2)
    with left:
        titles = {entry.ref: entry.title for entry in denoisers()}
        # Trained without any classifier, since a vendor's cannot be trained through.
        default = "bundled/cifar10-mse" if "bundled/cifar10-mse" in titles else "none"
        denoiser = linked_choice("Denoiser (runs on this machine)", titles, default, "api-denoiser")
        sides = {str(side): f"{side} x {side} pixels" for side in SIDES}
        default, key = ("32", "api-side") if demo else ("224", "api-side-vendor")
        side = int(linked_choice("Picture size for noise and certificate", sides, default, key))
    with right:
        sigma = choose_sigma()
        most = most_dollars()
        usual, help = min(0.5, most), PROSE["budget"]
        budget = linked_number("Budget in dollars", (0.0, most), usual, "api-budget", step=0.05, help=help)
    with st.expander("Samples, confidence, when to stop", icon=":material/tune:"):
        first, second, third = st.columns(3)
        with first:
            n = linked_number("n: answers counted", (20, 10_000), 200, "api-n", step=10)
            n0 = linked_number("n0: answers that choose the class", (5, 200), 20, "api-n0", step=5)
        with second:
            alpha = choose_alpha("api-alpha")
            seed = choose_seed("api-seed")
        with third:
            method = linked_choice("Bound", SHARED["methods"], "anytime", "api-bound")
            label = "Stop once this radius is settled (0: go on)"
            until = linked_number(label, (0.0, 4.0), 0.0, "api-until", step=0.05, help=PROSE["until"])
            compare = linked_switch("Also without the denoiser (half the budget each)", False, "api-compare")
    with st.expander("Prices and rate limits", icon=":material/payments:"):
        price, rate = choose_price(provider)
    with st.expander("Which labels count as which class", icon=":material/label:"):
        labels = choose_label_map()
    until_radius = until if until > 0 and method == "anytime" else None
    request = RemoteRequest(
        provider=provider,
        price=price,
        rate=rate,
        denoiser=denoiser,
        settings=Settings(sigma, n0=n0, n=n, alpha=alpha, method=method, until_radius=until_radius),
        side=side,
        budget=budget,
        compare=compare,
        labels=labels,
    )
    return request, seed


def seeded_request(picture: Image.Image, request: RemoteRequest, seed: int | None) -> RemoteRequest:
    """The request with the seed that is asked for; else that of answers paid for before; else one that is drawn."""
    if seed is None:
        facts, denoiser = _facts(request)
        kept = kept_seed(request, picture, facts=facts, denoiser=denoiser, ledger=ledger(request.provider))
        seed = drawn_seed(picture_key(picture), without_budget(request)) if kept is None else kept
    link_seed(seed, "api-seed")
    return replace(request, settings=replace(request.settings, seed=seed))


def _facts(request: RemoteRequest) -> tuple[Described, object | None]:
    """The provider, and the denoiser, whose revision names the run, so it must be loaded."""
    facts = describe_provider(request.provider, request.price, request.rate)
    return facts, models().denoiser(request.denoiser, pick_device("auto"))


@st.cache_resource(show_spinner=False)
def _opened(path: str) -> Ledger:
    return Ledger(Path(path))


def ledger(provider: str) -> Ledger:
    """The file of answers as this visitor pays for those of a provider."""
    return _opened(str(answers_file())).paid_by(visitor(), allowance(provider))


def secrets() -> Mapping[str, str]:
    """Credentials: Streamlit secrets, where there are any, before the environment."""
    try:
        own = {name: value for name, value in st.secrets.items() if isinstance(value, str)}
    except StreamlitSecretNotFoundError:
        own = {}
    return {**os.environ, **own}


def told_of_asking(left: Unfinished) -> str:
    """What was cut short, in words."""
    name, destination = left.asked.get("name"), left.asked.get("destination")
    again = f" Upload {name} again first." if left.asked.get("uploaded") else ""
    return PROSE["cut-short"].format(name=name, destination=destination) + again


def go_on_asking(left: Unfinished) -> None:
    """Put the controls as they were; prices are asked for anew."""
    held = left.asked.get("controls")
    if not isinstance(held, dict):
        show_error("What was asked of the API cannot be read: drop it, and begin anew.")
        return
    for key, value in held.items():
        if key in _CONTROLS:
            st.session_state[key] = value


def start_asking(picture: Image.Image, name: str, request: RemoteRequest, offline: bool = False, uploaded: bool = False) -> Job:
    """Queue a study. Raises LabError where the queue is full or the provider cannot be used."""
    cache, device, book = models(), pick_device("auto"), ledger(request.provider)
    provider: Provider | Described
    if offline:
        provider = describe_provider(request.provider, request.price, request.rate)
    else:
        # Here, where Streamlit's secrets can be read: the queue's threads cannot.
        provider = load_provider(request.provider, price=request.price, rate=request.rate, secrets=secrets())

    controls = {key: st.session_state[key] for key in _CONTROLS if key in st.session_state}
    controls["api-seed"] = request.settings.seed
    asked = {"name": name, "destination": provider.destination, "uploaded": uploaded, "controls": controls}
    asked["owner"] = visitor().key
    left = next((work for work in unfinished("api") if work.asked == asked), None)

    def work(context: JobContext) -> RemoteStudy:
        with nullcontext() if offline else remembered("api", asked, left):
            denoiser = cache.denoiser(request.denoiser, device)
            with context.aside():  # it mostly waits for answers; making a copy takes less
                return study_remote(
                    picture,
                    provider,
                    denoiser,
                    request,
                    ledger=book,
                    device=str(device),
                    offline=offline,
                    report=context.report,
                    should_stop=context.should_stop,
                )

    # No key for the queue: what a finished run returned is in the file of answers, and the same request may now get further.
    return ASKED.start(work_key(picture, request), f"Ask {request.provider} about {name}", work, shared=False)


def start_preview(picture: Image.Image, request: RemoteRequest) -> Job:
    """Queue the first few pictures that would be sent."""
    cache, device = models(), pick_device("auto")

    def work(context: JobContext) -> list[tuple[Image.Image, Image.Image]]:
        return preview(picture, cache.denoiser(request.denoiser, device), request, device)

    return PREVIEWS.start(work_key(picture, without_budget(request)), "Preview", work)


def answered_already(picture: Image.Image, request: RemoteRequest) -> int:
    """How many of the queries are stored."""
    facts, denoiser = _facts(request)
    return stored_queries(request, picture, facts=facts, denoiser=denoiser, ledger=ledger(request.provider))
