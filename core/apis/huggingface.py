"""Hugging Face Inference Providers, image classification, through the official client."""

from collections.abc import Mapping
from typing import Any

from core.apis.provider import Limits, QueryFailedError, RefusedError, VendorClient, failure_of

LIMITS = Limits(price=0.0001, rate=5, max_bytes=10 * 2**20)
"""Billed by computing time, so the price is a guess that the user puts right."""

DEFAULT_MODEL = "google/vit-base-patch16-224"


class HuggingFaceInference(VendorClient):
    """``api/huggingface[/OWNER/MODEL]``. Credentials: ``HF_TOKEN``; ``HF_INFERENCE_URL`` names an endpoint of one's own."""

    destination = "Hugging Face Inference Providers"

    def __init__(self, secrets: Mapping[str, str], model: str = DEFAULT_MODEL, limits: Limits = LIMITS) -> None:
        from huggingface_hub import InferenceClient

        token, url = secrets.get("HF_TOKEN"), secrets.get("HF_INFERENCE_URL")
        if not token:
            raise RefusedError("There are no credentials for Hugging Face: set HF_TOKEN to an access token.")
        self.limits, self.model, self.ref = limits, model, f"api/huggingface/{model}"
        self._client: Any = InferenceClient(model=url or model, token=token, timeout=limits.timeout)

    def _request(self, png: bytes) -> Any:
        return self._client.image_classification(png)

    def _labels(self, found: Any) -> list[tuple[str, float]]:
        return [(one["label"], one["score"]) for one in found]

    def _failure(self, error: Exception) -> QueryFailedError:
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError

        if isinstance(error, HfHubHTTPError) and not isinstance(error, InferenceTimeoutError):
            return failure_of(
                error.response.status_code, str(error.server_message or ""), error.response.headers.get("Retry-After")
            )
        return self._sorted(
            error,
            unreached=(httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout),
            late=(InferenceTimeoutError, httpx2.TimeoutException),
            cut=(httpx2.TransportError,),
        )
