"""Everything that can go wrong with the Hub, each told in one sentence."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import LabError
from core.models.hub.settings import access_token, endpoint

SHOWN_ADDRESS = "https://huggingface.co"


class DownloadStoppedError(LabError):
    """The user stopped a download."""


class HubUnreachableError(LabError):
    """The Hub did not answer, or answered that it cannot at the moment: what is cached may still do."""


@contextmanager
def telling(name: str, revision: str | None = None) -> Iterator[None]:
    """Turn whatever goes wrong within ``with`` into a :class:`~core.errors.LabError` about the repository ``name``.

    Raises:
        LabError: one sentence; :class:`HubUnreachableError` where the Hub could not be asked.
    """
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        raise told(error, name, revision) from error


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


def _retry_after(response: object) -> str:
    seconds = str(getattr(response, "headers", {}).get("Retry-After", "")).strip()
    if not seconds.isdigit():
        return "in a few minutes"
    count = int(seconds)
    return f"in {count} s" if count < 120 else f"in {round(count / 60)} minutes"
