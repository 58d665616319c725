"""Amazon Rekognition, detect_labels, through the official client."""

from collections.abc import Mapping
from typing import Any

from core.apis.provider import Limits, QueryFailedError, RefusedError, VendorClient, failure_of

LIMITS = Limits(price=0.001, rate=5, min_side=80, max_bytes=5 * 2**20)
"""Public documentation: 5 MB as bytes, at least 80 pixels a side, 5 to 50 requests a second by region."""


class Rekognition(VendorClient):
    """``api/aws``: DetectLabels.

    Credentials and region: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``,
    ``AWS_DEFAULT_REGION``, or whatever boto3 finds; ``AWS_ENDPOINT_URL_REKOGNITION`` names another endpoint.
    """

    ref, model, destination = "api/aws", "detect-labels", "Amazon Rekognition"

    def __init__(self, secrets: Mapping[str, str], limits: Limits = LIMITS) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self.limits = limits
        region = secrets.get("AWS_REGION") or secrets.get("AWS_DEFAULT_REGION")
        if bool(secrets.get("AWS_ACCESS_KEY_ID")) != bool(secrets.get("AWS_SECRET_ACCESS_KEY")):
            raise RefusedError("The credentials for Amazon Rekognition are incomplete: set both AWS keys.")
        try:
            keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            session = boto3.Session(region_name=region, **{key.lower(): secrets.get(key) for key in keys})
            if session.get_credentials() is None:
                raise RefusedError(
                    "There are no credentials for Amazon Rekognition: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
                )
            once = {"total_max_attempts": 1, "mode": "standard"}  # the client's own retries would pay twice
            at_once, patience = max(10, limits.concurrency), limits.timeout
            config = Config(retries=once, connect_timeout=10, read_timeout=patience, max_pool_connections=at_once)
            endpoint = secrets.get("AWS_ENDPOINT_URL_REKOGNITION")
            self._client: Any = session.client("rekognition", endpoint_url=endpoint, config=config)
        except BotoCoreError as error:
            raise self._failure(error) from error
        except ValueError as error:
            raise RefusedError(f"Amazon Rekognition's region or endpoint is not usable: {error}") from error

    def _request(self, png: bytes) -> Any:
        return self._client.detect_labels(Image={"Bytes": png}, MaxLabels=10)

    def _labels(self, found: Any) -> list[tuple[str, float]]:
        self.model = f"detect-labels/{found.get('LabelModelVersion', 'unknown')}"
        return [(label["Name"], label["Confidence"]) for label in found["Labels"]]

    def _failure(self, error: Exception) -> QueryFailedError:
        from botocore import exceptions
        from botocore.parsers import ResponseParserError

        if isinstance(error, exceptions.ClientError):
            told, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
            code, message = str(told.get("Code", "")), str(told.get("Message", ""))
            status = 429 if code in _BUSY else 403 if code in _DENIED else int(meta.get("HTTPStatusCode", 400))
            message = message if code in _BUSY | _DENIED else f"{code}: {message}"
            return failure_of(status, message, meta.get("HTTPHeaders", {}).get("retry-after"))
        if isinstance(error, exceptions.NoRegionError):
            return RefusedError("No region is set for Amazon Rekognition: set AWS_DEFAULT_REGION, such as eu-west-1.")
        if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError | exceptions.ProfileNotFound):
            return RefusedError("The credentials for Amazon Rekognition are missing or incomplete: set both AWS keys.")
        return self._sorted(
            error,
            unreached=(exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError),
            late=(exceptions.ReadTimeoutError,),
            cut=(exceptions.ConnectionClosedError, exceptions.HTTPClientError),
            unreadable=(ResponseParserError, LookupError, ValueError, TypeError, AttributeError),
            check="the connection and the region",
        )


_BUSY = {"ThrottlingException", "ProvisionedThroughputExceededException", "TooManyRequestsException", "LimitExceededException"}
_DENIED = {
    "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException",
    "IncompleteSignature", "MissingAuthenticationToken", "SubscriptionRequiredException",
}  # fmt: skip
