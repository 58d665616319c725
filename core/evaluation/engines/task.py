"""What is to be certified: images, models, settings; how it travels to other processes, and what each of them does."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.evaluate import Evaluated, evaluate
from core.models.load import load_classifier, load_denoiser
from core.models.references import pinned
from core.smoothing.certificate import ModelRecord, model_record
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.versions import versions

SAME_VERSIONS = ("lab", "torch")
"""What every process must have in the same version, for the same last digits."""


@dataclass(frozen=True)
class Piece:
    """A few images on their way to a worker.

    Attributes:
        images: (K, 3, H, W).
        labels, indices: K numbers each, as in :class:`LabelledImages`.
    """

    images: NDArray[np.uint8]
    labels: tuple[int, ...]
    indices: tuple[int, ...]

    def data(self) -> LabelledImages:
        """The images as a data set; a copy, since what Ray hands over may be read only."""
        return LabelledImages(torch.tensor(self.images), torch.tensor(self.labels), torch.tensor(self.indices), None)


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker is told once: which models, checked by their hashes, and how to certify.

    Attributes:
        classifier, denoiser: references that load the same models in any process, and what they must turn out to be.
        size: (height, width) at which noise is added, where the user chose it.
        settings: of the evaluation.
        versions: of the process that asks.
    """

    classifier: ModelRecord
    denoiser: ModelRecord
    size: tuple[int, int] | None
    settings: Settings
    versions: dict[str, str]


@dataclass(frozen=True)
class EvaluationTask:
    """The images that are not done yet, and what certifies them.

    Attributes:
        data: the images, their numbers each their own.
        classifier, denoiser: as for :func:`core.certify`. Other processes load them again, by reference.
        settings: of the evaluation.
        device: where this process computes.
        size: what ``load_classifier`` got as ``size``.
    """

    data: LabelledImages
    classifier: ClassifierLike
    denoiser: DenoiserLike | None
    settings: Settings
    device: str = "auto"
    size: tuple[int, int] | None = None

    def setup(self, who: str, otherwise: str) -> WorkerSetup:
        """What a worker is told.

        Args:
            who, otherwise: where a model has no reference: who needs one, and what to do without.

        Raises:
            LabError: in that case.
        """
        classifier, denoiser = _travelling(self.classifier), _travelling(self.denoiser)
        for record in (classifier, denoiser):
            if record.ref.startswith("python/"):
                raise LabError(f"{who} load models by reference, and {record.ref!r} has none: {otherwise}.")
        wanted = {name: version for name, version in versions().items() if name in SAME_VERSIONS}
        return WorkerSetup(classifier=classifier, denoiser=denoiser, size=self.size, settings=self.settings, versions=wanted)

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
    """The models of a setup, loaded in this process.

    Args:
        setup: what the process that asks has.
        device: where this one computes.

    Raises:
        LabError: where this process has other versions or other weights, or cannot load the models.
    """

    def __init__(self, setup: WorkerSetup, device: str) -> None:
        check_versions(setup.versions, versions())
        self._settings, self._device = setup.settings, device
        self._classifier = load_classifier(setup.classifier.ref, size=setup.size)
        self._denoiser = load_denoiser(setup.denoiser.ref)
        _check_same(setup.classifier, self._classifier)
        _check_same(setup.denoiser, self._denoiser)

    def certify(self, piece: Piece, should_stop: Callable[[], bool]) -> Iterator[Evaluated]:
        """Certify the images of a piece and yield each as it is finished; a stop ends it."""
        yield from evaluate(
            piece.data(), self._classifier, self._denoiser, self._settings, device=self._device, should_stop=should_stop
        )


def check_versions(wanted: dict[str, str], here: dict[str, str]) -> None:
    """See that a worker has the versions of the process that asks.

    Builds of one release (``2.13.0+cpu`` and ``2.13.0+cu130``) are taken as the same: a node with a GPU has another build.

    Raises:
        LabError: where one differs; it is named.
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
