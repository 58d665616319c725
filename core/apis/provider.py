"""What a provider is: what it takes, what it answers, and the ways in which it does not."""

from __future__ import annotations

import dataclasses
import io
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from PIL import Image

from core.errors import LabError


@dataclass(frozen=True)
class Label:
    """One label of an answer, with the API's own score (its scale is the vendor's)."""

    name: str
    score: float


Answer = tuple[Label, ...]  # labels, the best first. Empty where the API saw nothing that it has a word for.


def best_first(labels: Iterable[Label]) -> Answer:
    """Labels as an answer has them."""
    return tuple(sorted(labels, key=lambda label: -label.score))


@dataclass(frozen=True)
class Limits:
    """A provider's limits and price, as its public documentation states them; users may put in their own."""

    price: float  # US dollars a query
    rate: float  # queries a second
    concurrency: int = 4  # queries under way at once
    min_side: int = 1  # pixels
    max_side: int = 10_000
    max_bytes: int = 4 * 2**20  # of the encoded picture
    timeout: float = 30.0  # seconds to wait for an answer

    def __post_init__(self) -> None:
        if not (self.price >= 0 and self.rate > 0 and self.concurrency >= 1 and self.timeout > 0):
            raise LabError(
                f"price {self.price:g}, rate {self.rate:g}, concurrency {self.concurrency}, timeout {self.timeout:g}: expected"
                " a price of at least 0 and the others above 0."
            )

    def with_terms(self, price: float | None, rate: float | None) -> Limits:
        """The same limits with the user's own price and rate where given."""
        return dataclasses.replace(self, price=self.price if price is None else price, rate=self.rate if rate is None else rate)


class Provider(Protocol):
    """A remote classifier of an open set of labels."""

    ref: str  # ``api/NAME``
    model: str  # version of the model that answers, as far as the API tells: a certificate's revision
    limits: Limits
    destination: str  # who gets the pictures, for people: a host or a company

    def ask(self, png: bytes) -> Answer:
        """Send one picture and return its labels, the best first. Never sends it twice by itself.

        Raises a subclass of QueryFailedError, which says whether the query may have been paid for.
        """
        ...


@dataclass(frozen=True)
class Described:
    """A provider as far as it can be described without its client, credentials or a connection: enough to plan and to
    count stored answers."""

    ref: str
    destination: str
    limits: Limits


