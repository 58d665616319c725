"""Pictures reach a network as its library would bring them there; where noise goes is what suits the classes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.models.formats.foreign import import_library
from core.models.formats.preprocessing import Fitting, Prepared, Preprocessing, certification_size
from core.models.labels import CIFAR100_LABELS

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(32, 32), (20, 37), (61, 33), (200, 150), (48, 64)])
def test_fitting_is_torchvisions_resize_and_centre_crop(size: tuple[int, int], mode: str) -> None:
    v2 = import_library("torchvision.transforms.v2")
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    way = v2.Compose([v2.Resize(55, interpolation=v2.InterpolationMode(mode), antialias=True), v2.CenterCrop(48)])
    # torchvision clips what bicubic scaling overshoots; noise may overshoot anyway, so the Lab does not.
    ours = Fitting((48, 48), (55, 55), mode=mode)(pixels)
    assert torch.allclose(ours.clamp(0, 1), way(pixels).clamp(0, 1), atol=1e-5)


def test_a_picture_of_the_networks_size_stays_as_it_is() -> None:
    pixels = torch.rand(1, 3, 48, 48)
    assert torch.equal(Fitting((48, 48), (55, 55))(pixels), pixels)


def test_squeezing_keeps_the_whole_picture() -> None:
    fitting = Fitting((40, 40), (40, 40), keeps_shape=False)
    assert fitting(torch.rand(1, 3, 20, 60)).shape == (1, 3, 40, 40)
    assert fitting.share == 1


def test_the_input_is_not_changed_and_every_pixel_in_sight_has_a_gradient() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(3 * 16 * 16, 3))
    prepared = Prepared(network, Preprocessing((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), Fitting((16, 16), (16, 16)), blue_first=True))
    for side in (8, 16):
        pixels = (torch.rand(2, 3, side, side) * 0.5 + 0.5).requires_grad_(True)
        before = pixels.detach().clone()
        prepared(pixels).sum().backward()
        assert torch.equal(pixels.detach(), before)
        assert pixels.grad is not None
        assert bool((pixels.grad != 0).all())
    assert not prepared.training
    assert not any(parameter.requires_grad for parameter in prepared.parameters())


def test_blue_first_turns_the_colours_round_before_normalising() -> None:
    pixels = torch.rand(1, 3, 4, 4)
    prepared = Prepared(nn.Identity(), Preprocessing((0.1, 0.2, 0.3), (1, 1, 1), Fitting((4, 4), (4, 4)), blue_first=True))
    expected = torch.stack([pixels[:, 2] - 0.1, pixels[:, 1] - 0.2, pixels[:, 0] - 0.3], dim=1)
    assert torch.allclose(prepared(pixels), expected)


STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


@pytest.mark.parametrize(
    ("own", "labels", "asked", "expected"),
    [
        (224, CIFAR10, None, 32),
        (224, tuple(reversed(CIFAR10)), None, 32),
        (224, ("plane", "car", *CIFAR10[2:]), None, 32),  # as some name them
        (224, tuple(label.replace("_", " ") for label in CIFAR100_LABELS), None, 32),
        (224, None, None, 224),
        (224, STL10, None, 224),
        (224, tuple(f"digit {i}" for i in range(10)), None, 224),
        (64, CIFAR10, None, 64),
        (224, CIFAR10, 64, 64),
        (224, tuple(str(i) for i in range(7)), None, 224),
    ],
)
def test_where_the_noise_goes(own: int, labels: tuple[str, ...] | None, asked: int | None, expected: int) -> None:
    asked_size = None if asked is None else (asked, asked)
    size, said = certification_size(Fitting((own, own), (own, own)), labels, asked_size)
    assert size == (expected, expected)
    assert bool(said) == (expected != own)
