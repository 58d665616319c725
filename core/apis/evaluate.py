"""Certify a data set by an API, one log line a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from core.apis.certify import RemoteResult, certify_remote
from core.apis.labels import LabelMap, fold
from core.apis.ledger import Ledger
from core.apis.provider import Provider
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.log import ABSTAINED, UNNAMED, LogLine
from core.models.labels import known_labels
from core.smoothing.noise import image_seed
from core.smoothing.sampling import DenoiserLike
from core.smoothing.settings import Settings


def class_names(data: LabelledImages) -> tuple[str, ...]:
    """The names that an API's labels are compared with: the data set's own, or ImageNet's for class numbers up to 999.

    Raises:
        LabError: where nothing names the classes.
    """
    if data.names is not None:
        return data.names
    known = known_labels(1000) if int(data.labels.max()) < 1000 else None
    if known is None:
        raise LabError("The data set does not name its classes, and an API answers with names: use one with names.")
    return known[0]


def evaluate_remote(
    data: LabelledImages,
    provider: Provider,
    denoiser: DenoiserLike | None,
    ledger: Ledger,
    settings: Settings,
    *,
    device: str = "auto",
    budget: float,
    labels: LabelMap | None = None,
    done: frozenset[int] = frozenset(),
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[LogLine, RemoteResult]]:
    """Certify every picture not in ``done``, each within ``budget`` dollars, and yield its line and what came of it.

    A prediction is right where its name is that of the picture's class, whatever its case.

    Args:
        settings, device: as for :func:`certify_remote`; the seed of each picture is made of the settings' own.

    Raises:
        LabError: as :func:`certify_remote`, or where the API refuses or stays away: what was asked is kept.
    """
    names = class_names(data)
    numbers = {fold(name): index for index, name in enumerate(names)}
    for image, label, index in zip(data.images, data.labels.tolist(), data.indices.tolist(), strict=True):
        if index in done:
            continue
        began = time.monotonic()
        seed = image_seed(settings.seed, index)
        result = certify_remote(
            image.float() / 255,
            provider,
            denoiser,
            replace(settings, seed=seed),
            device=device,
            ledger=ledger,
            budget=budget,
            labels=labels,
            should_stop=should_stop,
        )
        if result.halt is not None and result.halt.reason != "budget":
            if result.halt.reason == "stopped":
                return
            raise LabError(result.halt.message)
        c = result.certificate
        predict = ABSTAINED if c.label is None else numbers.get(fold(c.label), UNNAMED)
        right = c.label is not None and fold(c.label) == fold(names[label])
        yield LogLine(index, label, predict, c.radius, right, time.monotonic() - began), result
