"""What networks make of held-out pictures."""

from __future__ import annotations

import pytest
import torch

from core.data.datasets import LabelledImages
from core.data.shapes import SHAPES_LABELS
from core.models.networks import UNetDenoiser
from core.smoothing.settings import Settings
from core.training.validation import Validation, accuracy, certified_count, measure_denoiser, split_held_out

CPU = torch.device("cpu")


def test_some_pictures_of_every_class_are_held_out():
    images, labels = torch.zeros(1, 3, 4, 4, dtype=torch.uint8).expand(2_000, -1, -1, -1), torch.arange(2_000) % 10
    train, held = split_held_out(LabelledImages(images, labels, torch.arange(2_000), SHAPES_LABELS))
    assert len(train) + len(held) == 2_000
    assert 0.01 < len(held) / 2_000 < 0.05
    assert not set(held.indices.tolist()) & set(train.indices.tolist())
    assert set(held.labels.tolist()) == set(range(10))
    assert torch.equal(held.labels, labels[held.indices])


def test_accuracy_counts():
    class ByCorner(torch.nn.Module):
        def forward(self, pixels):
            return torch.nn.functional.one_hot((pixels[:, 0, 0, 0] * 255).round().long(), 4).float()

    images = torch.zeros(5, 3, 2, 2, dtype=torch.uint8)
    images[:, 0, 0, 0] = torch.tensor([0, 1, 2, 3, 3])
    data = LabelledImages(images, torch.tensor([0, 1, 0, 3, 3]), torch.arange(5), None)
    assert accuracy(ByCorner(), data, CPU) == 0.8


def test_measured_psnr_is_that_of_the_noise_where_nothing_is_denoised():
    class Nothing(UNetDenoiser):
        def forward(self, noisy, sigma):
            return noisy

    grey = LabelledImages(
        torch.full((300, 3, 16, 16), 128, dtype=torch.uint8), torch.zeros(300).long(), torch.arange(300), None
    )
    figures = measure_denoiser(Nothing((8,)), None, grey, sigmas=[0.1], device=CPU)
    assert figures["psnr_0.1"] == pytest.approx(20, abs=0.05)


def test_measured_accuracy_is_that_on_denoised_pictures():
    class Black(torch.nn.Module):
        def forward(self, noisy, sigma):
            return torch.zeros_like(noisy)

    def dark(pixels):
        return torch.stack([pixels.mean(dim=(1, 2, 3)), torch.full((len(pixels),), 1e-3)], dim=1)

    data = LabelledImages(torch.full((4, 3, 8, 8), 128, dtype=torch.uint8), torch.tensor([1, 1, 1, 0]), torch.arange(4), None)
    assert measure_denoiser(Black(), dark, data, sigmas=[0.25], device=CPU)["one_shot_accuracy_0.25"] == 0.75


class Perfect(torch.nn.Module):
    def forward(self, noisy, sigma):
        return torch.full_like(noisy, 0.2)


def test_a_picture_that_comes_out_as_it_was_counts_as_a_hundred_decibels():
    """Infinity, which the command's figures had, has no name in a card's JSON; the page's were limited: that is right."""
    images = torch.full((4, 3, 8, 8), 51, dtype=torch.uint8)
    data = LabelledImages(images, torch.zeros(4).long(), torch.arange(4), None)
    assert measure_denoiser(Perfect(), None, data, sigmas=[0.25], device=CPU)["psnr_0.25"] == 100
    validation = Validation(images, lambda x: x.flatten(1)[:, :2], sigmas=[0.25], shown=0.25, seed=0, device=CPU)
    assert validation.measure(Perfect()).psnr == {0.25: 100}


def test_what_is_certified_is_counted_where_it_is_right_and_reaches_the_radius():
    def dark(pixels):
        mean = pixels.mean(dim=(1, 2, 3))
        return torch.stack([0.5 - mean, mean - 0.5], dim=1)

    images = torch.tensor([30, 230, 30]).view(3, 1, 1, 1).expand(3, 3, 8, 8).to(torch.uint8)
    told = []
    settings = Settings(0.25, n0=10, n=100)
    options = {"models": (dark, None), "settings": settings, "device": "cpu", "report": lambda *at: told.append(at)}
    found = certified_count(images, torch.tensor([0, 1, 1]), radius=0.1, **options)  # the last is wrong
    assert (found.right, found.total, found.radius, found.settings) == (2, 3, 0.1, settings)
    assert {done for done, _ in told} == {0, 1, 2}
    assert certified_count(images, torch.tensor([0, 1, 1]), radius=2.0, **options).right == 0
    assert certified_count(images, torch.tensor([0, 1, 1]), radius=0.1, should_stop=lambda: True, **options) is None
