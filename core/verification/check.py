"""One thing that was checked, and all of them together."""

from collections import Counter
from dataclasses import KW_ONLY, asdict, dataclass
from typing import Any

SAME, DIFFERS, NOT_CHECKED = "same", "differs", "not checked"


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: the field, or the part of the certificate.
        status: ``same``, ``differs`` or ``not checked``.
        sentence: what was found, for people.
        stated: what the certificate says; None where there is no single value.
        found: what was computed or read here; None likewise.
        p_value: of a statistical test; None where there was none.
    """

    name: str
    status: str
    sentence: str
    _: KW_ONLY
    stated: Any = None
    found: Any = None
    p_value: float | None = None


@dataclass(frozen=True)
class Verification:
    """All checks of one certificate, in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def differing(self) -> tuple[Check, ...]:
        """What does not agree."""
        return tuple(check for check in self.checks if check.status == DIFFERS)

    @property
    def skipped(self) -> tuple[Check, ...]:
        """What was left unchecked."""
        return tuple(check for check in self.checks if check.status == NOT_CHECKED)

    @property
    def verdict(self) -> str:
        """``differs`` where anything does, else ``same``."""
        return DIFFERS if self.differing else SAME

    def summary(self) -> str:
        """The outcome in one sentence, which says what was left unchecked too.

        >>> Verification((Check("radius", SAME, "."), Check("picture", NOT_CHECKED, "."))).summary()
        'Everything that was checked agrees (1 check). Not checked: picture.'
        """
        found = Counter(check.status for check in self.checks)
        if self.differing:
            names = ", ".join(check.name for check in self.differing)
            said = f"{found[DIFFERS]} of {len(self.checks)} checks differ: {names}."
        else:
            said = f"Everything that was checked agrees ({found[SAME]} check{'s' if found[SAME] != 1 else ''})."
        left = ", ".join(check.name for check in self.skipped)
        return f"{said} Not checked: {left}." if left else said

    def to_dict(self) -> dict[str, Any]:
        """The document that ``verify --json`` prints."""
        return {"verdict": self.verdict, "summary": self.summary(), "checks": [asdict(check) for check in self.checks]}
