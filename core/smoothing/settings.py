"""What CERTIFY and PREDICT are asked, in one object, and its one check."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any

from core.engines import ENGINES, PRECISIONS
from core.errors import LabError
from core.smoothing.bounds import (
    GROUP_SEQUENTIAL,
    METHODS,
    MIXTURE,
    RANDOMISED,
    least_n_to_certify,
    least_n_to_predict,
    uniform_number,
)
from core.smoothing.radius import NOISES, NORMS, OWN_NORM, check_sigma, radii, share_needed

MAX_N = 1_000_000
MOST_RADII, MOST_TRIES = 50, 1_000_000
"""Of a table; of a picture."""

HALF, NEARLY_ALL = 0.5, 0.95
"""Parts of alpha that the lower bound of a two-sided certificate may have; half in certificates that do not say."""

MAX_SEED = 2**31 - 1
"""Of the seeds that are drawn, and of those that fit a field of a page."""
SYSTEM = random.SystemRandom()

MAX_SOUND_SIGMA = 16.0
"""Of noise on the grid of grey levels: the table of its thresholds grows with sigma, 0.1 s of work for 1.0, 2 s for this."""


def fresh_seed() -> int:
    """A seed that nobody knew beforehand, from the operating system: 0 to :data:`MAX_SEED`."""
    return SYSTEM.getrandbits(31)


@dataclass(frozen=True)
class Settings:
    """All that CERTIFY is asked, beside picture and models. Whatever asks for a certificate contains one of these.

    The bounds: ``clopper-pearson`` for this very n; ``randomised-clopper-pearson``, which a number drawn from the seed makes
    exact; ``anytime``, which stays valid wherever the run is stopped; ``group-sequential``, the test of ``table_radii`` and of
    nothing else. With ``anytime``, sampling ends as soon as it is settled whether ``until_radius`` can be certified; or as the
    radius is at most the part ``within`` (0.05 is 5%) below what n samples would give, if the shares of the votes stayed as
    they are, or no class can be certified. With ``table_radii`` it ends as each of them is certified or predicted to stay
    uncertified, and the certificate's radius is the greatest that is; 0 asks whether there is a class at all.
    """

    sigma: float  # standard deviation of the noise in each channel, in [0, 1] pixel units, whatever the noise
    n0: int = 100  # samples that choose the class
    n: int = 10_000  # fresh samples that count it
    alpha: float = 0.001  # the chance that the certificate may be wrong
    seed: int = 0  # same seed, same noise; what is certified is to be chosen without knowledge of it: :func:`fresh_seed`
    method: str = "clopper-pearson"
    noise: str = "gaussian"  # ``gaussian``, ``uniform`` or ``laplace``
    norm: str | None = None  # ``l1``, ``l2`` or ``linf``, in which radii are told; None for the noise's own
    sound: bool = False  # exact Gaussian noise on the 8-bit grid, for 8-bit pictures: floating point is no gap in the proof
    two_sided: bool = False  # bound the runner-up from above, too; the n0 samples say how alpha is shared
    until_radius: float | None = None  # in ``norm``
    within: float | None = None
    table_radii: tuple[float, ...] | None = None  # ascending, in ``norm``
    tries: int = 1  # that share alpha: each has alpha / tries, so that all hold with 1 - alpha; k (k + 1) for the k-th of any
    engine: str = "auto"  # what computes the networks: ``eager``, ``compile``, ``openvino``; ``auto`` for what suits
    precision: str = "auto"  # ``auto``: float32, or a faster one in which these very models' certified accuracy was measured

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Those of the values that are settings; whatever else the mapping holds is left alone.

        A list becomes a tuple; a seed of None is drawn.
        """
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        if known.get("seed", 0) is None:
            known["seed"] = fresh_seed()
        radii_asked = known.get("table_radii")
        return cls(**known | {"table_radii": None if radii_asked is None else tuple(radii_asked)})

    def check(self) -> None:
        """Raise LabError where :func:`core.certify` cannot run with these settings, whatever the picture and the models."""
        self._check_numbers()
        if self.method not in (*METHODS, GROUP_SEQUENTIAL):
            raise LabError(f"Unknown bound {self.method!r}: choose one of {', '.join(METHODS)}.")
        if self.norm is not None and self.norm not in NORMS:
            raise LabError(
                f"{self.noise.capitalize()} noise certifies no radius in {self.norm!r}: choose one of {', '.join(NORMS)}."
            )
        bound = self.method if self.method in METHODS else METHODS[0]
        level = self.alpha / self.tries
        least = least_n_to_certify(level * NEARLY_ALL if self.two_sided else level, bound)
        if self.n < least:
            raise LabError(
                f"n is {self.n}: with alpha {level:g} no vote of fewer than {least} samples can be certified; use more."
            )
        self._check_stopping()

    def check_predict(self) -> None:
        """Raise LabError where :func:`core.predict` cannot run with these sigma, n, alpha, seed, noise and sound."""
        self._check_numbers()
        least = least_n_to_predict(self.alpha)
        if self.n < least:
            raise LabError(
                f"n is {self.n}: with alpha {self.alpha:g} no vote of fewer than {least} samples can decide; use more."
            )

    def terms(self, shape: tuple[int, ...]) -> Terms:
        """What bound and radius of a (3, H, W) picture need."""
        return Terms(
            alpha=self.alpha / self.tries,
            sigma=self.sigma,
            shape=shape,
            method=self.method,
            noise=self.noise,
            norm=self.norm or OWN_NORM[self.noise],
            two_sided=self.two_sided,
            n_planned=self.n,
            table_radii=self.table_radii or (),
            uniform=uniform_number(self.seed) if self.method == RANDOMISED else 1.0,
        )

    def document(self) -> dict[str, Any]:
        """All of them for the file that says what made a log, with the mixture where the bound has one."""
        return asdict(self) | ({"mixture": MIXTURE} if self.method == "anytime" else {})

    @property
    def may_end_early(self) -> bool:
        """Whether sampling ends before n where what was asked is settled."""
        return self.until_radius is not None or self.within is not None or self.table_radii is not None

    @property
    def usual_method(self) -> str:
        """The bound that fits how sampling may end: one that holds wherever it does, where that may be early."""
        if not self.may_end_early:
            return METHODS[0]
        return "anytime" if self.table_radii is None else GROUP_SEQUENTIAL

    def _check_numbers(self) -> None:
        check_sigma(self.sigma)
        for name, asked, known in (("engine", self.engine, ENGINES), ("precision", self.precision, PRECISIONS)):
            if asked not in known:
                raise LabError(f"Unknown {name} {asked!r}: choose one of {', '.join(known)}.")
        for name, value in (("n0", self.n0), ("n", self.n)):
            if not isinstance(value, Integral) or not 1 <= value <= MAX_N:
                raise LabError(f"{name} is {value}: expected a whole number of samples, 1 to {MAX_N:,}.")
        if not 0 < self.alpha < 0.5:
            raise LabError(f"alpha is {self.alpha}: expected a number above 0 and below 0.5, such as 0.001.")
        if not isinstance(self.seed, Integral) or self.seed < 0:
            raise LabError(f"seed is {self.seed}: expected a whole number of at least 0.")
        if not isinstance(self.tries, Integral) or not 1 <= self.tries <= MOST_TRIES:
            raise LabError(f"tries is {self.tries}: expected how many certificates share alpha, 1 to {MOST_TRIES:,}.")
        if self.noise not in NOISES:
            raise LabError(f"Unknown noise {self.noise!r}: choose one of {', '.join(NOISES)}.")
        if self.sound and self.noise != "gaussian":
            raise LabError(
                f"Sound mode draws Gaussian noise on the 8-bit grid, not {self.noise} noise: use gaussian, or leave sound out."
            )
        if self.sound and self.sigma > MAX_SOUND_SIGMA:
            raise LabError(
                f"sigma is {self.sigma:g}: sound mode draws exact noise on the 8-bit grid for a sigma of at most"
                f" {MAX_SOUND_SIGMA:g}; use a smaller sigma, or leave sound out."
            )

    def _check_stopping(self) -> None:
        names = [name for name in ("until_radius", "within", "table_radii") if getattr(self, name) is not None]
        if len(names) > 1:
            raise LabError(f"{' and '.join(names)} ask different questions: a run settles one, so leave the others out.")
        if self.method == GROUP_SEQUENTIAL and self.table_radii is None:
            raise LabError(f"Method {self.method!r} tests radii that are given beforehand: say which with table_radii.")
        for name in names:
            if name != "table_radii" and self.method != "anytime":
                raise LabError(
                    f"{name} needs a bound that holds wherever sampling ends, which {self.method} does not:"
                    " use method 'anytime'."
                )
        if self.within is not None and not 0 < self.within < 1:
            raise LabError(f"within is {self.within}: expected a part above 0 and below 1, such as 0.05.")
        if self.until_radius is not None and (not math.isfinite(self.until_radius) or self.until_radius <= 0):
            raise LabError(f"until_radius is {self.until_radius}: expected a radius above 0, in [0, 1] pixel units.")
        if self.table_radii is not None:
            self._check_table(self.table_radii)

    def _check_table(self, table: Sequence[float]) -> None:
        usable = all(math.isfinite(radius) and radius >= 0 for radius in table) and sorted(set(table)) == [*table]
        if not 1 <= len(table) <= MOST_RADII or not usable:
            told = ", ".join(f"{radius:g}" for radius in table)
            raise LabError(f"table_radii is {told or 'empty'}: expected 1 to {MOST_RADII} ascending radii of at least 0.")
        if self.method != GROUP_SEQUENTIAL:
            raise LabError(f"table_radii are tested by method {GROUP_SEQUENTIAL!r}, not by {self.method}: use that method.")
        if self.two_sided:
            raise LabError("table_radii are tested by the votes of one class alone: leave two_sided out.")


