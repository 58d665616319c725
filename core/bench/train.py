"""How much of training is the networks: images a second of the training loop against bare forward and backward passes."""

import time
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from core.bench.certify import Benchmark, OnRound, check_least, speeds_by_round
from core.device import describe_device
from core.models.networks import build
from core.smoothing.certificate import model_record
from core.training.augmentation import draw_gaussian, draw_sigmas
from core.training.denoiser import denoising_loss
from core.training.epochs import Trainer
from core.training.loop import TrainingProgress
from core.training.objectives import Objective, mse, stability
from core.training.recipe import Recipe, autocast_type, check_recipe

LEAST_STEPS = 2


def benchmark_training(
    architecture: str = "unet",
    options: dict[str, Any] | None = None,
    *,
    classifier: nn.Module | None = None,
    device: torch.device,
    recipe: Recipe | None = None,
    size: int = 32,
    steps: int = 4,
    rounds: int = 5,
    on_round: OnRound = lambda done, total: None,
) -> Benchmark:
    """Pictures a second of :meth:`core.training.epochs.Trainer.fit` (order, augmentation, noise, objective, clipping, optimiser
    and averaged weights, without checkpoints and figures), and of objective and gradients alone on one ready-made batch.

    Args:
        architecture: of the denoiser; ``options`` are its arguments.
        classifier: trained through (STAB) where there is one; else the objective is MSE.
        device: where to compute.
        recipe: batch size, optimiser, precision, layout; by default that of ``train-denoiser`` with batches of 64.
        size: side of the random pictures, in pixels.
        steps: timed in one measurement.
        rounds: each measures both twice.

    Raises:
        LabError: where a number is out of range, or the precision is not the device's.
    """
    recipe = replace(recipe or Recipe(batch_size=64), epochs=1)
    check_recipe(recipe, device)
    check_least("a benchmark of training", size=(size, 8), steps=(steps, LEAST_STEPS), rounds=(rounds, 1))
    torch.manual_seed(0)
    network = build("denoiser", architecture, options or {}).to(device, memory_format=recipe.memory_format).train()  # type: ignore[call-overload]
    objective: Objective = mse
    if classifier is not None:
        objective = stability([classifier.to(device, memory_format=recipe.memory_format)])  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    batch, half = recipe.batch_size, autocast_type(recipe)
    pictures = torch.randint(0, 256, ((steps + 1) * batch, 3, size, size), generator=generator, dtype=torch.uint8)
    clean = (pictures[:batch].to(device).float() / 255).contiguous(memory_format=recipe.memory_format)
    sigma = _sigmas(batch, generator).to(device)
    noisy = clean + sigma.view(-1, 1, 1, 1) * draw_gaussian(clean.shape, generator, device)
    loss = denoising_loss(objective, _sigmas, layout=recipe.memory_format)

    def training() -> float:
        moments: list[float] = []

        def note(progress: TrainingProgress) -> None:
            moments.append(time.perf_counter())  # the loop has read the loss by then, which waits for the device

        trainer = Trainer(device, on_progress=note)
        trainer.fit(network, loss, images=pictures, labels=torch.zeros(len(pictures)).long(), recipe=recipe)
        return moments[-1] - moments[0]  # the first step pays for what is made anew, and is not counted

    def bare() -> None:
        for _ in range(steps):
            network.zero_grad(set_to_none=True)
            with torch.autocast(device.type, half, enabled=half is not None):
                value = objective(network, clean, noisy, sigma, generator)
            value.backward()
            value.item()  # as the loop does, which has to know whether it is a number

    about = {
        "device": str(device),
        "device_name": describe_device(device),
        "architecture": architecture,
        "parameters": sum(p.numel() for p in network.parameters()),
        "objective": "mse" if classifier is None else "stab",
        "classifier": model_record(classifier).ref,
        "precision": recipe.precision,
        "channels_last": recipe.channels_last,
        "size": size,
        "batch_size": batch,
        "steps": steps,
    }
    names = ("training_images_per_second", "bare_images_per_second")
    return Benchmark(about, names, speeds_by_round(training, bare, steps * batch, rounds, on_round=on_round))


def _sigmas(count: int, generator: torch.Generator) -> torch.Tensor:
    return draw_sigmas(count, (0.0, 1.0), 1.5, generator)
