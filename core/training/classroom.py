"""A whole training within minutes: certify without a denoiser, train one, keep it, certify with it."""

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.device import describe_device
from core.errors import LabError
from core.models.load import Classifier
from core.models.networks import build
from core.models.storage import ModelConfig
from core.training.augmentation import draw_sigmas
from core.training.checkpoint import Stated, fingerprint, weights_fingerprint
from core.training.denoiser import denoising_loss
from core.training.loop import TrainingProgress
from core.training.objectives import feature_layers, mse, stability
from core.training.pictures import TrainingPictures
from core.training.pretrained import check_gradients
from core.training.recipe import NETWORKS, TrainingRequest
from core.training.timed import Phase, TimedCheckpoint, TimedResult, TimePlan, fit_for
from core.training.trained import TrainedModel, full_name, save_trained, zip_unsaved
from core.training.validation import SHOWN, CertifiedCount, Validation, certified_count, figure_sigmas, to_bytes
from core.visitor import OPERATOR, Visitor

MSE_SHARE = 0.6  # of the time, where STAB follows on MSE
STAB_PACE = 0.25
"""Of the learning rate, in STAB: its gradients through the classifier undo at full pace what MSE has taught."""
SIGMA_POWER = 1.0
STOPPED = "Stopped while the pictures were certified without a denoiser: no training was begun, nothing is kept."


@dataclass(frozen=True)
class TrainingState:
    """What is known at a moment."""

    stage: str  # ``pictures``, ``before``, ``train``, ``after`` or ``ended``
    done: int = 0  # pictures certified, in ``before`` and ``after``
    total: int = 0
    noisy: Tensor | None = None  # (K, 3, H, W) uint8, the pictures of the strip
    clean: Tensor | None = None  # the same without noise
    shown: float = 0.0  # sigma of the strip
    trained: TrainingProgress | None = None  # the last of the training
    before: CertifiedCount | None = None  # certified without a denoiser; None where not done
    after: CertifiedCount | None = None  # certified with it
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainedHere:
    """What came of it."""

    state: TrainingState
    name: str
    saved: TrainedModel | None  # in the Lab's folder; None where it could not be written there
    unsaved: str | None  # a sentence where it could not
    files: bytes | None  # the model as a zip, where it could not
    result: TimedResult

    @property
    def best_by(self) -> str:
        """What the best moment was chosen by, in words."""
        phase = self.result.best.phase
        return "PSNR of the validation pictures" if phase == "mse" else "STAB's loss on the validation pictures"


