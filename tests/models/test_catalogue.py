"""What is bundled, and that it keeps its promises."""

from __future__ import annotations

import json

import pytest
import torch

from core.data.datasets import load_dataset
from core.models.catalogue import catalogue, classifiers, denoisers, usual_denoiser
from core.models.load import load_classifier, load_denoiser, sigma_warning
from core.models.references import BUNDLED_FOLDER
from core.training.validation import accuracy

CPU = torch.device("cpu")


def test_all_bundled_models_together_are_small() -> None:
    assert sum(entry.bytes for entry in catalogue() if entry.ref.startswith("bundled/")) <= 85e6
    assert max(entry.bytes for entry in catalogue()) <= 20e6


def test_every_bundled_model_loads_and_its_card_says_where_it_comes_from() -> None:
    bundled = [entry for entry in catalogue() if entry.ref.startswith("bundled/")]
    names = ("cifar10", "cifar10-mse", "cifar10-stab", "cifar10-black-box", "shapes")
    assert {f"bundled/{name}" for name in names} <= {e.ref for e in bundled}
    for entry in bundled:
        card = json.loads((BUNDLED_FOLDER / entry.ref.removeprefix("bundled/") / "card.json").read_text())
        for field in ("data", "objective", "recipe", "command", "device"):
            assert card[field], (entry.ref, field)
        assert card["recipe"]["seed"] is not None
        if entry.kind == "classifier":
            assert load_classifier(entry.ref)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
        else:
            model = load_denoiser(entry.ref)
            assert model is not None
            assert model(torch.zeros(2, 3, 32, 32), 0.25).shape == (2, 3, 32, 32)


@pytest.mark.parametrize("ref", [e.ref for e in denoisers() if e.ref.startswith("bundled/")])
def test_bundled_denoisers_take_any_sigma_and_any_size(ref: str) -> None:
    denoiser = load_denoiser(ref)
    assert denoiser is not None
    picture = torch.rand(1, 3, 37, 50, generator=torch.Generator().manual_seed(0))
    for sigma in (0.01, 0.12, 0.333, 1.0):
        with torch.inference_mode():
            out = denoiser(picture + sigma * torch.randn(picture.shape), sigma)
        assert out.shape == picture.shape
        assert bool(out.isfinite().all())


def test_the_black_box_denoiser_was_trained_through_others_and_is_called_so() -> None:
    (entry,) = (e for e in denoisers("bundled/cifar10") if e.ref == "bundled/cifar10-black-box")
    through = entry.card["trained_through"]
    assert len(through) >= 5
    assert not any(reference.startswith("bundled/") for reference in through)
    assert entry.card["start"] != "bundled/cifar10-stab"
    assert entry.title == "CIFAR-10, black-box STAB"


def test_the_usual_denoiser_was_trained_through_the_classifier() -> None:
    assert usual_denoiser("bundled/cifar10") == "bundled/cifar10-stab"
    assert usual_denoiser("bundled/shapes") == "bundled/shapes-stab"


def test_before_a_strangers_classifier_stands_the_denoiser_of_its_pictures() -> None:
    for ref in ("hub/timm/resnet18.a1_in1k", "torchvision/resnet50", "hub/google/vit-base-patch16-224:imagenet"):
        assert usual_denoiser(ref) == "bundled/photo"
    for ref in ("hub/edadaltocg/resnet18_cifar10", "hub/someone/tiny:cifar10"):
        assert usual_denoiser(ref) == "bundled/cifar10-mse"
    assert usual_denoiser("package/efficientnet-lite0").startswith("bundled/photo")


@pytest.mark.parametrize("sigma", ["0.12", "0.25", "0.5", "1.0"])
def test_noise_trained_classifiers_stand_last_for_one_sigma_and_need_no_denoiser(sigma: str) -> None:
    ref = f"bundled/cifar10-noise-{sigma}"
    assert load_classifier(ref).sigma_range == (float(sigma), float(sigma))
    assert usual_denoiser(ref) == "none"
    assert [entry.ref for entry in classifiers()].index(ref) >= 2
    assert f"noise-trained at {float(sigma):g}" in next(e.title for e in classifiers() if e.ref == ref)


@pytest.mark.parametrize("sigma", ["0.25", "1.0"])
def test_noise_trained_classifiers_answer_under_their_noise_as_their_card_says(cifar10_folder, sigma: str) -> None:
    test = load_dataset(f"parquet/{cifar10_folder}", "test")
    card = json.loads((BUNDLED_FOLDER / f"cifar10-noise-{sigma}" / "card.json").read_text())
    noisy = accuracy(load_classifier(f"bundled/cifar10-noise-{sigma}"), test, CPU, noise_sigma=float(sigma))
    assert noisy == pytest.approx(card[f"test_accuracy_{float(sigma):g}"], abs=0.003)  # the same noise; other rounding
    assert noisy > accuracy(load_classifier("bundled/cifar10"), test.every(5), CPU, noise_sigma=float(sigma)) + 0.2


def test_sigma_outside_the_range_is_warned_about() -> None:
    denoiser = load_denoiser("bundled/shapes-stab")
    assert sigma_warning(denoiser, 0.5) is None
    assert "trained for sigma 0 to 1" in str(sigma_warning(denoiser, 1.5))


def test_accuracy_on_the_card_is_the_accuracy_measured(cifar10_folder) -> None:
    test = load_dataset(f"parquet/{cifar10_folder}", "test").every(5)
    card = json.loads((BUNDLED_FOLDER / "cifar10" / "card.json").read_text())
    measured = accuracy(load_classifier("bundled/cifar10"), test, CPU)
    assert measured >= 0.9
    assert measured == pytest.approx(card["test_accuracy"], abs=0.02)  # a fifth of the pictures
