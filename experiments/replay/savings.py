"""What ending early saves: the votes of runs of a fixed n, replayed under the rules that would have ended them before.

Every rule is asked about the very same noisy copies, so that what differs is the rule and nothing else.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import LabError
from core.evaluation.log import NO_VOTES, read_json_lines
from core.smoothing.certification import Certification
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.smoothing.table import looks
from core.smoothing.under_noise import PictureUnderNoise, Sampling, sample_under_noise


@dataclass(frozen=True)
class VotesAtLooks:
    """A run of a fixed n, seen at each of its looks.

    Attributes:
        idx, label: the image's number and class.
        candidate: the class that n0 samples chose.
        votes: for it, at each sample number of :func:`core.smoothing.table.looks`.
    """

    idx: int
    label: int
    candidate: int
    votes: tuple[int, ...]

    def to_line(self) -> str:
        """The line of the file, without its end."""
        return json.dumps(asdict(self) | {"votes": list(self.votes)})


class _AtLooks(Certification):
    """CERTIFY that keeps the candidate's votes at each look."""

    def __init__(self, settings: Settings, shape: tuple[int, ...]) -> None:
        super().__init__(settings, shape, at=looks(settings.n))
        self.votes: list[int] = []

    def add(self, purpose: str, votes: Tensor) -> None:
        """Count them; no batch runs past a look."""
        super().add(purpose, votes)
        if purpose == "estimate" and self.candidate is not None and self.done in looks(self.settings.n):
            self.votes.append(int(self.counts[self.candidate]))


def sample_at_looks(
    image: Tensor,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: Settings,
    *,
    label: int,
    index: int,
    device: str = "auto",
) -> VotesAtLooks:
    """Run an image to its n, as :func:`core.evaluation.evaluate.evaluate` does, and keep its votes at every look.

    Args:
        image: (3, H, W) uint8.
        settings: those of a fixed n; alpha and method play no part.

    Raises:
        LabError: as :func:`core.certify`.
    """
    own = replace(settings, seed=image_seed(settings.seed, index))
    picture = PictureUnderNoise(image.float() / 255, classifier, denoiser, own, device=device)
    run = _AtLooks(own, picture.shape)
    for _ in sample_under_noise([Sampling(picture, run)]):
        pass
    assert run.candidate is not None
    return VotesAtLooks(index, label, run.candidate, tuple(run.votes))


def read_votes_at_looks(path: Path) -> list[VotesAtLooks]:
    """Read such a file.

    Raises:
        LabError: where it cannot be read; it names the line.
    """

    def parse(raw: Any) -> VotesAtLooks:
        idx, label, candidate = (int(raw[name]) for name in ("idx", "label", "candidate"))
        return VotesAtLooks(idx, label, candidate, tuple(map(int, raw["votes"])))

    return [run for _, run in read_json_lines(path, parse, wrong=NO_VOTES, what="The votes ")]


@dataclass(frozen=True)
class Replayed:
    """Where a rule would have ended a run, and what it would have certified: -1 and 0 where it abstains."""

    samples: int
    predict: int
    radius: float


def replay(run: VotesAtLooks, settings: Settings, shape: tuple[int, ...]) -> Replayed:
    """End a run where what the settings ask is settled; where they ask nothing, it goes on to n."""
    at = looks(settings.n)
    if len(run.votes) != len(at):
        raise LabError(f"Image {run.idx} has votes at {len(run.votes)} looks: a run of {settings.n:,} samples has {len(at)}.")
    c = Certification(settings, shape, at=at, any_radius=True)
    c.add("select", torch.tensor([settings.n0, 0]))
    samples, before = 0, 0
    for samples, votes in zip(at, run.votes, strict=True):
        c.add("estimate", torch.tensor([votes - before, samples - c.done - (votes - before)]))
        before = votes
        if c.finished:
            break
    found = c.conclusion(settings.method)
    return Replayed(samples, -1 if found.abstained else run.candidate, found.radius)


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
    runs: Sequence[VotesAtLooks], rule: str, settings: Settings, *, radii: Sequence[float], shape: tuple[int, ...]
) -> Saving:
    """Replay every run as the settings would end it and to its end, and compare.

    Raises:
        LabError: where there is no run.
    """
    if not runs:
        raise LabError("No image has been sampled yet: there is nothing to compare.")
    whole = replace(settings, method="clopper-pearson", until_radius=None, within=None, table_radii=None)
    n0, n = settings.n0, settings.n
    pairs = [(run, replay(run, settings, shape), replay(run, whole, shape)) for run in runs]

    def counts(run: VotesAtLooks, found: Replayed, radius: float) -> bool:
        return found.predict == run.label and found.radius >= radius

    passes = n0 + sum(early.samples for _, early, _ in pairs) / len(pairs)
    certified = [(early, fixed) for _, early, fixed in pairs if fixed.predict >= 0]
    return Saving(
        rule=rule,
        passes=passes,
        part=passes / (n0 + n),
        certified={r: sum(counts(run, early, r) for run, early, _ in pairs) / len(pairs) for r in radii},
        fixed={r: sum(counts(run, fixed, r) for run, _, fixed in pairs) / len(pairs) for r in radii},
        differing={r: sum(counts(run, early, r) != counts(run, fixed, r) for run, early, fixed in pairs) for r in radii},
        near=sum(early.radius >= 0.95 * fixed.radius for early, fixed in certified) / max(1, len(certified)),
    )
