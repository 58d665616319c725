"""A small task for the tests of engines, and what certifying it one by one gives."""

from __future__ import annotations

from pathlib import Path

import torch

from core.data.datasets import LabelledImages
from core.evaluation.engines import Engine, EvaluationTask
from core.evaluation.evaluate import Evaluated, evaluate
from core.models.load import load_classifier
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig, save_model
from core.smoothing.settings import Settings

Content = tuple[object, ...]


def save_classifier(folder: Path, seed: int = 0) -> str:
    """A classifier of random weights and its reference; before a grey picture in noise, class 0 gets most of its votes."""
    torch.manual_seed(seed)
    network = ConvClassifier(10, (4,)).eval()
    with torch.no_grad():
        logits = network(128 / 255 + 0.5 * torch.randn(500, 3, 32, 32))
        network.head.bias.sub_(8 * logits.mean(dim=0))
        network.head.bias[0] += 8 * 1.5 * float(logits.std(dim=0).max())
    save_model(folder, network, ModelConfig("classifier", "conv", {"num_classes": 10, "widths": [4]}), {})
    return f"local/{folder}"


def small_task(reference: str, images: int = 30, n: int = 200) -> EvaluationTask:
    """Grey pictures numbered by threes: they differ in their noise alone, and so do their lines."""
    numbers = torch.arange(images)
    data = LabelledImages(torch.full((images, 3, 32, 32), 128, dtype=torch.uint8), numbers % 2, 3 * numbers, None)
    settings = Settings(sigma=0.5, n0=20, n=n, seed=7, norm="l2")
    return EvaluationTask(data, load_classifier(reference), None, settings, device="cpu")


def content(evaluated: Evaluated) -> Content:
    """All but the time, which is the worker's own."""
    line, votes = evaluated
    return line.idx, line.label, line.predict, line.radius, line.correct, votes.to_dict()


def one_by_one(task: EvaluationTask) -> list[Content]:
    """What the plain loop gives."""
    return [content(each) for each in evaluate(task.data, task.classifier, task.denoiser, task.settings, device=task.device)]


def process_of(engine: Engine) -> int:
    """The number of one of its live worker processes."""
    return int(next(iter(engine.dispatcher.processes.values())).split()[1])  # type: ignore[attr-defined]
