"""What a vision API answers, and the ways in which it does not."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import LabError


@dataclass(frozen=True)
class Label:
    """One label of an answer, with the API's own score (its scale is the vendor's)."""

    name: str
    score: float


Answer = tuple[Label, ...]
"""Labels, the best first. Empty where the API saw nothing that it has a word for."""


class QueryFailedError(LabError):
    """A query that brought no answer. The subclasses say whether it may have been paid for, and what to do."""


class NotSentError(QueryFailedError):
    """The API was not reached (no connection, name unknown): nothing was paid, the same query may be sent again."""


class TurnedAwayError(QueryFailedError):
    """The API answered that it did not serve the query (429, 5xx): nothing was paid, and it may be sent again later.

    Attributes:
        retry_after: seconds that the API asked to wait, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InDoubtError(QueryFailedError):
    """The query was sent, and no answer came (timeout, connection cut): it may have been paid for, so it is not sent again."""


class UnusableError(QueryFailedError):
    """An answer came that cannot be read. It was paid for, so it is kept, and counts for no class."""


class RefusedError(QueryFailedError):
    """The API will serve no query of this kind (credentials, region, quota, picture): asking on makes no sense."""
