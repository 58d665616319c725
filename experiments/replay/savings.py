"""What ending early saves: the votes of runs of a fixed n, replayed under the rules that would have ended them before.

Every rule is asked about the very same noisy copies, so that what differs is the rule and nothing else.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import LabError
from core.evaluation.evaluate import Settings
from core.smoothing.arithmetic import recompute
from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.looks import looks
from core.smoothing.noise import image_seed
from core.smoothing.question import Question
from core.smoothing.run import Run
from core.smoothing.sampling import ClassifierLike, DenoiserLike


@dataclass(frozen=True)
class VotesAtLooks:
    """A run of a fixed n, seen at each of its looks.

    Attributes:
        idx, label: the image's number and class.
        candidate: the class that n0 samples chose.
        votes: for it, at each sample number of :func:`core.smoothing.looks.looks`.
    """

    idx: int
    label: int
    candidate: int
    votes: tuple[int, ...]

    def to_line(self) -> str:
        """The line of the file, without its end."""
        return json.dumps(asdict(self) | {"votes": list(self.votes)})


def sample_at_looks(
    image: Tensor, label: int, index: int, classifier: ClassifierLike, denoiser: DenoiserLike | None, settings: Settings
) -> VotesAtLooks:
    """Run an image to its n, as :func:`core.evaluation.evaluate.evaluate` does, and keep its votes at every look.

    Args:
        image: (3, H, W) uint8.
        settings: those of a fixed n; alpha and method play no part.

    Raises:
        LabError: as :func:`core.certify`.
    """
    s = settings
    run = Run(
        image.float() / 255,
        classifier,
        denoiser,
        sigma=s.sigma,
        seed=image_seed(s.seed, index),
        noise=s.noise,
        sound=s.sound,
        device=s.device,
        batch_size=None,
    )
    candidate = int(torch.stack(list(run.votes("select", s.n0))).sum(dim=0).argmax())
    at, done, votes, found = looks(s.n), 0, 0, []
    for counts in run.votes("estimate", s.n, at):
        done, votes = done + int(counts.sum()), votes + int(counts[candidate])
        if done == at[bisect_left(at, done)]:
            found.append(votes)
    return VotesAtLooks(index, label, candidate, tuple(found))


def read_votes_at_looks(path: Path) -> list[VotesAtLooks]:
    """Read such a file.

    Raises:
        LabError: where it cannot be read; it names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"The votes {str(path)!r} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            idx, label, candidate = (int(document[name]) for name in ("idx", "label", "candidate"))
            found.append(VotesAtLooks(idx, label, candidate, tuple(map(int, document["votes"]))))
        except (KeyError, TypeError, ValueError) as error:
            raise LabError(f"{path.name}, line {number} does not hold the votes of an image ({error}).") from error
    return found


@dataclass(frozen=True)
class Replayed:
    """Where a rule would have ended a run, and what it would have certified: -1 and 0 where it abstains."""

    samples: int
    predict: int
    radius: float


def replay(run: VotesAtLooks, question: Question, n: int, rules: dict[str, Any]) -> Replayed:
    """End a run where the question is settled.

    Args:
        question: with none, it goes on to n and has the Clopper-Pearson bound.
        rules: alpha, sigma, shape, noise and norm, as for :func:`core.smoothing.arithmetic.recompute`.
    """
    at = looks(n)
    if len(run.votes) != len(at):
        raise LabError(f"Image {run.idx} has votes at {len(run.votes)} looks: a run of {n:,} samples has {len(at)}.")
    method = "clopper-pearson" if not question else GROUP_SEQUENTIAL if question.table_radii else "anytime"
    for done, votes in zip(at, run.votes, strict=True):
        counts = (votes, done - votes)
        if done == n or question.settled(counts, 0, n, rules) is not None:
            break
    found = recompute(counts, 0, method=method, table_radii=question.table_radii, n_planned=n, **rules)
    return Replayed(done, -1 if found.abstained else run.candidate, found.radius)


@dataclass(frozen=True)
class Saving:
    """A rule against the fixed n.

    Attributes:
        rule: in words.
        passes: mean samples an image, n0 included.
        part: of the passes of the fixed n.
        certified: share of images that are right with at least this radius, for each radius.
        fixed: the same of the fixed n.
        differing: for each radius, how many images count under one of the two and not under the other.
        near: share of the images certified by the fixed n whose radius is at least 95% of the fixed n's.
    """

    rule: str
    passes: float
    part: float
    certified: dict[float, float]
    fixed: dict[float, float]
    differing: dict[float, int]
    near: float

    def to_dict(self) -> dict[str, Any]:
        """The document that ``--json`` prints."""
        document = asdict(self)
        for name in ("certified", "fixed", "differing"):
            document[name] = {f"{radius:g}": value for radius, value in getattr(self, name).items()}
        return document


def saving(
    runs: Sequence[VotesAtLooks],
    rule: str,
    question: Question,
    radii: Sequence[float],
    *,
    n0: int,
    n: int,
    rules: dict[str, Any],
) -> Saving:
    """Replay every run under the rule and to its end, and compare.

    Raises:
        LabError: where there is no run.
    """
    if not runs:
        raise LabError("No image has been sampled yet: there is nothing to compare.")
    pairs = [(run, replay(run, question, n, rules), replay(run, Question(), n, rules)) for run in runs]

    def counts(run: VotesAtLooks, found: Replayed, radius: float) -> bool:
        return found.predict == run.label and found.radius >= radius

    passes = n0 + sum(early.samples for _, early, _ in pairs) / len(pairs)
    whole = [(early, fixed) for _, early, fixed in pairs if fixed.predict >= 0]
    return Saving(
        rule,
        passes,
        passes / (n0 + n),
        {r: sum(counts(run, early, r) for run, early, _ in pairs) / len(pairs) for r in radii},
        {r: sum(counts(run, fixed, r) for run, _, fixed in pairs) / len(pairs) for r in radii},
        {r: sum(counts(run, early, r) != counts(run, fixed, r) for run, early, fixed in pairs) for r in radii},
        sum(early.radius >= 0.95 * fixed.radius for early, fixed in whole) / max(1, len(whole)),
    )
