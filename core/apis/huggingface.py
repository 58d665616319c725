"""Hugging Face Inference Providers, image classification, through the official client."""

from collections.abc import Mapping
from typing import Any

from core.apis.provider import (
    Answer,
    InDoubtError,
    Label,
    Limits,
    NotSentError,
    QueryFailedError,
    RefusedError,
    UnusableError,
    best_first,
    failure_of,
)

LIMITS = Limits(price=0.0001, rate=5, max_bytes=10 * 2**20)
"""Billed by computing time, so the price is a guess that the user puts right."""

DEFAULT_MODEL = "google/vit-base-patch16-224"


class HuggingFaceInference:
    """``api/huggingface[/OWNER/MODEL]``. Credentials: ``HF_TOKEN``; ``HF_INFERENCE_URL`` names an endpoint of one's own."""

    destination = "Hugging Face Inference Providers"

    def __init__(self, secrets: Mapping[str, str], model: str = DEFAULT_MODEL, limits: Limits = LIMITS) -> None:
        from huggingface_hub import InferenceClient

        token, url = secrets.get("HF_TOKEN"), secrets.get("HF_INFERENCE_URL")
        if not token:
            raise RefusedError("There are no credentials for Hugging Face: set HF_TOKEN to an access token.")
        self.limits, self.model, self.ref = limits, model, f"api/huggingface/{model}"
        self._client: Any = InferenceClient(model=url or model, token=token, timeout=limits.timeout)

    def ask(self, png: bytes) -> Answer:
        """One image-classification request."""
        try:
            found = self._client.image_classification(png)
        except Exception as error:
            raise _failure(error) from error
        try:
            labels = [Label(str(one["label"]), float(one["score"])) for one in found]
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableError(f"The answer cannot be read: {type(error).__name__}.") from error
        return best_first(labels)


def _failure(error: Exception) -> QueryFailedError:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

    if isinstance(error, InferenceTimeoutError):
        return InDoubtError("The API did not answer in time.")
    if isinstance(error, HfHubHTTPError):
        return failure_of(
            error.response.status_code, str(error.server_message or ""), error.response.headers.get("Retry-After")
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return NotSentError("Hugging Face could not be reached: check the connection.")
    if isinstance(error, httpx2.TimeoutException):
        return InDoubtError("The API did not answer in time.")
    if isinstance(error, httpx2.TransportError):
        return InDoubtError("The connection was cut before the API answered.")
    if isinstance(error, ValueError | TypeError | KeyError):
        return UnusableError(f"The answer cannot be read: {type(error).__name__}.")
    return InDoubtError(f"The client failed in a way that is not known: {type(error).__name__}.")
