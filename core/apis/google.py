"""Google Cloud Vision, label detection, through the official client."""

from collections.abc import Mapping
from typing import Any

from core.apis.provider import Limits, QueryFailedError, RefusedError, VendorClient, connection_failure, failure_of

LIMITS = Limits(price=0.0015, rate=10, max_bytes=7 * 2**20)
"""Public documentation: 1,800 requests a minute, 10 MB a request of JSON, in which pictures grow by a third."""


class GoogleVision(VendorClient):
    """``api/google``: ``images:annotate`` with LABEL_DETECTION.

    Credentials: ``GOOGLE_API_KEY``, or whatever Google's own client finds (``GOOGLE_APPLICATION_CREDENTIALS`` and so on).
    ``GOOGLE_VISION_ENDPOINT`` names another endpoint, such as a regional one.
    """

    ref, model, destination = "api/google", "label-detection/builtin-stable", "Google Cloud Vision"

    def __init__(self, secrets: Mapping[str, str], limits: Limits = LIMITS) -> None:
        from google.api_core.client_options import ClientOptions
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import vision

        self.limits = limits
        self._vision = vision
        endpoint, key = secrets.get("GOOGLE_VISION_ENDPOINT"), secrets.get("GOOGLE_API_KEY")
        try:
            self._client: Any = vision.ImageAnnotatorClient(
                transport="rest", client_options=ClientOptions(api_endpoint=endpoint, api_key=key)
            )
        except (DefaultCredentialsError, ValueError) as error:
            raise RefusedError(
                "There are no credentials for Google Cloud Vision: set GOOGLE_API_KEY or GOOGLE_APPLICATION_CREDENTIALS."
            ) from error

    def _request(self, png: bytes) -> Any:
        # retry=None: the client's own retries would pay twice.
        response = self._client.label_detection(
            self._vision.Image(content=png), max_results=10, retry=None, timeout=self.limits.timeout
        )
        if response.error.code:
            raise failure_of(_HTTP.get(response.error.code, 400), response.error.message)
        return response

    def _labels(self, found: Any) -> list[tuple[str, float]]:
        labels = [(label.description, label.score) for label in found.label_annotations]
        if not all(name for name, _ in labels):
            raise ValueError("a label without a name")
        return labels

    def _failure(self, error: Exception) -> QueryFailedError:
        import requests
        from google.api_core import exceptions
        from google.auth.exceptions import GoogleAuthError
        from google.protobuf.json_format import ParseError

        if isinstance(error, exceptions.GoogleAPICallError) and error.code is not None:
            headers = getattr(error.response, "headers", None) or {}
            return failure_of(int(error.code), str(error.message), headers.get("Retry-After"))
        if isinstance(error, GoogleAuthError):
            return RefusedError("Google does not accept the credentials: check that they are right and not expired.")
        if isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
            return connection_failure(error)
        return self._sorted(error, unreadable=(ParseError, LookupError, ValueError, TypeError, AttributeError))


_HTTP = {4: 504, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401}
"""Codes of google.rpc.Code, which answers carry inside, as HTTP statuses."""
