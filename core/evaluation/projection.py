"""What would more samples buy? An image's share of votes, taken to stay as it was, at another n and alpha.

A projection is an expectation under the observed share, and no certificate: to certify, the samples must be drawn. Where every
vote was the same it is too hopeful, since more samples might have brought others. Needs no torch.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from core.errors import LabError
from core.evaluation.log import ABSTAINED, Outcomes
from core.evaluation.recorded import RecordedEvaluation
from core.smoothing.bounds import METHODS, RANDOMISED, UNIFORM, lower_bound
from core.smoothing.radius import OWN_NORM, share_needed

MOST_N = 10_000_000
_DIGITS = 5e-4
"""How far a written radius may be from that of a whole number of votes, as a share of radius plus sigma: some have 3 digits."""


@dataclass(frozen=True, eq=False)
class VoteShares:
    """The votes for the candidate of each image of an evaluation.

    Attributes:
        candidate: (N,) int64 the class that was counted; -1 where not known.
        votes: (N,) int64 its votes of the evaluation's n; -1 where not known.
        from_votes: whether the votes were kept; else they were worked out from the radii, which determine them.
    """

    evaluation: RecordedEvaluation
    candidate: NDArray[np.int64]
    votes: NDArray[np.int64]
    from_votes: bool

    @property
    def unknown(self) -> int:
        """Images whose votes are not known: abstentions of a log without votes."""
        return int((self.votes < 0).sum())

    @property
    def n(self) -> int:
        """Samples counted an image."""
        return int(self.evaluation.made_by.n or 0)

    @property
    def unanimous(self) -> int:
        """Images whose every vote was the same."""
        return int((self.votes == self.n).sum())


@dataclass(frozen=True, eq=False)
class Projection:
    """An evaluation as it would be expected to turn out.

    In ``outcomes`` images of unknown votes still abstain; ``unknown`` and ``unanimous`` are of the shares it is made from.
    """

    n: int
    alpha: float
    outcomes: Outcomes
    unknown: int
    unanimous: int


def vote_shares(evaluation: RecordedEvaluation) -> VoteShares:
    """The votes behind an evaluation: those that were kept, or else those that its radii came from.

    Raises:
        LabError: where sigma, n or alpha are not known, the bound is another than a one-sided one of a fixed form, sampling
            stopped early (shares are biased then), or a radius comes from no whole number of votes.
    """
    made, name = evaluation.made_by, evaluation.name
    if made.sigma is None or made.n is None or made.alpha is None:
        raise LabError(
            f"{name} cannot be projected: sigma, n and alpha are in the file beside a log, and it has none that says."
        )
    if made.stops_early:
        raise LabError(f"{name} cannot be projected: sampling stopped once its question was settled, which biases the shares.")
    if made.two_sided or made.method not in METHODS or made.norm != OWN_NORM[made.noise]:
        raise LabError(f"{name} cannot be projected: only one-sided radii in the noise's own norm can be.")
    if made.method == RANDOMISED:
        raise LabError(f"{name} cannot be projected: its radii come from votes and from numbers that were drawn beside them.")
    known = [found for index in evaluation.outcomes.idx if (found := evaluation.votes.get(int(index))) is not None]
    if len(known) == len(evaluation.outcomes) and all(v.n == made.n for v in known):
        candidates = [ABSTAINED if v.candidate is None else v.candidate for v in known]
        votes = [0 if v.candidate is None else v.counts.get(v.candidate, 0) for v in known]
        return VoteShares(evaluation, np.array(candidates, dtype=np.int64), np.array(votes, dtype=np.int64), True)
    return _from_radii(evaluation, made.n, made.alpha, made.sigma)


def _from_radii(evaluation: RecordedEvaluation, n: int, alpha: float, sigma: float) -> VoteShares:
    """Undo the radius: of all numbers of votes that certify at all, the one whose radius is nearest."""
    made, outcomes = evaluation.made_by, evaluation.outcomes
    if made.method != "clopper-pearson":
        raise LabError(f"{evaluation.name} cannot be projected: its votes were not kept, and its bound is not Clopper-Pearson.")
    k = np.arange(n // 2, n + 1)
    bounds = _lower_bounds(k.astype(np.float64), n, alpha, made.method)
    k, bounds = k[bounds > 0.5], bounds[bounds > 0.5]
    table = radii_of(bounds, made.noise, sigma)  # ascending
    votes = np.full(len(outcomes), -1, dtype=np.int64)
    certified = np.flatnonzero(~outcomes.abstained)
    if len(certified) and not len(k):
        raise LabError(f"{evaluation.name} has radii, but n = {n:,} at alpha {alpha:g} can certify none.")
    if len(certified):
        wanted = outcomes.radius[certified]
        nearest = np.searchsorted((table[1:] + table[:-1]) / 2, wanted)
        off = np.abs(table[nearest] - wanted) > _DIGITS * (wanted + sigma)
        if off.any():
            place = int(certified[np.flatnonzero(off)[0]])
            raise LabError(
                f"{evaluation.name} cannot be projected: the radius {outcomes.radius[place]:g} of image {outcomes.idx[place]}"
                f" comes from no whole number of votes of n = {n:,} at alpha {alpha:g} and sigma {sigma:g}."
            )
        votes[certified] = k[nearest]
    return VoteShares(evaluation, outcomes.predict, votes, False)


def project(shares: VoteShares, n: int, alpha: float) -> Projection:
    """The radii at another n and alpha, at the same share of votes; at the own ones they are the certificates themselves.

    Votes are scaled and not rounded to whole ones: the bound is defined in between.

    Raises:
        LabError: where n or alpha is impossible.
    """
    if not 1 <= n <= MOST_N or not 0 < alpha < 1:
        raise LabError(f"A projection to n = {n:,} and alpha {alpha:g} is impossible: expected 1 to {MOST_N:,}, and 0 to 1.")
    made, outcomes = shares.evaluation.made_by, shares.evaluation.outcomes
    assert made.sigma is not None
    known = shares.votes >= 0
    scaled = np.where(known, shares.votes, 0) * (n / shares.n)
    bounds = np.where(known, _lower_bounds(scaled, n, alpha, made.method, mixture=made.mixture), 0.0)
    certified = bounds > 0.5
    radius = np.where(certified, radii_of(np.maximum(bounds, 0.5), made.noise, made.sigma), 0.0)
    predict = np.where(certified, shares.candidate, ABSTAINED)
    # Where labels of data set and model are told apart otherwise, the log's own column says what was right.
    right = certified & np.where(outcomes.abstained, predict == outcomes.label, outcomes.right)
    projected = dataclasses.replace(outcomes, predict=predict, radius=radius, right=right)
    return Projection(n=n, alpha=alpha, outcomes=projected, unknown=shares.unknown, unanimous=shares.unanimous)


def _lower_bounds(k: NDArray[np.float64], n: int, alpha: float, method: str, mixture: float = UNIFORM) -> NDArray[np.float64]:
    values, places = np.unique(k, return_inverse=True)  # a root is sought for each; many images have as many votes
    if method == "clopper-pearson":
        return np.where(values > 0, special.betaincinv(np.maximum(values, 1e-9), n - values + 1, alpha), 0.0)[places]
    return np.array([lower_bound(value, n, alpha, method, mixture=mixture) for value in values])[places]


def radii_of(p: NDArray[np.float64], noise: str, sigma: float) -> NDArray[np.float64]:
    """Radii in the noise's own norm of lower bounds of at least 1/2, as :func:`core.smoothing.radius.own_radius`."""
    if noise == "gaussian":
        return sigma * special.ndtri(p)
    if noise == "uniform":
        return sigma * np.sqrt(3) * (2 * p - 1)
    return -sigma * np.log(2 * (1 - p)) / np.sqrt(2)


def lower_bounds_of(evaluation: RecordedEvaluation) -> NDArray[np.float64]:
    """(N,) the reported lower bound on the class's probability: kept with the votes, or else from the radius.

    NaN where it is not known: abstentions of a log without votes. All NaN where sigma is not known or the radius's norm is
    not the noise's own.
    """
    made, outcomes = evaluation.made_by, evaluation.outcomes
    found = np.full(len(outcomes), np.nan)
    if made.sigma is None or made.norm != OWN_NORM[made.noise] or made.two_sided:
        return found
    for place in np.flatnonzero(~outcomes.abstained).tolist():
        radius = float(outcomes.radius[place])
        found[place] = share_needed(radius, noise=made.noise, norm=made.norm, sigma=made.sigma, shape=(3, 1, 1))
    for place, index in enumerate(outcomes.idx):
        votes = evaluation.votes.get(int(index))
        if votes is not None:
            found[place] = votes.p_lower
    return found
