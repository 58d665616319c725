"""What a provider is, and how HTTP answers that are no answer are told apart."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

from core.apis.answers import Answer, InDoubtError, QueryFailedError, RefusedError, TurnedAwayError
from core.apis.limits import Limits


class Provider(Protocol):
    """A remote classifier of an open set of labels.

    Attributes:
        ref: its reference, ``api/NAME``.
        model: the version of the model that answers, as far as the API tells: what a certificate names as revision.
        limits: price, rate and sizes.
        destination: who gets the pictures, for people: a host or a company.
    """

    ref: str
    model: str
    limits: Limits
    destination: str

    def ask(self, png: bytes) -> Answer:
        """Send one picture and return its labels, the best first. Never sends it twice by itself.

        Raises:
            QueryFailedError: one of its subclasses, which says whether the query may have been paid for.
        """
        ...


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
