"""CERTIFY and PREDICT (Cohen, Rosenfeld, Kolter 2019, section 3.2), fed with votes by whoever has them.

As the paper has them::

    CERTIFY(f, sigma, x, n0, n, alpha)                       PREDICT(f, sigma, x, n, alpha)
      counts0 <- SampleUnderNoise(f, x, n0, sigma)             counts <- SampleUnderNoise(f, x, n, sigma)
      cA      <- top index in counts0                          cA, cB <- top two indices in counts
      counts  <- SampleUnderNoise(f, x, n, sigma)              nA, nB <- counts[cA], counts[cB]
      pA      <- LowerConfBound(counts[cA], n, 1 - alpha)      if BinomPValue(nA, nA + nB, 1/2) <= alpha
      if pA > 1/2 return cA and radius sigma Phi^-1(pA)          return cA
      else return ABSTAIN                                      else return ABSTAIN

The votes are sampled here (core/smoothing/under_noise.py), bought from an API, or recorded before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from core.smoothing.bounds import GROUP_SEQUENTIAL, prediction_p_value
from core.smoothing.certificate import Certificate, Prediction, Provenance
from core.smoothing.conclusion import (
    OUT_OF_REACH,
    Conclusion,
    check_reachable,
    conclude,
    outcome,
    part_for_lower,
    radius_possible,
)
from core.smoothing.settings import Settings
from core.smoothing.table import looks


class Certification:
    """CERTIFY for one picture, step by step: whoever has votes brings them, sampled here, bought, or recorded before.

    Args:
        settings: checked here.
        shape: (3, H, W) of the picture.
        at: the sample numbers, of n, at which it asks whether it may end; by default :func:`looks`, where it may end early.
        choose: which class the (classes,) votes of the n0 samples choose; None for no class, which ends it.
        give_up: also end where it has become clear that no number of samples would certify the class.
        any_radius: take a radius to settle that no vote of n samples could certify, too.

    Attributes:
        counts0, counts: (classes,) votes so far of the n0 and of the n samples; empty before the first.
        candidate: the class that n0 samples chose; None before.
        settled: how what was asked is settled, as in :class:`Certificate`.
        fell_back: whether the anytime bound takes the place of one for a fixed n, since n was chosen after votes were seen.

    Raises:
        LabError: as :func:`certify`.
    """

    def __init__(
        self,
        settings: Settings,
        shape: tuple[int, ...],
        *,
        at: Sequence[int] | None = None,
        choose: Callable[[Tensor], int | None] = lambda votes: int(votes.argmax()),
        give_up: bool = False,
        any_radius: bool = False,
    ) -> None:
        settings.check()
        self.settings, self.terms = settings, settings.terms(shape)
        if not any_radius:
            check_reachable(settings, self.terms)
        self._looks = tuple(at) if at is not None else looks(settings.n) if settings.may_end_early else ()
        self._choose, self._give_up = choose, give_up
        self.counts0 = self.counts = torch.zeros(0, dtype=torch.int64)
        self.candidate: int | None = None
        self.settled: str | None = None
        self.fell_back = False

    @property
    def done(self) -> int:
        """How many of the n samples have been counted."""
        return int(self.counts.sum())

    @property
    def finished(self) -> bool:
        """Whether no more votes are wanted."""
        return self.settled is not None or self.done == self.settings.n

    def wanted(self, sent: Mapping[str, int]) -> tuple[str, int] | None:
        """n0 samples that choose the class, then fresh ones up to the next look."""
        if sent["select"] < self.settings.n0:
            return "select", self.settings.n0
        most = next((look for look in self._looks if look > self.done), self.settings.n)
        return None if self.settled is not None or sent["estimate"] >= most else ("estimate", most)

    def add(self, purpose: str, votes: Tensor) -> None:
        """Count (classes,) votes of the next samples; none of them runs past the n0 samples, or past a look."""
        if purpose == "select":
            self.counts0 = _sum(self.counts0, votes)
            if int(self.counts0.sum()) == self.settings.n0:
                self.candidate = self._choose(self.counts0)
                if self.candidate is not None and self.terms.two_sided:
                    part = part_for_lower(self.counts0.tolist(), self.candidate)
                    self.terms = replace(self.terms, lower_part=part)
            return
        self.counts = _sum(self.counts, votes)
        if self.done in self._looks:
            self.settled = self._outcome()
            if self._give_up and self.settled is None and self._hopeless():
                self.settled = OUT_OF_REACH

    def _outcome(self) -> str | None:
        if self.candidate is None or not self.done:
            return None
        return outcome(self.counts.tolist(), self.candidate, self.settings, self.terms)

    def _hopeless(self) -> bool:
        return self.candidate is not None and radius_possible(self.counts.tolist(), self.candidate, self.terms) == 0

    @property
    def method(self) -> str:
        """The bound of the votes so far: the one that holds wherever sampling ends, where it ended before n or fell back."""
        early = (self.fell_back or self.done < self.settings.n) and self.settings.method != GROUP_SEQUENTIAL
        return "anytime" if early else self.settings.method

    def conclusion(self, method: str | None = None) -> Conclusion:
        """What the votes so far allow to say, by this bound; by default the certificate's own."""
        return conclude(self.counts.tolist(), self.candidate, replace(self.terms, method=method or self.method))

    def certificate(self, provenance: Provenance, seconds: float, samples: int | None = None) -> Certificate:
        """The same as a certificate; ``samples`` were taken in ``seconds``, by default all that were counted, n0 included."""
        s, found = self.settings, self.conclusion()
        counts = _sum(self.counts, torch.zeros_like(self.counts0)).tolist()
        return Certificate.of(
            provenance,
            s,
            counts,
            seconds=seconds,
            samples=s.n0 + self.done if samples is None else samples,
            **vars(found) | {"prediction": None if found.abstained else self.candidate},
            candidate=self.candidate,
            n_planned=s.n,
            norm=self.terms.norm,
            method=self.method,
            method_planned=s.method,
            failure_probability=self.terms.alpha * (1 if self.method == s.method else 2),
            settled=self._outcome(),
            table_radii=s.table_radii or (),
            mixture=self.terms.mixture,
            lower_part=self.terms.lower_part,
        )


