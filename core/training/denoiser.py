"""Training a denoiser, for its own sake (MSE) or for a classifier (STAB)."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from core.data.datasets import LabelledImages, Photographs
from core.errors import LabError
from core.models.networks import NoisePredictor, build
from core.models.storage import ModelConfig
from core.training import objectives
from core.training.augmentation import augment, draw_gaussian, draw_sigmas, scheduled_sigmas
from core.training.checkpoint import Stated, fingerprint, weights_fingerprint
from core.training.epochs import Trained, Trainer
from core.training.loop import BatchLoss
from core.training.objectives import STAB_WEIGHTS, DeeplySupervised, Objective, StabTerms
from core.training.recipe import Recipe
from core.training.validation import HELD_OUT, figure_sigmas, measure_denoiser, measure_helper, split_held_out

OBJECTIVES = ("mse", "stab", "encoder")


@dataclass(frozen=True)
class DenoiserTraining:
    """What a denoiser is trained to do.

    ``objective``: ``mse`` (for a diffusion model the error of the predicted noise), ``stab``, or ``encoder``, which trains a
    U-Net's first half to start ``stab`` from, and leaves nothing that denoises yet. Of its own sigmas a diffusion model draws
    those within ``sigma_range`` alike; its greatest may then be infinite, for all of them. No ``shift`` for photographs.
    """

    objective: str = "mse"
    architecture: str = "unet"  # in core.models.networks.DENOISERS, where nothing is started from
    options: Mapping[str, Any] = field(default_factory=dict)  # of the architecture
    sigma_range: tuple[float, float] = (0.0, 1.0)  # least and greatest; equal for one sigma
    sigma_power: float = 1.5  # above 1, small sigmas are drawn more often
    stab: StabTerms = StabTerms()  # its draws are those of the other objectives, too
    mirror: bool = True  # half of the pictures
    shift: int = 2  # of a picture, at most so many pixels each way


@dataclass(frozen=True)
class Teachers:
    """The classifiers of a training, which are never changed.

    ``stab`` trains through the pretrained ``classifier`` (white-box) unless there are ``surrogates`` to train through in its
    stead (black-box). Then, and with ``mse``, its labels alone are asked for, to measure; with ``encoder``, to be told too.
    """

    classifier: nn.Module | None = None
    surrogates: Sequence[nn.Module] = ()

    @property
    def through(self) -> list[nn.Module]:
        """Those that ``stab`` trains through."""
        return [*self.surrogates] or ([] if self.classifier is None else [self.classifier])

    def check(self, training: DenoiserTraining) -> None:
        """Raise LabError where the objective has nothing to train through, or is given what it does not use."""
        objective = training.objective
        if objective not in OBJECTIVES:
            raise LabError(f"Unknown objective {objective!r}: choose {', '.join(OBJECTIVES[:-1])} or {OBJECTIVES[-1]}.")
        if objective == "stab" and not self.through:
            raise LabError("The objective stab needs a classifier to train through: name one with --classifier.")
        if objective == "encoder" and self.classifier is None:
            raise LabError("The objective encoder learns a classifier's answers: name one with --classifier.")
        if objective != "stab" and self.surrogates:
            raise LabError(
                f"Surrogates are for the objective stab: {objective} trains through no classifier. Leave them out, or choose"
                " stab."
            )
        if objective != "stab" and any(getattr(training.stab, name) for name in STAB_WEIGHTS):
            raise LabError(
                "A helper, closeness, features and consistency are for the objective stab. Leave --helper, --closeness,"
                " --features and --consistency out, or choose stab."
            )
        training.stab.check()


def train_denoiser(
    data: LabelledImages | Photographs,
    recipe: Recipe,
    training: DenoiserTraining,
    trainer: Trainer,
    *,
    teachers: Teachers = Teachers(),
    start: tuple[nn.Module, ModelConfig] | None = None,
    made_for: Mapping[str, Stated] | None = None,
) -> Trained:
    """Train a denoiser on fresh Gaussian noise over a training split, whose labels are not used, or photographs.

    ``start``: a trained denoiser to go on from (the paper's "Stab+MSE" starts from MSE); it fixes the architecture.
    ``made_for``: more that a checkpoint is to state, such as the reference of ``start``. Raises LabError where ``stab`` has
    nothing to train through, a value is out of range, or as :meth:`core.training.epochs.Trainer.fit` says.
    """
    low, high = training.sigma_range
    if not 0 <= low <= high or high <= 0:
        raise LabError(f"The sigma range {low} to {high} is not usable: expected 0 <= least <= greatest, in [0, 1] units.")
    if training.sigma_power == 0 and not low:
        raise LabError(
            "--sigma-power 0 draws sigmas evenly in their logarithm: give a range that begins above 0, such as 0.04:1."
        )
    if isinstance(data, Photographs):
        training, data = replace(training, shift=0), replace(data, turned=training.objective == "mse")
        if training.objective == "encoder":
            raise LabError("The objective encoder is measured by classes, which photographs have none of: choose mse or stab.")
    teachers.check(training)
    train, held = data.part(HELD_OUT, 0) if isinstance(data, Photographs) else split_held_out(data)
    torch.manual_seed(recipe.seed)
    if start is None:
        config = ModelConfig("denoiser", training.architecture, dict(training.options))
        network = build("denoiser", config.architecture, config.options)
    else:
        network, config = start
        network.requires_grad_(True)
    levels = None
    if isinstance(network, NoisePredictor):
        levels = scheduled_sigmas(network.strength.cpu(), low, high)
        low, high = float(levels[0]) if low else low, min(high, float(levels[-1]))
    elif math.isinf(high):
        raise LabError(f"A {config.architecture} has no greatest sigma of its own: give a range, such as 0:1.")
    height, width = data.size
    config = replace(config, input_size=(height, width), labels=None, sigma_range=(low, high))

    def sigmas(count: int, generator: torch.Generator) -> Tensor:
        if levels is None:
            return draw_sigmas(count, (low, high), training.sigma_power, generator)
        return levels[torch.randint(len(levels), (count,), generator=generator)]

    def measure(net: nn.Module) -> dict[str, float]:
        if training.objective == "encoder":
            return measure_helper(net, held, figure_sigmas(low, high), trainer.device)
        return measure_denoiser(net, teachers.classifier, held, sigmas=figure_sigmas(low, high), device=trainer.device)

    layout = recipe.memory_format
    for teacher in teachers.through if training.objective != "mse" else []:
        teacher.to(trainer.device, memory_format=layout)  # type: ignore[call-overload]
    objective: Objective = objectives.noise_prediction if levels is not None else objectives.mse
    if training.objective == "stab":
        objective = objectives.stability(teachers.through, training.stab)
    elif training.objective == "encoder":
        objective = objectives.encoding(teachers.through[0])
    learnt = network
    if training.stab.helper or training.objective == "encoder":
        with torch.inference_mode():
            teacher = teachers.through[0]
            grey = torch.full((1, 3, height, width), 0.5, device=next(teacher.parameters()).device)
            classes = teacher(grey).shape[1]
        learnt = DeeplySupervised(network, classes)
        if training.objective == "encoder":
            learnt.keep_the_rest()
    draws = training.stab.draws
    loss = denoising_loss(objective, sigmas, draws=draws, mirror=training.mirror, shift=training.shift, layout=layout)
    stated = _stated(training, teachers, config) | {"start": start is not None} | _stated_of(data) | dict(made_for or {})
    average, history = trainer.fit(learnt, loss, train, recipe=recipe, made_for=stated, measure=measure)
    return Trained(average.denoiser if isinstance(average, DeeplySupervised) else average, config, history)


def _stated_of(data: LabelledImages | Photographs) -> dict[str, Stated]:
    if isinstance(data, LabelledImages):
        return {"data": fingerprint(data.images)}
    crops = f"{data.crops} of {data.side} pixels" + (", turned" if data.turned else "")
    return {"data": fingerprint(*data.pictures), "crops of each picture": crops}


def _stated(training: DenoiserTraining, teachers: Teachers, config: ModelConfig) -> dict[str, Stated]:
    """What a checkpoint states of a training, by names that are shown to the user.

    The classifier by its weights: the same reference may hold another model tomorrow. Not so the start, whose weights no longer
    count in a resumed run, and which may be the very model that the run writes.
    """
    stab, (low, high) = training.stab, config.sigma_range or training.sigma_range
    return {
        "objective": training.objective,
        "classifier": None if teachers.classifier is None else weights_fingerprint(teachers.classifier),
        "surrogates": ",".join(weights_fingerprint(one) for one in teachers.surrogates) or None,
        "combination of surrogates": stab.combine if len(teachers.surrogates) > 1 else None,
        "start": False,
        "architecture": config.architecture,
        "options": json.dumps(config.options, sort_keys=True),
        "least sigma": float(low),
        "greatest sigma": float(high),
        "sigma power": float(training.sigma_power),
        **{name: float(getattr(stab, name)) for name in STAB_WEIGHTS},
        "draws": stab.draws,
        "mirror": training.mirror,
        "crop": training.shift,
    }


def denoising_loss(
    objective: Objective,
    sigmas: Callable[[int, torch.Generator], Tensor],
    *,
    draws: int = 1,
    mirror: bool = True,
    shift: int = 2,
    layout: torch.memory_format = torch.channels_last,
) -> BatchLoss:
    """The loss of one batch: augment it, draw a sigma and noise for each picture, and ask the objective.

    ``sigmas`` is (count, CPU generator) -> (count,). Of each picture there are ``draws``, all with its sigma: the objective is
    given all pictures, then all again ... They lie in memory in ``layout``.
    """

    def batch_loss(net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        clean = augment(images, generator, shift=shift, mirror=mirror)
        sigma = sigmas(len(clean), generator).to(clean.device).repeat(draws)
        clean = clean.repeat(draws, 1, 1, 1).contiguous(memory_format=layout)
        noise = draw_gaussian(clean.shape, generator, clean.device)
        return objective(net, clean, clean + sigma.view(-1, 1, 1, 1) * noise, sigma, generator)

    return batch_loss
