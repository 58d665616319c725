"""Who asks: a value that pages hand down, what it may do with what others made, and the passphrases that open the door."""

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from core.errors import LabError

SHORTEST = 12
"""Signs of a passphrase."""
TRIES, TRIES_OF_ALL, WINDOW = 5, 100, 300.0
"""Wrong passphrases of one address, and of all together, within so many seconds; after that nobody is asked."""
_SCHEME, _COST, _LENGTH = "scrypt", (15, 8, 1), 32


@dataclass(frozen=True)
class Visitor:
    """Whoever asks. Runs, models and paid answers are kept under ``key``, so that they belong to somebody.

    Attributes:
        key: a hash of who it is, the same at each visit; empty for the operator: the command line, and everybody where there is
            no login.
        name: what the page calls them; it is not stored.
        address: what the operator's lists call them: an e-mail address that the provider does not call unverified, or
            ``passphrase:NAME``.
    """

    key: str = ""
    name: str = ""
    address: str = ""

    @property
    def operates(self) -> bool:
        """Whether nothing is held back: what has no owner, or another's, is theirs to change."""
        return not self.key

    def owns(self, owner: str) -> bool:
        """Whether what is kept under a key may be changed, deleted and spent on."""
        return self.operates or owner == self.key

    def may_see(self, owner: str, shared: bool) -> bool:
        """Whether what is kept under a key may be looked at."""
        return shared or self.owns(owner)

    def check_owns(self, owner: str, what: str) -> None:
        """Raise LabError where ``what`` belongs to somebody else."""
        if not self.owns(owner):
            raise LabError(f"{what} belongs to {'another visitor' if owner else 'the operator'}: only who made it changes it.")


OPERATOR = Visitor()


def visitor_named(name: str, address: str, *identity: str) -> Visitor:
    """A visitor, from what tells them from others: issuer and subject, or the name of a passphrase."""
    return Visitor(hashlib.sha256("\n".join(identity).encode()).hexdigest()[:32], name, address)


def is_admitted(address: str, admitted: Collection[str]) -> bool:
    """Whether a list of ``ada@example.org``, ``@example.org`` (all of it) and ``passphrase:NAME`` has somebody's address.

    >>> is_admitted("Ada@example.org", ["@example.org"]), is_admitted("ada@sub.example.org", ["@example.org"])
    (True, False)
    """
    folded = address.casefold().strip()
    ways = {folded, "@" + folded.rpartition("@")[2]} if "@" in folded else {folded}
    return bool(folded) and bool(ways & {entry.casefold().strip() for entry in admitted})


def hashed_passphrase(passphrase: str) -> str:
    """What a configuration keeps of a passphrase: ``scrypt:COST:SALT:HASH``.

    Raises:
        LabError: where it is too short.
    """
    if len(passphrase.strip()) < SHORTEST:
        raise LabError(f"A passphrase of {len(passphrase.strip())} signs can be guessed: take at least {SHORTEST}.")
    salt = secrets.token_bytes(16)
    parts = (salt, _derived(passphrase, salt, _COST))
    cost = ",".join(map(str, _COST))
    return ":".join([_SCHEME, cost, *(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)])


def _derived(passphrase: str, salt: bytes, cost: tuple[int, int, int]) -> bytes:
    log_n, r, p = cost
    memory = 2 * 128 * r * 2**log_n
    return hashlib.scrypt(passphrase.strip().encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=memory, dklen=_LENGTH)


def _parsed(text: str, name: str) -> tuple[tuple[int, int, int], bytes, bytes]:
    try:
        scheme, cost, *encoded = text.split(":")
        log_n, r, p = map(int, cost.split(","))
        salt, digest = (base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True) for part in encoded)
        if scheme != _SCHEME or not 14 <= log_n <= 18 or (r, p) != _COST[1:] or len(salt) < 16 or len(digest) != _LENGTH:
            raise ValueError("other numbers than ours")
    except ValueError as error:
        raise LabError(
            f"The passphrase {name!r} of the configuration is no hash: make one with 'python -m core passphrase'."
        ) from error
    return (log_n, r, p), salt, digest


class Door:
    """Tells visitors by passphrases, one try at a time and few tries in a while; who knows the same one is the same visitor.

    Args:
        hashes: of :func:`hashed_passphrase`, by the name of each passphrase.

    Raises:
        LabError: where one is no hash.
    """

    def __init__(self, hashes: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        self._known = {name: _parsed(text, name) for name, text in hashes.items()}
        self._clock, self._lock = clock, threading.Lock()
        self._wrong: deque[tuple[float, str]] = deque()

    def enter(self, passphrase: str, address: str = "") -> str:
        """The name of a passphrase.

        Args:
            address: of who says it; each has its own few tries.

        Raises:
            LabError: where it is none, or there were too many wrong ones.
        """
        with self._lock:  # one at a time: guessing takes one core at most
            now = self._clock()
            while self._wrong and now - self._wrong[0][0] > WINDOW:
                self._wrong.popleft()
            own, everybody = [when for when, where in self._wrong if where == address], [when for when, _ in self._wrong]
            for tries, most in ((own, TRIES), (everybody, TRIES_OF_ALL)):
                if len(tries) < most:
                    continue
                left = WINDOW - (now - tries[0])
                raise LabError(f"Too many wrong passphrases: try again in {max(1, round(left / 60))} min.")
            # All are compared, so that the time does not tell which was nearly right.
            right = [
                name
                for name, (cost, salt, digest) in self._known.items()
                if hmac.compare_digest(_derived(passphrase[:1000], salt, cost), digest)
            ]
            if not right:
                self._wrong.append((now, address))
                raise LabError("This is not the passphrase.")
            return right[0]
