"""An evaluation whose images go to the store one by one, within a budget, and that can be stopped and gone on with."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.evaluate import evaluate
from core.evaluation.log import LogLine
from core.runs.resuming import UNSAID, changed_since
from core.runs.store import RunStore, StoredRun
from core.smoothing.certificate import model_record
from core.smoothing.radius import OWN_NORM
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.smoothing.under_noise import settled
from core.versions import versions

MOST_IMAGES = 100_000
MOST_MINUTES = 24 * 60.0


@dataclass(frozen=True)
class EvaluationRequest:
    """What a user asks for."""

    dataset: str
    split: str
    classifier: str
    denoiser: str
    images: int  # how many, chosen at random by the seed
    settings: Settings
    minutes: float  # of computing, after which it stops, to be gone on with. Decides no line.

    def check(self) -> None:
        if not 1 <= self.images <= MOST_IMAGES:
            raise LabError(f"{self.images} images were asked for: expected 1 to {MOST_IMAGES:,}.")
        if not 0 < self.minutes <= MOST_MINUTES:
            raise LabError(f"A budget of {self.minutes:g} minutes was given: expected more than 0, at most {MOST_MINUTES:g}.")
        self.settings.check()

    def chosen(self, data: LabelledImages) -> LabelledImages:
        """Images in random order, so that those done at a stop are a random sample; if more are asked, others follow these."""
        order = np.random.default_rng(self.settings.seed).permutation(len(data))[: self.images]
        return data.where(torch.from_numpy(order))

    def document(self, classifier: ClassifierLike, denoiser: DenoiserLike | None, device: str) -> dict[str, Any]:
        """Every parameter that decides a line, as the side file of a log has them."""
        settings = replace(self.settings, norm=self.settings.norm or OWN_NORM[self.settings.noise])
        return {
            "dataset": self.dataset,
            "split": self.split,
            "images": self.images,
            "chosen": "at random, by the seed",
            **settings.document(),
            "device": device,
            "classifier": asdict(model_record(classifier)),
            "denoiser": asdict(model_record(denoiser)),
            "versions": versions(),
        }


@dataclass(frozen=True)
class EvaluationProgress:
    """How far an evaluation is; the last one is its result."""

    run: int
    done: int  # images, as ``planned``
    planned: int
    seconds: float  # of computing, since it was begun or gone on with
    seconds_left: float | None  # at most what is left of the budget; None before the first image
    minutes: float
    lines: list[LogLine]  # of all images that are done; more may be added at its end while it runs
    skipped: tuple[str, ...] = ()  # clauses about pictures that could not be read
    changed: tuple[str, ...] = ()  # packages of another version than at its beginning; last digits may differ

    @property
    def complete(self) -> bool:
        return self.done >= self.planned


def request_of(run: StoredRun, minutes: float) -> EvaluationRequest:
    """The request that a stored run was begun with. Raises LabError where a log from elsewhere does not say."""
    s = run.settings
    try:
        return EvaluationRequest(
            dataset=str(s["dataset"]),
            split=str(s["split"]),
            classifier=str(s["classifier"]["ref"]),
            denoiser=str(s["denoiser"]["ref"]),
            images=int(s["images"]),
            settings=Settings.of(UNSAID | dict(s)),
            minutes=minutes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(f"The run {run.name!r} does not say how it was made, so it cannot be gone on with.") from error


def evaluate_into(
    store: RunStore,
    request: EvaluationRequest,
    data: LabelledImages,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    device: str,
    name: str,
    begun: StoredRun | None = None,
    report: Callable[[EvaluationProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> EvaluationProgress:
    """Certify the images of a new run, or those that one lacks, each into the store as soon as it is finished.

    ``begun`` is the run to go on with; None begins one, with this name. ``report`` is told after every batch of noisy copies
    and every image. Returns how far it came: to the end, and the run counts as finished, else as stopped. Raises LabError as
    :func:`core.certify`; where the run was begun otherwise or somebody is at it; or where the store is gone.
    """
    shape = tuple(data.images.shape[1:])
    request = replace(request, settings=settled(request.settings, classifier, denoiser, device=device, shape=shape))
    chosen, document = request.chosen(data), request.document(classifier, denoiser, device)
    changed: list[str] = []
    if begun is not None:
        otherwise = " than is here now: begin a new one."
        changed = changed_since(begun.settings, document, begun=f"The run {begun.name!r}", otherwise=otherwise)
    run = store.begin(name, document, len(chosen)) if begun is None else begun.id
    with store.working_on(run, begun=begun is None):
        lines = store.lines(run)
        done = frozenset(line.idx for line in lines)
        since, planned, minutes = time.monotonic(), len(chosen), request.minutes
        begin = EvaluationProgress(
            run, 0, planned, 0.0, seconds_left=None, minutes=minutes, lines=lines, skipped=data.skipped, changed=tuple(changed)
        )

        def progress() -> EvaluationProgress:
            seconds, new = time.monotonic() - since, len(lines) - len(done)
            left = min(seconds / new * (planned - len(lines)), max(0.0, 60 * minutes - seconds)) if new else None
            return replace(begin, done=len(lines), seconds=seconds, seconds_left=left)

        def stopping() -> bool:
            report(progress())
            return should_stop() or time.monotonic() - since > 60 * minutes

        report(progress())
        for line, votes in evaluate(
            chosen, classifier, denoiser, request.settings, device=device, done=done, should_stop=stopping
        ):
            store.add(run, [(line, votes)])
            lines.append(line)
            report(progress())
        result = progress()
        store.finish(run, "finished" if result.complete else "stopped")
    return result