@dataclass(frozen=True)
class Terms:
    """What a bound and a radius need: part of the :class:`Settings`, and the picture's shape."""

    alpha: float  # the chance that the conclusion may be wrong; two bounds share it
    sigma: float
    shape: tuple[int, ...]  # (3, H, W)
    method: str = "clopper-pearson"
    noise: str = "gaussian"
    norm: str = ""  # of the radius; empty for the noise's own
    two_sided: bool = False
    n_planned: int = 0
    table_radii: tuple[float, ...] = ()
    mixture: float = MIXTURE  # of the anytime bound
    uniform: float = 1.0  # of the randomised bound: :func:`core.smoothing.bounds.uniform_number`
    lower_part: float = HALF  # of alpha, for the lower of two bounds: :func:`core.smoothing.conclusion.part_for_lower`

    def __post_init__(self) -> None:
        object.__setattr__(self, "norm", self.norm or OWN_NORM[self.noise])

    def radii(self, p_lower: float, p_upper: float | None = None) -> dict[str, float]:
        """The radius in every norm from a lower bound on the class and an upper one on every other; None takes 1 - p_lower."""
        return radii(self.noise, p_lower, p_upper=p_upper, sigma=self.sigma, shape=self.shape)

    def radius(self, p_lower: float, p_upper: float | None = None) -> float:
        """The same in ``norm`` alone."""
        return self.radii(p_lower, p_upper)[self.norm]

    def share_needed(self, radius: float) -> float:
        """The probability that a class must have for this radius, in ``norm``; 1 or above where none suffices."""
        return share_needed(radius, self.noise, norm=self.norm, sigma=self.sigma, shape=self.shape)
