"""Amazon Rekognition, detect_labels, through the official client."""

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

LIMITS = Limits(price=0.001, rate=5, min_side=80, max_bytes=5 * 2**20)
"""Public documentation: 5 MB as bytes, at least 80 pixels a side, 5 to 50 requests a second by region."""


class Rekognition:
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
            session = boto3.Session(
                aws_access_key_id=secrets.get("AWS_ACCESS_KEY_ID"),
                aws_secret_access_key=secrets.get("AWS_SECRET_ACCESS_KEY"),
                aws_session_token=secrets.get("AWS_SESSION_TOKEN"),
                region_name=region,
            )
            if session.get_credentials() is None:
                raise RefusedError(
                    "There are no credentials for Amazon Rekognition: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
                )
            self._client: Any = session.client(
                "rekognition",
                endpoint_url=secrets.get("AWS_ENDPOINT_URL_REKOGNITION"),
                # One attempt: the client's own retries would pay twice.
                config=Config(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=10,
                    read_timeout=limits.timeout,
                    max_pool_connections=max(10, limits.concurrency),
                ),
            )
        except BotoCoreError as error:
            raise _failure(error) from error
        except ValueError as error:
            raise RefusedError(f"Amazon Rekognition's region or endpoint is not usable: {error}") from error

    def ask(self, png: bytes) -> Answer:
        """One DetectLabels request."""
        try:
            response = self._client.detect_labels(Image={"Bytes": png}, MaxLabels=10)
        except Exception as error:
            raise _failure(error) from error
        self.model = f"detect-labels/{response.get('LabelModelVersion', 'unknown')}"
        try:
            labels = [Label(str(found["Name"]), float(found["Confidence"])) for found in response["Labels"]]
        except (KeyError, TypeError, ValueError) as error:
            raise UnusableError(f"Amazon's answer cannot be read: {type(error).__name__}.") from error
        return best_first(labels)


_BUSY = {"ThrottlingException", "ProvisionedThroughputExceededException", "TooManyRequestsException", "LimitExceededException"}
_DENIED = {
    "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException",
    "IncompleteSignature", "MissingAuthenticationToken", "SubscriptionRequiredException",
}  # fmt: skip


def _failure(error: Exception) -> QueryFailedError:
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    if isinstance(error, exceptions.ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        message = str(error.response.get("Error", {}).get("Message", ""))
        meta = error.response.get("ResponseMetadata", {})
        status = int(meta.get("HTTPStatusCode", 400))
        retry_after = meta.get("HTTPHeaders", {}).get("retry-after")
        if code in _BUSY:
            return failure_of(429, message, retry_after)
        if code in _DENIED:
            return failure_of(403, message)
        return failure_of(status, f"{code}: {message}", retry_after)
    if isinstance(error, exceptions.NoRegionError):
        return RefusedError("No region is set for Amazon Rekognition: set AWS_DEFAULT_REGION, such as eu-west-1.")
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError | exceptions.ProfileNotFound):
        return RefusedError("The credentials for Amazon Rekognition are missing or incomplete: set both AWS keys.")
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        return NotSentError("Amazon Rekognition could not be reached: check the connection and the region.")
    if isinstance(error, exceptions.ReadTimeoutError):
        return InDoubtError("Amazon Rekognition did not answer in time.")
    if isinstance(error, exceptions.ConnectionClosedError | exceptions.HTTPClientError):
        return InDoubtError("The connection was cut before Amazon Rekognition answered.")
    if isinstance(error, ResponseParserError | LookupError | ValueError | TypeError | AttributeError):
        return UnusableError("Amazon's answer cannot be read.")
    return InDoubtError(f"Amazon's client failed in a way that is not known: {type(error).__name__}.")
