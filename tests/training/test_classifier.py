"""Training a classifier on the shapes that the project draws."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

import core.training.classifier
from core.data.datasets import LabelledImages
from core.data.shapes import SHAPES_LABELS, make_shapes
from core.errors import LabError
from core.models.networks import ConvClassifier, build
from core.training.classifier import ClassifierTraining, train_classifier, whiten_stem
from core.training.epochs import Trainer
from core.training.recipe import Recipe
from core.training.validation import accuracy

CPU = torch.device("cpu")
HERE = Trainer(CPU)


@pytest.fixture(scope="module")
def shapes() -> LabelledImages:
    images, labels = make_shapes(200, seed=11)
    return LabelledImages(images, labels, torch.arange(200), SHAPES_LABELS)


def test_it_learns(shapes):
    recipe = Recipe(epochs=10, batch_size=24, optimizer="adamw", learning_rate=2e-2, ema=0.9)
    training = ClassifierTraining(widths=(12, 24), label_smoothing=0.0, cutout=0, mirror=False)
    network, config, history = train_classifier(shapes, recipe, training, HERE)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    assert 0 <= history[-1]["held_out_accuracy"] <= 1
    assert accuracy(network, shapes, CPU) > 0.5  # ten classes
    assert config.kind == "classifier"
    assert config.labels == SHAPES_LABELS
    assert config.input_size == (32, 32)
    # The config builds the very network.
    again = build(config.kind, config.architecture, config.options)
    again.load_state_dict(network.state_dict())
    x = shapes.images[:4].float() / 255
    assert torch.allclose(again.eval()(x), network(x), atol=1e-5)


def test_training_with_noise_is_what_makes_noise_bearable(shapes):
    recipe = Recipe(epochs=12, batch_size=24, optimizer="adamw", learning_rate=2e-2, ema=0.9)
    plain = ClassifierTraining(widths=(12, 24), label_smoothing=0.0, cutout=0, mirror=False)
    clean, _, _ = train_classifier(shapes, recipe, plain, HERE)
    noisy, _, history = train_classifier(shapes, recipe, replace(plain, noise_sigma=0.25), HERE)
    assert set(history[0]) == {"epoch", "loss", "held_out_accuracy", "held_out_accuracy_0.25"}
    assert accuracy(noisy, shapes, CPU, noise_sigma=0.25) > accuracy(clean, shapes, CPU, noise_sigma=0.25) + 0.05


def test_the_noise_is_gaussian_of_that_sigma_and_not_clipped(shapes, monkeypatch):
    seen: list[torch.Tensor] = []

    class Watched(ConvClassifier):
        def forward(self, x):
            if self.training:
                seen.append(x.detach().clone())
            return super().forward(x)

    monkeypatch.setattr(core.training.classifier, "ConvClassifier", Watched)
    training = ClassifierTraining(widths=(4,), cutout=0, mirror=False, shift=0, noise_sigma=0.5)
    train_classifier(shapes, Recipe(epochs=1, batch_size=98), training, HERE)
    noisy, clean = torch.cat(seen), shapes.images.float() / 255
    nearest = torch.cdist(noisy.flatten(1), clean.flatten(1)).argmin(1)
    noise = noisy - clean[nearest]
    assert float(noise.mean()) == pytest.approx(0, abs=0.005)
    assert float(noise.std()) == pytest.approx(0.5, abs=0.005)
    assert float((noise > 0.5).float().mean()) == pytest.approx(0.1587, abs=0.005)  # one sigma


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_noise_of_no_size_is_told(shapes, sigma):
    with pytest.raises(LabError, match="expected a sigma of at least 0"):
        train_classifier(shapes, Recipe(epochs=1), ClassifierTraining(noise_sigma=sigma), HERE)


def test_same_seed_same_classifier(shapes):
    recipe = Recipe(epochs=1, batch_size=49, seed=5)
    first, second = (train_classifier(shapes, recipe, ClassifierTraining(widths=(8,)), HERE).network for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


def test_too_few_pictures_are_told(shapes):
    few = LabelledImages(shapes.images[:99], shapes.labels[:99], shapes.indices[:99], SHAPES_LABELS)
    with pytest.raises(LabError, match="Only 99 pictures to train on: at least 100 are needed"):
        train_classifier(few, Recipe(epochs=1), ClassifierTraining(), HERE)


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"widths": (8, 12)}, "widths (8, now 8,12)"),
        ({"label_smoothing": 0.2}, "label smoothing (0.1, now 0.2)"),
        ({"cutout": 4}, "cutout (8, now 4)"),
        ({"mirror": False}, "mirror (True, now False)"),
        ({"shift": 0}, "crop (2, now 0)"),
        ({"noise_sigma": 0.25}, "noise (0, now 0.25)"),
    ],
)
def test_a_checkpoint_is_not_resumed_for_anything_but_what_it_was_made_for(shapes, tmp_path, changed, name):
    trainer, training = Trainer(CPU, checkpoint=tmp_path / "c.pt", resume=True), ClassifierTraining(widths=(8,))
    recipe = Recipe(epochs=1, batch_size=64)
    train_classifier(shapes, recipe, training, trainer)
    train_classifier(shapes, recipe, training, trainer)
    with pytest.raises(LabError, match="was made with another " + re.escape(name)):
        train_classifier(shapes, recipe, replace(training, **changed), trainer)
    shuffled = LabelledImages(shapes.images, shapes.labels.flip(0), shapes.indices, shapes.names)
    with pytest.raises(LabError, match=r"was made with another data \("):
        train_classifier(shuffled, recipe, training, trainer)


def test_the_first_layer_whitens_patches(shapes):
    torch.manual_seed(0)
    network = ConvClassifier(10, (8,), stem=24)
    pixels = shapes.images.float() / 255
    whiten_stem(network, pixels)
    stem = network.stem[0]
    assert not stem.weight.requires_grad
    torch.nn.init.zeros_(stem.bias)
    out = stem((pixels - network.mean) / network.std)[:, :12].detach().transpose(0, 1).reshape(12, -1)
    second_moment = out @ out.T / out.shape[1]
    off_diagonal = second_moment - second_moment.diag().diag()
    assert off_diagonal.abs().max() < 0.02
    assert 0.9 < second_moment.diag().max() < 1.01  # well-filled directions come out with spread 1
    assert torch.equal(stem.weight[12:24], -stem.weight[:12])
