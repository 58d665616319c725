"""Asking the Hub: where it is and where its files are kept, work on it that can be given up, and what can go wrong.

The variables of the environment are those of the client library: HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and
HF_HUB_OFFLINE. The library reads most of them once, when it is imported; here they are read at each use.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from core.errors import LabError

T = TypeVar("T")

TIMEOUT_SECONDS = 10.0
"""How long the Hub may stay silent before it counts as gone."""
ANSWER_SECONDS = 60.0
"""How long an answer that is no file may take in all, however steadily it drips in."""
ANSWER_BYTES = 64 * 2**20
"""Of an answer that is no file."""
PATIENCE_SECONDS = 30.0
"""How long is waited in all where the Hub asks for patience (429) and says for how long."""
LOOK_SECONDS = 0.1
"""How often a stop is looked for; a stop is obeyed within 0.5 s."""
SHOWN_ADDRESS = "https://huggingface.co"
STORAGE_DOMAINS = ("huggingface.co", "hf.co")
"""Where the Hub keeps large files, beside its own host; LAB_HUB_HOSTS names more, for mirrors."""


def endpoint() -> str:
    """The address of the Hub, without a slash at its end."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def cache_folder() -> Path:
    """The folder that holds downloaded repositories, shared with every other program that uses the Hub."""
    from huggingface_hub import constants

    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    if os.environ.get("HF_HOME"):
        return Path(os.environ["HF_HOME"]).expanduser() / "hub"
    return Path(constants.HF_HUB_CACHE)


def is_offline() -> bool:
    """Whether the user forbids the network (HF_HUB_OFFLINE=1)."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in {"1", "ON", "YES", "TRUE"}


def access_token() -> str | None:
    """The user's token: HF_TOKEN, else the one that ``hf auth login`` stored, else None."""
    from huggingface_hub import get_token

    return get_token()


def request_headers() -> dict[str, str]:
    """Headers of a request to the Hub, with the token where there is one; the HTTP client never sends it on to other hosts."""
    token = access_token()
    return {"User-Agent": "denoised-smoothing-lab"} | ({"Authorization": f"Bearer {token}"} if token else {})


def repository_folder(name: str, kind: str = "model") -> Path:
    """The folder of one repository within the cache."""
    return cache_folder() / f"{kind}s--{name.replace('/', '--')}"


class DownloadStoppedError(LabError):
    """The user stopped a download."""


class HubUnreachableError(LabError):
    """The Hub did not answer, or answered that it cannot at the moment: what is cached may still do."""


@contextlib.contextmanager
def telling(name: str, revision: str | None = None) -> Iterator[None]:
    """Turn whatever goes wrong within ``with`` into a :class:`~core.errors.LabError` about the repository ``name``.
    Raises LabError, in one sentence; :class:`HubUnreachableError` where the Hub could not be asked."""
    from huggingface_hub import get_session

    session = get_session()
    session.headers["Accept-Encoding"] = "identity"  # what is unpacked on the way may be a thousand times as large
    if _check not in session.event_hooks["response"]:
        session.event_hooks["response"].append(_check)
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        raise told(error, name, revision) from error


def _check(response: Any) -> None:
    """See that an answer is not packed, sends on to the Hub's own hosts alone, and ends, where it is no file."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise LabError(
            f"The Hub at {endpoint()} answers packed, though it is asked not to: check HF_ENDPOINT, and what is between."
        )
    _check_redirect(response)
    if response.request.url.path.startswith(f"{urlsplit(endpoint()).path}/api/"):
        response.stream = _bounded(response.stream)


def _bounded(stream: Any) -> Any:
    """The bytes of an answer, as far as :data:`ANSWER_BYTES`."""
    kind: Any = next(kind for kind in type(stream).__mro__ if kind.__name__ == "SyncByteStream")  # of whichever library it is

    class Bounded(kind):
        def __iter__(self) -> Iterator[bytes]:
            left = ANSWER_BYTES
            for part in stream:
                left -= len(part)
                if left < 0:
                    raise LabError(f"What answers at {endpoint()} sends more than {ANSWER_BYTES >> 20} MB: check HF_ENDPOINT.")
                yield part

        def close(self) -> None:
            stream.close()

    return Bounded()


def _check_redirect(response: Any) -> None:
    """See that an answer sends on to the Hub's own hosts alone: another might be one that only this machine can reach."""
    if not response.has_redirect_location:
        return
    target = response.url.join(response.headers["location"])
    own = [response.url.host, urlsplit(endpoint()).hostname or ""]
    domains = [*own, *STORAGE_DOMAINS, *filter(None, os.environ.get("LAB_HUB_HOSTS", "").replace(" ", "").split(","))]
    known = any(target.host == domain or target.host.endswith(f".{domain}") for domain in domains if domain)
    if not known or target.scheme not in ("https", response.url.scheme):
        raise LabError(
            f"The Hub at {endpoint()} sends the request on to {target.scheme}://{target.host}, which is none of its hosts:"
            " nothing was asked there; if it is meant, name it in LAB_HUB_HOSTS."
        )
    if any(address.is_link_local for address in _addresses(target.host)):
        raise LabError(
            f"The Hub at {endpoint()} sends the request on to {target.host}, whose address is this network's own"
            " (link-local): nothing was asked there; try again later, and tell whoever runs that host."
        )


