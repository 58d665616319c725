"""Where the Hub is and where its files are kept, as the environment says at this moment.

The variables are those of the client library: HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE.
The library reads most of them once, when it is imported; here they are read at each use.
"""

from __future__ import annotations

import os
from pathlib import Path

TIMEOUT_SECONDS = 10.0
"""How long the Hub may stay silent before it counts as gone."""


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
