"""Azure AI Vision, image analysis with tags, through the official client."""

from collections.abc import Mapping
from typing import Any

from core.apis.provider import Limits, QueryFailedError, RefusedError, VendorClient, failure_of

LIMITS = Limits(price=0.001, rate=10, min_side=50, max_side=16_000, max_bytes=20 * 2**20)
"""Public documentation: 50 to 16,000 pixels a side, 20 MB, 10 requests a second in tier S1."""


class AzureVision(VendorClient):
    """``api/azure``: analyze with the feature Tags. Credentials: ``VISION_ENDPOINT`` and ``VISION_KEY``."""

    ref, model, destination = "api/azure", "image-analysis/tags", "Azure AI Vision"

    def __init__(self, secrets: Mapping[str, str], limits: Limits = LIMITS) -> None:
        from azure.ai.vision.imageanalysis import ImageAnalysisClient
        from azure.ai.vision.imageanalysis.models import VisualFeatures
        from azure.core.credentials import AzureKeyCredential

        endpoint, key = secrets.get("VISION_ENDPOINT"), secrets.get("VISION_KEY")
        if not endpoint or not key:
            raise RefusedError("There are no credentials for Azure AI Vision: set VISION_ENDPOINT and VISION_KEY.")
        self.limits = limits
        self._features = [VisualFeatures.TAGS]
        # retry_total=0: the client's own retries would pay twice.
        self._client: Any = ImageAnalysisClient(
            endpoint, AzureKeyCredential(key), retry_total=0, connection_timeout=10, read_timeout=limits.timeout
        )

    def _request(self, png: bytes) -> Any:
        return self._client.analyze(image_data=png, visual_features=self._features)

    def _labels(self, found: Any) -> list[tuple[str, float]]:
        self.model = f"image-analysis/tags/{found.model_version}"
        return [(tag.name, tag.confidence) for tag in found.tags.list]

    def _failure(self, error: Exception) -> QueryFailedError:
        from azure.core import exceptions

        undecoded = isinstance(error, exceptions.DecodeError) or getattr(error, "status_code", None) == 200
        if isinstance(error, exceptions.HttpResponseError) and not undecoded:
            headers = getattr(error.response, "headers", None) or {}
            return failure_of(error.status_code or 0, str(error.message), headers.get("Retry-After"))
        return self._sorted(
            error,
            unreached=(exceptions.ServiceRequestError,),
            late=(exceptions.ServiceResponseTimeoutError,),
            cut=(exceptions.ServiceResponseError,),
            unreadable=(exceptions.HttpResponseError, ValueError, TypeError, LookupError),
            check="VISION_ENDPOINT and the connection",
        )