def _addresses(host: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Where a name leads, as far as it is known here: behind a proxy it may not be."""
    with contextlib.suppress(OSError, UnicodeError):
        found = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in socket.getaddrinfo(host, None)]
        return [getattr(address, "ipv4_mapped", None) or address for address in found]
    return []


def patiently(ask: Callable[[], T], abandon: Abandon) -> T:
    """Ask, and again after the time that the Hub wants where it is asked too often (429), within :data:`PATIENCE_SECONDS`."""
    waited = 0.0
    while True:
        try:
            return ask()
        except Exception as error:
            response = getattr(error, "response", None)
            seconds = _seconds_wanted(response) if getattr(response, "status_code", None) == 429 else None
            if seconds is None or waited + seconds > PATIENCE_SECONDS or abandon.wait(seconds):
                raise
            waited += seconds


def ask_hub(name: str, ask: Callable[[], T], should_stop: Callable[[], bool] | None = None, revision: str | None = None) -> T:
    """Ask the Hub what is no file, patiently, but not for ever; raises as :func:`telling` and :func:`run_stoppable`."""
    most = ANSWER_SECONDS + PATIENCE_SECONDS
    with telling(name, revision):
        return run_stoppable(lambda abandon: patiently(ask, abandon), should_stop, most_seconds=most)


def told(error: Exception, name: str, revision: str | None = None) -> LabError:
    """The sentence for an error of the client library. Errors that are none of these come back as they are, raised."""
    # By the names of the classes: the library changed the HTTP library beneath it before.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if "GatedRepoError" in kinds:
        return LabError(_gated(name))
    if "RevisionNotFoundError" in kinds:
        return LabError(
            f"The repository {name!r} has no revision {revision!r}: name a branch, a tag or a commit hash, such as main."
        )
    if "EntryNotFoundError" in kinds:
        return LabError(f"A file of {name!r} is missing on the Hub, though it is listed: try again, or name another revision.")
    if "DisabledRepoError" in kinds:
        return LabError(f"The Hub has disabled {name!r}: choose another model.")
    if "RepositoryNotFoundError" in kinds or status in (401, 404):
        return LabError(_not_found(name, status))
    if status == 403:
        return LabError(f"The Hub denies access to {name!r} (403): give HF_TOKEN a token that may read it.")
    if status == 429:
        return HubUnreachableError(f"The Hub asks for patience (429, too many requests): try again {_retry_after(response)}.")
    if status is not None and status >= 500:
        return HubUnreachableError(f"The Hub has a problem of its own ({status}) with {name!r}: try again in a few minutes.")
    if status is not None:
        return LabError(f"The Hub refused the request for {name!r} ({status}): check the name.")
    if "OfflineModeIsEnabled" in kinds:
        return LabError(not_cached(name, revision))
    if "TooManyRedirects" in kinds:
        return HubUnreachableError(f"The Hub at {endpoint()} sends requests for {name!r} in a circle: try again later.")
    if "TimeoutException" in kinds or isinstance(error, TimeoutError):
        return HubUnreachableError(f"The Hub at {endpoint()} did not answer in time: check the connection and try again.")
    if "ConnectError" in kinds or "ProxyError" in kinds or "UnsupportedProtocol" in kinds:
        return HubUnreachableError(
            f"The Hub at {endpoint()} cannot be reached: check the network and HF_ENDPOINT;"
            " HF_HUB_OFFLINE=1 uses what is cached."
        )
    if kinds & {"NetworkError", "ProtocolError", "DecodingError"}:
        return HubUnreachableError(
            f"The connection to the Hub broke off while {name!r} was on its way: try again, what has arrived is kept."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return LabError(f"The disk is full: make room for {name!r}, or move the cache with HF_HOME.")
    if isinstance(error, PermissionError):
        return LabError(f"The cache folder of the Hub cannot be written ({error.filename!r}): set HF_HOME to one that can.")
    if isinstance(error, ValueError) and "JSON" in "".join(kinds):
        return LabError(f"What answers at {endpoint()} is no Hub: check HF_ENDPOINT.")
    raise error


def not_cached(name: str, revision: str | None = None) -> str:
    """The sentence for a repository that offline mode cannot fetch."""
    which = f"{name}@{revision}" if revision else name
    return f"{which!r} is not in the cache, and HF_HUB_OFFLINE=1 forbids the network: unset it, or choose a cached model."


def _gated(name: str) -> str:
    page = f"{SHOWN_ADDRESS}/{name}"
    if access_token() is None:
        return f"The repository {name!r} is gated: ask for access on {page}, then set HF_TOKEN to your token."
    return f"The repository {name!r} is gated and your token has no access yet: ask for it on {page}."


def _not_found(name: str, status: int | None) -> str:
    if access_token() is None:
        return f"There is no public repository {name!r} on the Hub: check the spelling, or set HF_TOKEN if it is private."
    if status == 401:
        return f"The Hub does not accept your token for {name!r}: renew HF_TOKEN, or unset it for public repositories."
    return f"There is no repository {name!r} that your token can see: check the spelling and the token's rights."


def _seconds_wanted(response: object) -> int | None:
    seconds = str(getattr(response, "headers", {}).get("Retry-After", "")).strip()
    return int(seconds) if re.fullmatch("[0-9]{1,9}", seconds) else None


def _retry_after(response: object) -> str:
    count = _seconds_wanted(response)
    if count is None:
        return "in a few minutes"
    return f"in {count} s" if count < 120 else f"in {round(count / 60)} minutes"


class Abandon:
    """What work looks at to see whether anyone still wants it, and tells what it waits on."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._socket: socket.socket | None = None

    @property
    def asked(self) -> bool:
        """Whether nobody wants the result any more."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Pause, or less where the work is given up; whether it is."""
        return self._asked.wait(seconds)

    def waits_on(self, stream: Any) -> None:
        """Name the network stream of a response (its extension ``network_stream``), so that waiting on it can be cut short."""
        self._socket = None if stream is None else stream.get_extra_info("socket")

    def ask(self) -> None:
        """Give the work up."""
        self._asked.set()
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed in the meantime
                self._socket.shutdown(socket.SHUT_RDWR)


def run_stoppable(
    work: Callable[[Abandon], T],
    should_stop: Callable[[], bool] | None = None,
    look: Callable[[], None] | None = None,
    most_seconds: float = math.inf,
) -> T:
    """Do work in a thread of its own; ``look`` and ``should_stop`` are called here, every tenth of a second.
    Raises what the work raises, DownloadStoppedError where ``should_stop`` says so, at once, even while the work waits for the
    network, and HubUnreachableError where it takes longer than ``most_seconds``."""
    outcome: list[T] = []
    failure: list[BaseException] = []
    abandon = Abandon()

    def run() -> None:
        try:
            outcome.append(work(abandon))
        except BaseException as error:  # raised again by whoever waits
            failure.append(error)

    thread, ends = threading.Thread(target=run, name="hub", daemon=True), time.monotonic() + most_seconds
    thread.start()
    try:
        while thread.is_alive():
            thread.join(LOOK_SECONDS)
            if look is not None:
                look()
            if thread.is_alive() and should_stop is not None and should_stop():
                raise DownloadStoppedError(
                    "The download was stopped; what has arrived is kept, and the next try goes on from there."
                )
            if thread.is_alive() and time.monotonic() > ends:
                raise HubUnreachableError(
                    f"The Hub at {endpoint()} did not answer in full within {most_seconds:g} s: try again in a few minutes."
                )
    finally:
        abandon.ask()
        thread.join(LOOK_SECONDS)
    if failure:
        raise failure[0]
    return outcome[0]