def train_here(
    request: TrainingRequest,
    classifier: Classifier,
    pictures: TrainingPictures,
    name: str,
    *,
    device: torch.device,
    checkpoint: Path | None = None,
    visitor: Visitor = OPERATOR,
    report: Callable[[TrainingState], None] = lambda state: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainedHere:
    """Train a denoiser for a classifier as :class:`TrainingRequest` says; keep it as ``NAME-xxxxxx``, the visitor's own.

    A stop keeps the best until then, uncertified. A full disk loses nothing: the result then holds the model itself.
    ``checkpoint`` is written on the way; where there is one, the training goes on from it. Raises LabError where the classifier
    gives no gradients, nothing was learnt before a stop, the loss is no number at once, or the checkpoint cannot be used.
    """
    begun = time.monotonic()
    low, high = request.sigma_range
    if request.objective != "mse":
        otherwise = "choose the objective MSE, or another classifier."
        check_gradients(classifier, classifier.ref, pictures.size, device, otherwise=otherwise)
        if request.stab.features:
            feature_layers(classifier)  # refuses those that have none, before anything is certified
    labels = pictures.labels
    if labels is None:
        labels = _answers(classifier, pictures.checked, device)
    sigmas = [s for s in figure_sigmas(low, high) if s < 1 or high == low] or [high]
    shown, seed = min(max(request.settings.sigma, low), high), request.recipe.seed
    validation = Validation(pictures.watched, classifier, sigmas=sigmas, shown=shown, seed=seed, device=device)
    noisy, clean = to_bytes(validation.noisy), to_bytes(validation.clean[:SHOWN])
    state = TrainingState("before", total=request.checked, noisy=noisy, clean=clean, shown=shown, notes=pictures.notes)

    def certified(denoiser: nn.Module | None) -> CertifiedCount | None:
        if not len(pictures.checked):
            return None
        return certified_count(
            images=pictures.checked,
            labels=labels,
            models=(classifier, denoiser),
            settings=request.settings,
            radius=request.radius,
            device=str(device),
            report=lambda done, total: report(replace(state, done=done, total=total)),
            should_stop=should_stop,
        )

    report(state)
    kept, earlier = None, None
    if checkpoint is not None:
        kept = TimedCheckpoint(checkpoint, _stated(request, classifier, pictures))
        earlier = kept.read(device)
    if earlier is None:
        before = certified(None)
        if should_stop():
            raise LabError(STOPPED)
    else:
        right, total = earlier["more"]["before"]
        before = CertifiedCount(right, total, request.radius, request.settings) if total else None
        begun -= earlier["seconds"]
        pictures.go_on(earlier["steps"])
    if kept is not None:
        kept = replace(kept, more={"before": [before.right, before.total] if before else [0, 0]})
    state = replace(state, stage="train", before=before)
    architecture, options = NETWORKS[request.network]
    with torch.random.fork_rng(devices=[]):  # other jobs of this process draw from the same generator
        torch.manual_seed(request.recipe.seed)
        network = build("denoiser", architecture, options)
    plan = TimePlan(_phases(request, classifier, pictures.size), pictures.draw, 60 * request.minutes, validation)

    def tell(now: TrainingProgress) -> None:
        report(replace(state, trained=now, notes=(*state.notes, now.remark) if now.remark else state.notes))

    result = fit_for(network, plan, request.recipe, device, checkpoint=kept, report=tell, should_stop=should_stop)
    state = replace(state, stage="after", done=0, trained=result.last)
    full = full_name(name, result.network)
    config = ModelConfig("denoiser", architecture, options, input_size=pictures.size, sigma_range=(low, high))
    card = _card(request, pictures, result, device)

    def save() -> tuple[TrainedModel | None, str | None]:
        minutes = round((time.monotonic() - begun) / 60, 1)
        try:
            return save_trained(result.network, config, card | {"minutes": minutes}, full, visitor=visitor), None
        except LabError as error:
            return None, str(error)

    saved, unsaved = save()  # before it is certified: a kill then costs figures alone
    report(state)
    after = None if should_stop() else certified(result.network)
    state = replace(state, stage="ended", after=after)
    if after is not None and before is not None:
        right = f"{before.right} and {after.right} of {after.total} pictures right and certified at l2 {after.radius:g}"
        card |= {"certified_told": f"{right} (sigma {after.settings.sigma:g}, n {after.settings.n})"}
        if saved is not None:
            saved, unsaved = save()
    files = None if saved else zip_unsaved(result.network, config, card, full)
    return TrainedHere(state, full, saved, unsaved, files=files, result=result)


def _phases(request: TrainingRequest, classifier: nn.Module, size: tuple[int, int]) -> list[Phase]:
    shares = {"mse-stab": {"mse": MSE_SHARE, "stab": 1 - MSE_SHARE}}.get(request.objective, {request.objective: 1.0})

    def sigmas(count: int, generator: torch.Generator) -> Tensor:
        return draw_sigmas(count, request.sigma_range, SIGMA_POWER, generator)

    phases = []
    for name, share in shares.items():
        objective, pace = (stability([classifier], request.stab), STAB_PACE) if name == "stab" else (mse, 1.0)
        shift, layout = min(2, min(size) - 1), request.recipe.memory_format
        loss = denoising_loss(objective, sigmas, mirror=request.mirror, shift=shift, layout=layout)
        phases.append(Phase(name, loss, share, pace))
    return phases


def _stated(request: TrainingRequest, classifier: Classifier, pictures: TrainingPictures) -> dict[str, Stated]:
    """What a checkpoint states of a training: all that it was asked, and the very pictures and weights."""
    held = (pictures.watched, pictures.checked, *(() if pictures.endless is not None else (pictures.pool,)))
    asked: dict[str, Stated] = {name: str(value) for name, value in asdict(request).items()}
    return asked | {"pictures": fingerprint(*held), "weights of the classifier": weights_fingerprint(classifier)}


@torch.inference_mode()
def _answers(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    if not len(images):
        return torch.zeros(0, dtype=torch.int64)
    return torch.cat([classifier(part.to(device).float() / 255).argmax(1).cpu() for part in images.split(32)])


def _card(request: TrainingRequest, pictures: TrainingPictures, result: TimedResult, device: torch.device) -> dict[str, Any]:
    measured, white_box = result.best.measured, request.objective != "mse"
    figures = {f"psnr_{s:g}": round(v, 2) for s, v in measured.psnr.items()}
    figures |= {f"agreement_{s:g}": round(v, 4) for s, v in measured.agreement.items()}
    return {
        "objective": request.objective,
        "data": pictures.what,
        "classifier": request.classifier,
        "trained_through": [request.classifier] if white_box else None,
        **({"closeness": request.stab.closeness, "features": request.stab.features} if white_box else {}),
        "sigma_range": list(request.sigma_range),
        "test": figures,
        "test_images": len(pictures.watched),
        "measured_on": "the held-out pictures that the best moment was chosen by",
        "recipe": {key: value for key, value in asdict(request.recipe).items() if key != "epochs"}
        | {"batch_size_at_the_end": result.batch_size, "steps": result.last.step, "minutes_granted": request.minutes},
        "stopped_early": result.stopped or result.trouble is not None,
        **({"trouble": result.trouble} if result.trouble else {}),
        "parameters": sum(p.numel() for p in result.network.parameters()),
        "best_second": round(result.best.seconds, 1),
        "device": describe_device(device),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
