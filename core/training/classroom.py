"""A whole training within minutes: certify without a denoiser, train one, keep it, certify with it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from core.device import describe_device
from core.errors import LabError
from core.models.load import Classifier
from core.models.networks import build
from core.models.storage import ModelConfig
from core.training.before_after import CertifiedCount, certified_count
from core.training.denoiser import denoising_loss, figure_sigmas
from core.training.feature_distance import feature_layers
from core.training.gradients import check_gradients
from core.training.kept import KeptModel, archive, full_name, keep
from core.training.noise import draw_sigmas
from core.training.objectives import Objective, mse, stability
from core.training.pictures import TrainingPictures
from core.training.recipe import Recipe
from core.training.request import NETWORKS, TrainingRequest
from core.training.timed import Phase, TimedProgress, TimedResult, fit_for
from core.training.validation import SHOWN, Validation, to_bytes

MSE_SHARE = 0.6
"""Of the time, where STAB follows on MSE."""
STAB_PACE = 0.25
"""Of the learning rate, in STAB: its gradients through the classifier undo at full pace what MSE has taught."""
SIGMA_POWER = 1.0
STOPPED = "Stopped while the pictures were certified without a denoiser: no training was begun, nothing is kept."


@dataclass(frozen=True)
class TrainingState:
    """What is known at a moment.

    Attributes:
        stage: ``pictures``, ``before``, ``train``, ``after`` or ``ended``.
        done, total: pictures certified, in ``before`` and ``after``.
        noisy, clean: (K, 3, H, W) uint8, the pictures of the strip.
        shown: sigma of the strip.
        trained: the last of the training.
        before, after: certified without and with the denoiser; None where not done.
    """

    stage: str
    done: int = 0
    total: int = 0
    noisy: Tensor | None = None
    clean: Tensor | None = None
    shown: float = 0.0
    trained: TimedProgress | None = None
    before: CertifiedCount | None = None
    after: CertifiedCount | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainedHere:
    """What came of it.

    Attributes:
        name: of the model.
        kept: the model in the Lab's folder; None where it could not be written there.
        unsaved: a sentence where it could not.
        files: the model as a zip, where it could not; else None.
        best_by: what the kept moment was chosen by, in words.
        stopped: whether it was stopped by somebody.
    """

    state: TrainingState
    name: str
    kept: KeptModel | None
    unsaved: str | None
    files: bytes | None
    best_by: str
    best_second: float
    batch_size: int
    trouble: str | None
    stopped: bool


def train_here(
    request: TrainingRequest,
    classifier: Classifier,
    pictures: TrainingPictures,
    name: str,
    *,
    device: torch.device,
    report: Callable[[TrainingState], None] = lambda state: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainedHere:
    """Train a denoiser for a classifier as :class:`TrainingRequest` says; keep it as ``NAME-xxxxxx``.

    A stop keeps the best until then, uncertified. A full disk loses nothing: the result then holds the model itself.

    Raises:
        LabError: where the classifier gives no gradients, nothing was learnt before a stop, or the loss is no number at once.
    """
    begun = time.monotonic()
    low, high = request.sigma_range
    white_box = request.objective != "mse"
    if white_box:
        check_gradients(classifier, classifier.ref, pictures.size, device, "choose the objective MSE, or another classifier.")
        if request.features:
            feature_layers(classifier)  # refuses those that have none, before anything is certified
    labels = pictures.labels
    if labels is None:
        labels = _answers(classifier, pictures.checked, device)
    sigmas = [s for s in figure_sigmas(low, high) if s < 1 or high == low] or [high]
    shown = min(max(request.sigma, low), high)
    validation = Validation(pictures.watched, classifier, sigmas, shown, request.seed, device)
    state = TrainingState(
        "before",
        0,
        request.checked,
        to_bytes(validation.noisy),
        to_bytes(validation.clean[:SHOWN]),
        shown,
        notes=pictures.notes,
    )

    def certified(denoiser: nn.Module | None) -> CertifiedCount | None:
        if not len(pictures.checked):
            return None
        return certified_count(
            pictures.checked,
            labels,
            classifier,
            denoiser,
            sigma=request.sigma,
            n=request.n,
            radius=request.radius,
            seed=request.seed,
            device=str(device),
            report=lambda done, total: report(replace(state, done=done, total=total)),
            should_stop=should_stop,
        )

    report(state)
    before = certified(None)
    if should_stop():
        raise LabError(STOPPED)
    state = replace(state, stage="train", before=before)
    result, config, recipe = _train(request, classifier, pictures, validation, device, state, report, should_stop)
    state = replace(state, stage="after", done=0, trained=result.last)
    full = full_name(name, result.network)
    card = _card(request, pictures, state, result, recipe, device)

    def save() -> tuple[KeptModel | None, str | None]:
        minutes = round((time.monotonic() - begun) / 60, 1)
        try:
            return keep(result.network, config, card | {"minutes": minutes}, full), None
        except LabError as error:
            return None, str(error)

    kept, unsaved = save()  # before it is certified: a kill then costs figures alone
    report(state)
    after = None if should_stop() else certified(result.network)
    state = replace(state, stage="ended", after=after)
    if after is not None and before is not None:
        card |= {"certified_told": _told(before, after)}
        if kept is not None:
            kept, unsaved = save()
    return TrainedHere(
        state,
        full,
        kept,
        unsaved,
        None if kept else archive(result.network, config, card, full),
        "PSNR of the validation pictures" if result.best.phase == "mse" else "STAB's loss on the validation pictures",
        result.best.seconds,
        result.batch_size,
        result.trouble,
        result.stopped,
    )


def _train(
    request: TrainingRequest,
    classifier: nn.Module,
    pictures: TrainingPictures,
    validation: Validation,
    device: torch.device,
    state: TrainingState,
    report: Callable[[TrainingState], None],
    should_stop: Callable[[], bool],
) -> tuple[TimedResult, ModelConfig, Recipe]:
    low, high = request.sigma_range
    architecture, options = NETWORKS[request.network]
    recipe = Recipe(epochs=1, batch_size=request.batch_size, learning_rate=request.learning_rate, ema=0.99, seed=request.seed)
    objectives: Mapping[str, Objective] = {
        "mse": lambda denoiser, clean, noisy, sigma, generator: mse(denoiser, clean, noisy, sigma),
        "stab": stability([classifier], closeness=request.closeness, features=request.features),
    }
    shares = {"mse-stab": {"mse": MSE_SHARE, "stab": 1 - MSE_SHARE}}.get(request.objective, {request.objective: 1.0})
    phases = [
        Phase(
            phase,
            denoising_loss(
                objectives[phase],
                lambda count, generator: draw_sigmas(count, low, high, SIGMA_POWER, generator),
                mirror=request.mirror,
                shift=min(2, min(pictures.size) - 1),
                layout=recipe.memory_format,
            ),
            share,
            STAB_PACE if phase == "stab" else 1.0,
        )
        for phase, share in shares.items()
    ]
    with torch.random.fork_rng(devices=[]):  # other jobs of this process draw from the same generator
        torch.manual_seed(request.seed)
        network = build("denoiser", architecture, options)
    result = fit_for(
        network,
        phases,
        pictures.draw,
        recipe,
        60 * request.minutes,
        validation,
        device=device,
        report=lambda progress: report(replace(state, trained=progress)),
        should_stop=should_stop,
    )
    return result, ModelConfig("denoiser", architecture, options, pictures.size, None, (low, high)), recipe


@torch.inference_mode()
def _answers(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    if not len(images):
        return torch.zeros(0, dtype=torch.int64)
    return torch.cat([classifier(part.to(device).float() / 255).argmax(1).cpu() for part in images.split(32)])


def _card(
    request: TrainingRequest,
    pictures: TrainingPictures,
    state: TrainingState,
    result: TimedResult,
    recipe: Recipe,
    device: torch.device,
) -> dict[str, Any]:
    measured = result.best.measured
    figures = {f"psnr_{s:g}": round(v, 2) for s, v in measured.psnr.items()}
    figures |= {f"agreement_{s:g}": round(v, 4) for s, v in measured.agreement.items()}
    return {
        "objective": request.objective,
        "data": pictures.what,
        "classifier": request.classifier,
        "trained_through": None if request.objective == "mse" else [request.classifier],
        **({} if request.objective == "mse" else {"closeness": request.closeness, "features": request.features}),
        "sigma_range": list(request.sigma_range),
        "test": figures,
        "test_images": len(pictures.watched),
        "measured_on": "the held-out pictures that the best moment was chosen by",
        "recipe": {key: value for key, value in asdict(recipe).items() if key != "epochs"}
        | {"batch_size_at_the_end": result.batch_size, "steps": result.last.step, "minutes_granted": request.minutes},
        "stopped_early": result.stopped or result.trouble is not None,
        **({"trouble": result.trouble} if result.trouble else {}),
        "parameters": sum(p.numel() for p in result.network.parameters()),
        "best_second": round(result.best.seconds, 1),
        "device": describe_device(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _told(before: CertifiedCount, after: CertifiedCount) -> str:
    return (
        f"{before.right} and {after.right} of {after.total} pictures right and certified at l2 {after.radius:g}"
        f" (sigma {after.sigma:g}, n {after.n})"
    )
