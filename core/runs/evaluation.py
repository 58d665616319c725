"""An evaluation whose images go to the store one by one, within a budget, and that can be stopped and gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.evaluate import evaluate
from core.evaluation.log import LogLine
from core.runs.store import RunStore, StoredRun
from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.certificate import model_record
from core.smoothing.radius import OWN_NORM
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.versions import versions

MOST_IMAGES = 100_000
MOST_MINUTES = 24 * 60.0


@dataclass(frozen=True)
class EvaluationRequest:
    """What a user asks for.

    Attributes:
        dataset, split, classifier, denoiser: references.
        images: how many, chosen at random by the seed.
        sigma, n0, n, alpha, seed: as for :func:`core.certify`.
        within, table_radii: what ends an image early, as for :func:`core.certify`, by the bound that this needs; at most one.
        minutes: of computing, after which it stops; it can be gone on with then. Decides no line.
    """

    dataset: str
    split: str
    classifier: str
    denoiser: str
    images: int
    sigma: float
    n0: int
    n: int
    alpha: float
    seed: int
    within: float | None
    table_radii: tuple[float, ...] | None
    minutes: float

    def settings(self) -> Settings:
        """What decides the lines, beside data and models.

        Raises:
            LabError: where a number is out of range.
        """
        if not 1 <= self.images <= MOST_IMAGES:
            raise LabError(f"{self.images} images were asked for: expected 1 to {MOST_IMAGES:,}.")
        if not 0 < self.minutes <= MOST_MINUTES:
            raise LabError(f"A budget of {self.minutes:g} minutes was given: expected more than 0, at most {MOST_MINUTES:g}.")
        method = "anytime" if self.within is not None else GROUP_SEQUENTIAL if self.table_radii else "clopper-pearson"
        settings = Settings(
            sigma=self.sigma,
            n0=self.n0,
            n=self.n,
            alpha=self.alpha,
            seed=self.seed,
            method=method,
            norm=OWN_NORM["gaussian"],
            within=self.within,
            table_radii=self.table_radii,
        )
        settings.check()
        return settings


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation is; the last one is its result.

    Attributes:
        run: its number in the store.
        done, planned: images.
        seconds: of computing, since it was begun or gone on with.
        seconds_left: an estimate, at most what is left of the budget; None before the first image.
        lines: of all images that are done; more may be added at its end while it runs.
        skipped: clauses about pictures that could not be read.
    """

    run: int
    done: int
    planned: int
    seconds: float
    seconds_left: float | None
    lines: list[LogLine]
    skipped: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether no image is missing."""
        return self.done >= self.planned


def chosen_images(data: LabelledImages, images: int, seed: int) -> LabelledImages:
    """Images chosen at random, in random order: whenever it is stopped, those that are done are a random sample.

    The same seed asked for more images chooses the same ones, and others after them.
    """
    order = np.random.default_rng(seed).permutation(len(data))[:images]
    return data.where(torch.from_numpy(order))


def document_of(
    request: EvaluationRequest, classifier: ClassifierLike, denoiser: DenoiserLike | None, *, device: str
) -> dict[str, Any]:
    """Every parameter that decides a line, as the side file of a log has them."""
    return {
        "dataset": request.dataset,
        "split": request.split,
        "images": request.images,
        "chosen": "at random, by the seed",
        **asdict(request.settings()),
        "device": device,
        "classifier": asdict(model_record(classifier)),
        "denoiser": asdict(model_record(denoiser)),
        "versions": versions(),
    }


def request_of(run: StoredRun, minutes: float) -> EvaluationRequest:
    """The request that a stored run was begun with.

    Raises:
        LabError: where its settings do not say, as those of a log that was brought from elsewhere.
    """
    s = run.settings
    try:
        return EvaluationRequest(
            str(s["dataset"]),
            str(s["split"]),
            str(s["classifier"]["ref"]),
            str(s["denoiser"]["ref"]),
            int(s["images"]),
            float(s["sigma"]),
            int(s["n0"]),
            int(s["n"]),
            float(s["alpha"]),
            int(s["seed"]),
            None if s["within"] is None else float(s["within"]),
            tuple(map(float, s["table_radii"])) if s.get("table_radii") else None,
            minutes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"The run {run.name!r} does not say how it was made, so it cannot be gone on with.") from error


def evaluate_into(
    store: RunStore,
    run: int,
    data: LabelledImages,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: Settings,
    *,
    device: str,
    minutes: float,
    report: Callable[[EvaluationProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> EvaluationProgress:
    """Certify those images that a run does not have yet, each into the store as soon as it is finished.

    Args:
        store, run: where the run is held by this worker (:meth:`RunStore.working_on`).
        data: all images of the run, in order.
        minutes: of computing, after which it stops.
        report: told how far it is, after every batch of noisy copies and every image.
        should_stop: asked after every batch.

    Returns:
        how far it came; the run counts as finished in the store where that is to the end, else as stopped.

    Raises:
        LabError: as :func:`core.certify`, or where the store is gone.
    """
    lines = store.lines(run)
    done = frozenset(line.idx for line in lines)
    began, planned = time.monotonic(), len(data)

    def progress() -> EvaluationProgress:
        seconds, new = time.monotonic() - began, len(lines) - len(done)
        left = min(seconds / new * (planned - len(lines)), max(0.0, 60 * minutes - seconds)) if new else None
        return EvaluationProgress(run, len(lines), planned, seconds, left, lines, data.skipped)

    def stopping() -> bool:
        report(progress())
        return should_stop() or time.monotonic() - began > 60 * minutes

    report(progress())
    for line, votes in evaluate(data, classifier, denoiser, settings, device=device, done=done, should_stop=stopping):
        store.add(run, [(line, votes)])
        lines.append(line)
        report(progress())
    result = progress()
    store.finish(run, "finished" if result.complete else "stopped")
    return result
