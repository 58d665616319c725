"""Certify a data set, one log line an image; and how such a task travels to other processes, and what each of them does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.datasets import LabelledImages
from core.engines import EAGER
from core.errors import LabError
from core.evaluation.log import ImageVotes, LogLine
from core.models.load import load_classifier, load_denoiser
from core.models.references import pinned
from core.smoothing.certificate import ModelRecord, model_record
from core.smoothing.certification import Certification
from core.smoothing.noise import image_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.smoothing.under_noise import PictureUnderNoise, Sampling, sample_under_noise, settled
from core.versions import versions


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
    images were certified before it, or together with it. One program computes all of them.

    Raises:
        LabError: as :func:`core.certify`.
    """
    wanted = [number for number, index in enumerate(data.indices.tolist()) if index not in done]

    def samplings() -> Iterator[Sampling]:
        shape = tuple(data.images.shape[1:])
        same = settled(settings, classifier, denoiser, device=device, shape=shape)
        for number in wanted:
            own = replace(same, seed=image_seed(settings.seed, int(data.indices[number])))
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


SAME_VERSIONS = ("lab", "torch")  # what every process must have in the same version, for the same last digits


@dataclass(frozen=True)
class Piece:
    """A few images on their way to a worker: (K, 3, H, W), with K labels and indices, as in :class:`LabelledImages`."""

    images: NDArray[np.uint8]
    labels: tuple[int, ...]
    indices: tuple[int, ...]

    def data(self) -> LabelledImages:
        """The images as a data set; a copy, since what Ray hands over may be read only."""
        return LabelledImages(torch.tensor(self.images), torch.tensor(self.labels), torch.tensor(self.indices), None)


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker is told once: which models, by references that load the same in any process, and how to certify."""

    classifier: ModelRecord
    denoiser: ModelRecord
    size: tuple[int, int] | None  # (height, width) at which noise is added, where the user chose it
    settings: Settings
    versions: dict[str, str]  # of the process that asks


@dataclass(frozen=True)
class EvaluationTask:
    """The images that are not done yet, and what certifies them.

    Other processes load the models again, by reference; ``device`` is where this one computes, ``size`` what
    ``load_classifier`` got as such.
    """

    data: LabelledImages
    classifier: ClassifierLike
    denoiser: DenoiserLike | None
    settings: Settings
    device: str = "auto"
    size: tuple[int, int] | None = None

    def setup(self, who: str, otherwise: str) -> WorkerSetup:
        """What a worker is told. Raises LabError where a model has no reference: ``who`` needs one, and what to do else."""
        classifier, denoiser = _travelling(self.classifier), _travelling(self.denoiser)
        for record in (classifier, denoiser):
            if record.ref.startswith("python/"):
                raise LabError(f"{who} load models by reference, and {record.ref!r} has none: {otherwise}.")
        wanted = {name: version for name, version in versions().items() if name in SAME_VERSIONS}
        settings = self.settings
        if settings.engine == "auto":  # what other processes have is not known here
            settings = replace(settings, engine=EAGER)
        shape = tuple(self.data.images.shape[1:])
        settings = settled(settings, self.classifier, self.denoiser, device=self.device, shape=shape)
        return WorkerSetup(classifier=classifier, denoiser=denoiser, size=self.size, settings=settings, versions=wanted)

    def piece(self, rows: Sequence[int]) -> Piece:
        """The images of some rows."""
        chosen = torch.tensor(rows, dtype=torch.int64)
        labels, indices = self.data.labels[chosen].tolist(), self.data.indices[chosen].tolist()
        return Piece(self.data.images[chosen].numpy(), tuple(labels), tuple(indices))


def _travelling(model: object | None) -> ModelRecord:
    """A record whose reference finds the same model in a process that started in another folder, and later."""
    record = model_record(model)
    ref = pinned(record.ref, record.revision)
    kind, _, path = ref.partition("/")
    if kind == "local":
        ref = f"local/{Path(path).expanduser().resolve()}"
    return ModelRecord(ref, record.revision, record.weights)


class Worker:
    """The models of a setup, loaded in this process, which computes on ``device`` with so many threads; None leaves them be.
    Raises LabError where this process has other versions or other weights, or cannot load the models."""

    def __init__(self, setup: WorkerSetup, device: str, threads: int | None = None) -> None:
        check_versions(setup.versions, versions())
        if threads is not None:
            torch.set_num_threads(threads)
        self._settings, self._device = setup.settings, device
        self._classifier = load_classifier(setup.classifier.ref, size=setup.size)
        self._denoiser = load_denoiser(setup.denoiser.ref)
        _check_same(setup.classifier, self._classifier)
        _check_same(setup.denoiser, self._denoiser)
        shape = (3, *(setup.size or self._classifier.input_size or (1, 1)))
        here = settled(setup.settings, self._classifier, self._denoiser, device=device, shape=shape)
        if here != setup.settings:
            asked = setup.settings
            raise LabError(
                f"A worker computes by {here.engine} in {here.precision}, and this process by {asked.engine} in"
                f" {asked.precision}, which is another network: choose an engine that every node has."
            )

    def certify(self, piece: Piece, should_stop: Callable[[], bool]) -> Iterator[Evaluated]:
        """Certify the images of a piece and yield each as it is finished; a stop ends it."""
        yield from evaluate(
            piece.data(), self._classifier, self._denoiser, self._settings, device=self._device, should_stop=should_stop
        )


def check_versions(wanted: dict[str, str], here: dict[str, str]) -> None:
    """See that a worker has the versions of the process that asks; raises LabError, which names the one that differs.

    Builds of one release (``2.13.0+cpu`` and ``2.13.0+cu130``) are taken as the same: a node with a GPU has another build.
    """
    for name in SAME_VERSIONS:
        if wanted[name].partition("+")[0] != here[name].partition("+")[0]:
            what = "the Lab" if name == "lab" else name
            raise LabError(
                f"A worker has {what} {here[name]}, and this process {wanted[name]}: the same log needs the same version,"
                " so install it on every node."
            )


def _check_same(wanted: ModelRecord, model: object | None) -> None:
    found = model_record(model)
    if (found.weights, found.revision) != (wanted.weights, wanted.revision):
        raise LabError(
            f"A worker loaded other weights for {wanted.ref!r} ({_short(found)}) than this process ({_short(wanted)}):"
            " bring the same files to every node."
        )


def _short(record: ModelRecord) -> str:
    return f"sha256 {record.weights[:12]}" if record.weights else f"revision {record.revision}"