def encode(picture: Image.Image, limits: Limits) -> bytes:
    """An RGB picture as PNG, which loses nothing; a picture below the least side is enlarged to it, whole pixels repeated.

    Enlarging is part of the base classifier: it happens after the noise, so the certificate stays one for the small picture.
    Raises LabError where the picture is larger than the API takes.
    """
    least, greatest = min(picture.size), max(picture.size)
    if greatest > limits.max_side:
        raise LabError(
            f"The picture has a side of {greatest} pixels: the API takes at most {limits.max_side}; make it smaller."
        )
    factor = -(-limits.min_side // least)
    if factor > 1:
        picture = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", compress_level=3)
    if buffer.tell() > limits.max_bytes:
        raise LabError(
            f"The noisy picture has {buffer.tell() / 2**20:.1f} MB as PNG: the API takes at most"
            f" {limits.max_bytes / 2**20:.1f}; make it smaller."
        )
    return buffer.getvalue()


def size_note(height: int, width: int, limits: Limits) -> str | None:
    """A sentence where a picture is enlarged for the API; None where it is sent as it is."""
    factor = -(-limits.min_side // min(height, width))
    if factor <= 1:
        return None
    return (
        f"The API takes pictures of at least {limits.min_side} pixels a side: each copy of {width} x {height} is enlarged"
        f" {factor} times before it is sent, after the noise."
    )


class QueryFailedError(LabError):
    """A query that brought no answer. The subclasses say whether it may have been paid for, and what to do."""


class NotSentError(QueryFailedError):
    """The API was not reached (no connection, name unknown): nothing was paid, the same query may be sent again."""


class TurnedAwayError(QueryFailedError):
    """The API did not serve the query (429, 5xx): nothing was paid; sent again after ``retry_after`` seconds, if it says."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InDoubtError(QueryFailedError):
    """The query was sent, and no answer came (timeout, connection cut): it may have been paid for, so it is not sent again."""


class UnusableError(QueryFailedError):
    """An answer came that cannot be read. It was paid for, so it is kept, and counts for no class."""


class RefusedError(QueryFailedError):
    """The API will serve no query of this kind (credentials, region, quota, picture): asking on makes no sense."""


def failure_of(status: int, message: str, retry_after: str | None = None) -> QueryFailedError:
    """The failure that an HTTP status stands for."""
    said = f" It said: {' '.join(message.split())[:200]}" if message.strip() else ""
    if status == 429:
        return TurnedAwayError(f"The API asks to slow down (429).{said}", seconds_of(retry_after))
    if status == 504:
        return InDoubtError(f"A gateway gave up waiting for the API (504).{said}")
    if status >= 500:
        return TurnedAwayError(f"The API has a fault of its own ({status}).{said}", seconds_of(retry_after))
    if status in (401, 403):
        return RefusedError(
            f"The API does not accept the credentials ({status}): check that they are right and not expired.{said}"
        )
    if status == 402:
        return RefusedError(f"The API wants to be paid first (402): the account's quota has ended.{said}")
    if status == 404:
        return RefusedError(
            f"There is nothing at this address (404): check the endpoint, the region and the model's name.{said}"
        )
    if status == 413:
        return RefusedError(f"The picture is too large for the API (413): make it smaller.{said}")
    return RefusedError(f"The API refused the query ({status}).{said}")


def seconds_of(retry_after: str | None) -> float | None:
    """The Retry-After header, which is a number of seconds or a date; None where it is missing or neither."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


class VendorClient(ABC):
    """A provider that is asked through its vendor's official client; what may come of that is told apart here for all."""

    destination: str

    def ask(self, png: bytes) -> Answer:
        """As :meth:`Provider.ask`."""
        try:
            found = self._request(png)
        except QueryFailedError:
            raise
        except Exception as error:
            raise self._failure(error) from error
        try:
            return best_first([Label(str(name), float(score)) for name, score in self._labels(found)])
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._sorted(error, unreadable=(Exception,)) from error

    @abstractmethod
    def _request(self, png: bytes) -> Any:
        """Send one picture, once."""

    @abstractmethod
    def _labels(self, found: Any) -> Iterable[tuple[str, float]]:
        """Names and scores in what came back; an error of reading them makes the answer unusable."""

    @abstractmethod
    def _failure(self, error: Exception) -> QueryFailedError:
        """What an exception of the client stands for."""

    def _sorted(
        self,
        error: Exception,
        *,
        unreached: tuple[type[Exception], ...] = (),
        late: tuple[type[Exception], ...] = (),
        cut: tuple[type[Exception], ...] = (),
        unreadable: tuple[type[Exception], ...] = (LookupError, ValueError, TypeError, AttributeError),
        check: str = "the connection",
    ) -> QueryFailedError:
        """The failure that an exception is, by its kind, the first that fits."""
        who, name = self.destination, type(error).__name__
        if isinstance(error, unreached):
            return NotSentError(f"{who} could not be reached: check {check}.")
        if isinstance(error, late):
            return InDoubtError(f"{who} did not answer in time.")
        if isinstance(error, cut):
            return InDoubtError(f"The connection was cut before {who} answered.")
        if isinstance(error, unreadable):
            return UnusableError(f"{who}'s answer cannot be read: {name}.")
        return InDoubtError(f"{who}'s client failed in a way that is not known: {name}.")


def connection_failure(error: Exception) -> QueryFailedError:
    """Tell apart, for clients that use requests, what was never sent from what may have been."""
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return NotSentError("The API could not be reached in time: check the connection.")
    reason = error.args[0] if error.args else None
    if isinstance(reason, MaxRetryError) and isinstance(reason.reason, NewConnectionError):
        return NotSentError("The API could not be reached: check the connection and the address.")
    if isinstance(error, requests.exceptions.Timeout):
        return InDoubtError("The API did not answer in time.")
    return InDoubtError("The connection was cut before the API answered.")
