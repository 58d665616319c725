"""Azure AI Vision, image analysis with tags, through the official client."""

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

LIMITS = Limits(price=0.001, rate=10, min_side=50, max_side=16_000, max_bytes=20 * 2**20)
"""Public documentation: 50 to 16,000 pixels a side, 20 MB, 10 requests a second in tier S1."""


class AzureVision:
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

    def ask(self, png: bytes) -> Answer:
        """One analyze request."""
        try:
            result = self._client.analyze(image_data=png, visual_features=self._features)
        except Exception as error:
            raise _failure(error) from error
        try:
            self.model = f"image-analysis/tags/{result.model_version}"
            labels = [Label(str(tag.name), float(tag.confidence)) for tag in result.tags.list]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnusableError(f"Azure's answer cannot be read: {type(error).__name__}.") from error
        return best_first(labels)


def _failure(error: Exception) -> QueryFailedError:
    from azure.core import exceptions

    if isinstance(error, exceptions.DecodeError | exceptions.DeserializationError):
        return UnusableError("Azure's answer cannot be read.")
    if isinstance(error, exceptions.HttpResponseError):
        status = error.status_code or 0
        if status == 200:
            return UnusableError("Azure's answer cannot be read.")
        headers = getattr(error.response, "headers", None) or {}
        return failure_of(status, str(error.message), headers.get("Retry-After"))
    if isinstance(error, exceptions.ServiceResponseTimeoutError):
        return InDoubtError("Azure AI Vision did not answer in time.")
    if isinstance(error, exceptions.ServiceResponseError):
        return InDoubtError("The connection was cut before Azure AI Vision answered.")
    if isinstance(error, exceptions.ServiceRequestError):
        return NotSentError("Azure AI Vision could not be reached: check VISION_ENDPOINT and the connection.")
    if isinstance(error, ValueError | TypeError | KeyError):
        return UnusableError(f"Azure's answer cannot be read: {type(error).__name__}.")
    return InDoubtError(f"Azure's client failed in a way that is not known: {type(error).__name__}.")
