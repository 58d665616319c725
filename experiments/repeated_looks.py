"""How often what is looked at more than once errs, as it was and as it is: exact sums, and simulated runs for the mean radius.

python -m experiments.repeated_looks
"""

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from core.evaluation.intervals import LEVEL, log_wealth, mean_interval, share_interval
from core.smoothing.bounds import anytime_lower, clopper_pearson_lower
from experiments.printed_table import print_table

ALPHA = 1 - LEVEL
"""Of everything here; certificates have smaller ones by default."""
Floats = NDArray[np.float64]
DOUBLED = tuple(20 * 2**power for power in range(8))
EVERY_TEN = tuple(range(20, 1_001, 10))
IMAGES = 250


def ever_wrong(share: float, looks: Sequence[int], holds: Callable[[int], NDArray[np.bool_]]) -> float:
    """The chance, exact, that what is said at some look is wrong.

    Args:
        share: the true one.
        looks: the numbers of votes or images at which one looks, ascending.
        holds: (n + 1,) whether what is said after each count of n is right.
    """
    alive, done = np.ones(1), 0
    for n in looks:
        alive = np.convolve(alive, stats.binom.pmf(np.arange(n - done + 1), n - done, share))
        alive, done = np.where(holds(n), alive, 0), n
    return 1 - float(alive.sum())


def bought_again(share: float, looks: Sequence[int], *, now: bool, alpha: float = ALPHA) -> float:
    """The chance that some certificate of the same answers is wrong, a fixed-n bound being asked for at each look.

    Now, only the first look has it; from the second on it is the anytime bound.
    """

    def holds(n: int) -> NDArray[np.bool_]:
        bound = anytime_lower if now and n != looks[0] else clopper_pearson_lower
        least, most = 0, n + 1  # the bound grows with the count: halving finds the first that is above the share
        while least < most:
            middle = (least + most) // 2
            least, most = (least, middle) if bound(middle, n, alpha) > share else (middle + 1, most)
        return np.arange(n + 1) < least

    return ever_wrong(share, looks, holds)


def watched(share: float, *, now: bool, images: int = IMAGES) -> float:
    """The chance that the interval of a growing evaluation misses the share at some moment."""

    def holds(n: int) -> NDArray[np.bool_]:
        k = np.arange(n + 1.0)
        if now:
            times = np.stack([n - k, k], axis=1)
            sides = (([0.0, 1.0], share), ([1.0, 0.0], 1 - share))
            against = [log_wealth(np.array(values), times, np.full(n + 1, mean)) for values, mean in sides]
            return np.asarray(np.max(against, axis=0) < -np.log(ALPHA / 2))
        low, high = share_interval(k, n)
        return np.asarray((low <= share) & (share <= high))

    return ever_wrong(share, range(1, images + 1), holds)


def best_of(among: int, *, now: bool, share: float = 0.5, n: int = IMAGES) -> float:
    """The chance that the interval of the best of so many independent logs of one share misses it."""
    k = np.arange(n + 1)
    low, high = share_interval(k, n, among=among if now else 1)
    best = np.diff(stats.binom.cdf(np.arange(-1, n + 1), n, share) ** among)
    return float(best[(share < low) | (high < share)].sum())


def mostly_wrong(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Radii as parts of the ceiling, of images of which 98% are wrong: (N,) of mean 0.015."""
    return np.where(rng.random(shape) < 0.02, rng.uniform(0.5, 1, shape), 0.0)


def mean_missed(*, now: bool, runs: int = 300, images: int = 20) -> float:
    """How often, of simulated runs, the interval of the mean radius misses it: of few images, almost all of them wrong."""
    values = mostly_wrong(np.random.default_rng(1), (runs, images))
    if now:
        ends = np.array([mean_interval(row) for row in values])
        return 1 - float(((ends[:, 0] <= 0.015) & (ends[:, 1] >= 0.015)).mean())
    half = stats.norm.ppf(0.5 + LEVEL / 2) * values.std(axis=1, ddof=1) / np.sqrt(images)
    return float((np.abs(values.mean(axis=1) - 0.015) > half).mean())


def tried(tries: int, *, now: bool, alpha: float = ALPHA) -> float:
    """The chance that one of so many independent certificates is wrong, were each as often as it may: at alpha, or with alpha
    spent over any number of tries."""
    return 1 - float(np.prod([1 - (alpha / (k * (k + 1)) if now else alpha) for k in range(1, tries + 1)]))


SHARES = (0.6, 0.8, 0.9, 0.97)


def rows() -> Iterator[tuple[str, float, float]]:
    """What was done, and the chance of error before and now; of several true shares the worst."""
    for words, looks in (("20, 40, 80, ..., 2,560", DOUBLED), ("20, 30, 40, ..., 1,000", EVERY_TEN)):
        before, now = (max(bought_again(share, looks, now=now) for share in SHARES) for now in (False, True))
        yield f"a fixed-n bound asked for again on the same paid answers, n = {words}", before, now
    before, now = (max(watched(share, now=now) for share in (0.1, 0.5, 0.9)) for now in (False, True))
    yield f"the interval beside a growing evaluation, at any moment up to {IMAGES} images", before, now
    for among in (4, 20):
        yield (
            f"the interval of the best of {among} logs of {IMAGES} images",
            best_of(among, now=False),
            best_of(among, now=True),
        )
    yield "the interval of ACR, 20 images of which 98% are wrong", mean_missed(now=False), mean_missed(now=True)
    for tries in (3, 10):
        yield f"the best of {tries} tries on a picture", tried(tries, now=False), tried(tries, now=True)


def table() -> str:
    """The rows in Markdown."""
    head = f"| what is done, {ALPHA:.0%} being said | erred | errs |\n|---|---:|---:|\n"
    return head + "".join(f"| {words} | {before:.1%} | {now:.1%} |\n" for words, before, now in rows())


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    return print_table(
        "repeated_looks", "Print how often what is looked at more than once errs, as it was and as it is.", table, argv
    )


if __name__ == "__main__":
    sys.exit(main())
