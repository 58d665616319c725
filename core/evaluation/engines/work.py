"""What is to be certified: images, models, settings; and how it travels to other processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.data.datasets import LabelledImages
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
class Recipe:
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
class Work:
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

    def recipe(self) -> Recipe:
        """What a worker is told."""
        wanted = {name: version for name, version in versions().items() if name in SAME_VERSIONS}
        return Recipe(_travelling(self.classifier), _travelling(self.denoiser), self.size, self.settings, wanted)

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
