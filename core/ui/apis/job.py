"""Starting studies by an API, and previews of what would be sent, from a page."""

from __future__ import annotations

import os
from collections.abc import Mapping

import streamlit as st
from PIL import Image
from streamlit.errors import StreamlitSecretNotFoundError

from core.apis.ledger import Ledger
from core.apis.provider import Described, Provider
from core.apis.providers import describe_provider, load_provider
from core.apis.study import RemoteRequest, RemoteStudy, preview, stored_queries, study_remote, without_budget
from core.device import pick_device
from core.folders import answers_file
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models, picture_key

ASKED = SessionJobs("api")
PREVIEWS = SessionJobs("api-previews")


@st.cache_resource(show_spinner=False)
def ledger() -> Ledger:
    """The file of answers, opened once a process."""
    return Ledger(answers_file())


def secrets() -> Mapping[str, str]:
    """Credentials: Streamlit secrets, where there are any, before the environment."""
    try:
        own = {name: value for name, value in st.secrets.items() if isinstance(value, str)}
    except StreamlitSecretNotFoundError:
        own = {}
    return {**os.environ, **own}


def request_key(picture: Image.Image, request: RemoteRequest) -> Key:
    """Names what is on the page: the picture's bytes and every number."""
    return ("api", picture_key(picture), request)


def start_asking(picture: Image.Image, name: str, request: RemoteRequest, offline: bool = False) -> Job:
    """Queue a study. Raises LabError where the queue is full or the provider cannot be used."""
    cache, device, book = models(), pick_device("auto"), ledger()
    provider: Provider | Described
    if offline:
        provider = describe_provider(request.provider, request.price, request.rate)
    else:
        # Here, where Streamlit's secrets can be read: the queue's threads cannot.
        provider = load_provider(request.provider, price=request.price, rate=request.rate, secrets=secrets())

    def work(context: JobContext) -> RemoteStudy:
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
    return ASKED.start(request_key(picture, request), f"Ask {request.provider} about {name}", work, shared=False)


def preview_key(picture: Image.Image, request: RemoteRequest) -> Key:
    """Names a preview: what decides the pictures, and nothing else."""
    return ("api-preview", picture_key(picture), without_budget(request))


def start_preview(picture: Image.Image, request: RemoteRequest) -> Job:
    """Queue the first few pictures that would be sent."""
    cache, device = models(), pick_device("auto")

    def work(context: JobContext) -> list[tuple[Image.Image, Image.Image]]:
        return preview(picture, cache.denoiser(request.denoiser, device), request, device)

    return PREVIEWS.start(preview_key(picture, request), "Preview", work)


def answered_already(picture: Image.Image, request: RemoteRequest) -> int:
    """How many of the queries are stored. Needs the denoiser, whose revision names the run, so it must be loaded."""
    facts = describe_provider(request.provider, request.price, request.rate)
    denoiser = models().denoiser(request.denoiser, pick_device("auto"))
    return stored_queries(request, picture, facts=facts, denoiser=denoiser, ledger=ledger())
