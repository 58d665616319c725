"""Certify a data set, one log line an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from core.data.datasets import LabelledImages
from core.evaluation.log import LogLine
from core.evaluation.together import certify_together
from core.evaluation.votes import ImageVotes
from core.smoothing.certification import Certification
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike


@dataclass(frozen=True)
class Settings:
    """The settings of an evaluation, as :func:`core.certify` takes them."""

    sigma: float
    n0: int
    n: int
    alpha: float
    seed: int
    method: str
    device: str
    noise: str = "gaussian"
    norm: str | None = None
    sound: bool = False
    two_sided: bool = False
    until_radius: float | None = None
    within: float | None = None
    table_radii: tuple[float, ...] | None = None


class Evaluated(NamedTuple):
    """What came of one image."""

    line: LogLine
    votes: ImageVotes


def evaluate(
    data: LabelledImages,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: Settings,
    *,
    done: frozenset[int] = frozenset(),
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluated]:
    """Certify every image not in ``done``, in order, and yield its line and its votes as soon as it is finished.

    The noise of image i comes from a seed of its own, made of the run's seed and i, so a line does not depend on which
    images were certified before it, or together with it.

    Raises:
        LabError: as :func:`core.certify`.
    """
    numbers: dict[str, Any] = asdict(settings)
    del numbers["seed"]
    wanted = [number for number, index in enumerate(data.indices.tolist()) if index not in done]

    def certifications() -> Iterator[Certification]:
        for number in wanted:
            seed = image_seed(settings.seed, int(data.indices[number]))
            yield Certification(data.images[number].float() / 255, classifier, denoiser, seed=seed, **numbers)

    for number, result in zip(wanted, certify_together(certifications(), should_stop=should_stop), strict=False):
        index, label = int(data.indices[number]), int(data.labels[number])
        predict = -1 if result.prediction is None else result.prediction
        line = LogLine(index, label, predict, result.radius, predict == label, result.seconds)
        yield Evaluated(line, ImageVotes.of(index, result))
