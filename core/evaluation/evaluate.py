"""Certify a data set, one log line an image."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from core.data.datasets import LabelledImages
from core.evaluation.log import LogLine
from core.evaluation.votes import ImageVotes
from core.smoothing.certification import Certification
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.smoothing.under_noise import PictureUnderNoise, Sampling, sample_under_noise


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
    device: str = "auto",
    done: frozenset[int] = frozenset(),
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Evaluated]:
    """Certify every image not in ``done``, in order, and yield its line and its votes as soon as it is finished.

    The noise of image i comes from a seed of its own, made of the run's seed and i, so a line does not depend on which
    images were certified before it, or together with it.

    Raises:
        LabError: as :func:`core.certify`.
    """
    wanted = [number for number, index in enumerate(data.indices.tolist()) if index not in done]

    def samplings() -> Iterator[Sampling]:
        for number in wanted:
            own = replace(settings, seed=image_seed(settings.seed, int(data.indices[number])))
            own.check()
            picture = PictureUnderNoise(data.images[number].float() / 255, classifier, denoiser, own, device=device)
            yield Sampling(picture, Certification(own, picture.shape))

    finished = sample_under_noise(samplings(), should_stop=should_stop)
    for number, sampling in zip(wanted, finished, strict=False):
        assert isinstance(sampling.counter, Certification)
        result = sampling.counter.certificate(sampling.picture.provenance, sampling.seconds)
        index, label = int(data.indices[number]), int(data.labels[number])
        predict = -1 if result.prediction is None else result.prediction
        right, radius, seconds = predict == label, result.radius, result.seconds
        line = LogLine(idx=index, label=label, predict=predict, radius=radius, correct=right, seconds=seconds)
        yield Evaluated(line, ImageVotes.of(index, result))