class PredictionVote:
    """PREDICT for one picture: n samples, and whether the two largest counts differ by more than chance.

    The settings are checked here; of them n0 and what concerns the radius play no part.
    """

    def __init__(self, settings: Settings) -> None:
        settings.check_predict()
        self.settings, self.counts = settings, torch.zeros(0, dtype=torch.int64)

    @property
    def done(self) -> int:
        """How many samples have been counted."""
        return int(self.counts.sum())

    @property
    def finished(self) -> bool:
        """Whether no more votes are wanted."""
        return self.done == self.settings.n

    def wanted(self, sent: Mapping[str, int]) -> tuple[str, int] | None:
        """All n samples."""
        return None if sent["predict"] >= self.settings.n else ("predict", self.settings.n)

    def add(self, purpose: str, votes: Tensor) -> None:
        """Count (classes,) votes of the next samples."""
        self.counts = _sum(self.counts, votes)

    def prediction(self, provenance: Provenance, seconds: float) -> Prediction:
        """The class, or an abstention, as after a stop: the test is valid for a fixed n only."""
        p_value = prediction_p_value(*self.counts.topk(2)[0].tolist())
        predicted = int(self.counts.argmax()) if p_value <= self.settings.alpha and self.finished else None
        found = {"prediction": predicted, "p_value": p_value}
        return Prediction.of(provenance, self.settings, self.counts.tolist(), seconds=seconds, samples=self.done, **found)


def _sum(first: Tensor, second: Tensor) -> Tensor:
    """Counts of the same classes, of which one may name fewer so far."""
    size = max(len(first), len(second))
    return torch.constant_pad_nd(first, (0, size - len(first))) + torch.constant_pad_nd(second, (0, size - len(second)))
