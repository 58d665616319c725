"""What is asked of a repository by the names of its files and its config alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.models.formats.listing import Listing
from core.models.formats.registry import format_of


def wanted(names: Sequence[str], config: dict[str, Any] | None, kind: str = "classifier") -> list[str]:
    """The files that loading takes, beside those that describe it; or LabError."""
    listing = Listing(tuple(names), config or {})
    return format_of(listing, kind, "hub/someone/something").wanted(listing)
