"""The architectures: shapes, sizes, and what makes them fit for smoothing."""

from __future__ import annotations

import pytest
import torch

from core.errors import LabError
from core.models.networks import ConvClassifier, DnCNN, UNetDenoiser, build


def settled(network: torch.nn.Module) -> torch.nn.Module:
    """In evaluation mode, with running statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    with torch.no_grad():
        network.train()(torch.rand(16, 3, 32, 32), *([0.3] if isinstance(network, UNetDenoiser) else []))
    return network.eval()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (17, 23), (8, 64)])
def test_classifier_shapes(height, width):
    classifier = settled(ConvClassifier(7, (8, 16)))
    assert classifier(torch.rand(3, 3, height, width)).shape == (3, 7)


def test_classifier_normalises_its_pixels():
    torch.manual_seed(0)
    plain = ConvClassifier(4, (8,), mean=(0, 0, 0), std=(1, 1, 1)).eval()
    scaled = ConvClassifier(4, (8,), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5)).eval()
    scaled.load_state_dict({k: v for k, v in plain.state_dict().items() if k not in ("mean", "std")}, strict=False)
    x = torch.rand(2, 3, 16, 16)
    normal = (x - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.2, 0.25, 0.5]).view(3, 1, 1)
    assert torch.allclose(scaled(x), plain(normal), atol=1e-6)


@pytest.mark.parametrize(
    "network",
    [ConvClassifier(4, (8, 16)), UNetDenoiser((8, 16)), UNetDenoiser((8, 16), [1, 2], norm=True), DnCNN(4, 8)],
    ids=lambda n: type(n).__name__,
)
def test_a_picture_is_treated_alike_whatever_its_batch(network):
    # Votes are independent only if no picture sees its neighbours.
    network = settled(network)
    x = torch.rand(6, 3, 32, 32)
    call = (lambda y: network(y, 0.3)) if not isinstance(network, ConvClassifier) else network
    with torch.inference_mode():
        alone = torch.cat([call(x[i : i + 1]) for i in range(6)])
        assert torch.allclose(call(x), alone, atol=1e-5)


@pytest.mark.parametrize("widths", [(8,), (8, 12), (8, 12, 16)])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (9, 15), (33, 8)])
def test_unet_returns_pictures_of_the_same_shape(widths, height, width):
    torch.manual_seed(0)
    denoiser = UNetDenoiser(widths).eval()
    x = torch.rand(2, 3, height, width)
    assert denoiser(x, 0.25).shape == x.shape
    assert denoiser(x, torch.tensor([0.1, 0.9])).shape == x.shape


def test_unet_has_blocks_and_norms_as_asked_and_an_older_one_loads():
    counts = {
        name: sum(isinstance(part, kind) for part in UNetDenoiser((8, 12, 16), **options).modules())
        for name, kind, options in (
            ("plain", torch.nn.Conv2d, {}),
            ("deeper", torch.nn.Conv2d, {"blocks": [1, 2, 3], "blocks_up": 2}),
            ("norms", torch.nn.BatchNorm2d, {"norm": True}),
        )
    }
    # Head, tail, two that shrink, and two a block: 5 blocks; 6 down and 4 up.
    assert counts == {"plain": 14, "deeper": 24, "norms": 1 + 2 + 2 * 5}
    old = {name for name in UNetDenoiser((8, 12)).state_dict() if "norm" in name}
    assert not old, "weights saved before there were norms have the same names"
    with pytest.raises(ValueError, match="2 numbers of blocks for 3 widths"):
        UNetDenoiser((8, 12, 16), [1, 2])
    denoised, features = UNetDenoiser((8, 12, 16)).with_features(torch.rand(2, 3, 32, 32), 0.25)
    assert (denoised.shape, features.shape) == ((2, 3, 32, 32), (2, 16, 4, 4))


def test_unet_takes_a_sigma_for_each_picture():
    torch.manual_seed(0)
    denoiser = UNetDenoiser((8, 12)).eval()
    x = torch.rand(2, 3, 16, 16)
    both = denoiser(x, torch.tensor([0.1, 0.9]))
    assert torch.allclose(both[0], denoiser(x, 0.1)[0], atol=1e-6)
    assert torch.allclose(both[1], denoiser(x, 0.9)[1], atol=1e-6)
    assert torch.allclose(denoiser(x, torch.tensor(0.4)), denoiser(x, 0.4))
    assert not torch.allclose(denoiser(x, 0.1), denoiser(x, 0.9), atol=1e-3)


def test_unet_without_noise_returns_the_picture():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 16, 16)
    assert torch.allclose(UNetDenoiser((8, 12)).eval()(x, 0.0), x, atol=1e-6)


def test_unet_leans_on_the_noisy_picture_as_the_prior_says():
    # With a silent network what is left is the best linear guess for pixels of this spread (Wiener).
    denoiser = UNetDenoiser((8,), sigma_data=0.25).eval()
    torch.nn.init.zeros_(denoiser.tail.weight)
    torch.nn.init.zeros_(denoiser.tail.bias)
    x = torch.rand(1, 3, 8, 8)
    assert torch.allclose(denoiser(x, 0.25), 0.5 + 0.5 * (x - 0.5), atol=1e-6)


def test_dncnn_takes_the_predicted_noise_away():
    denoiser = DnCNN(depth=17, width=64)
    convolutions = [m for m in denoiser.layers if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) == 17
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in denoiser.layers) == 15
    small = settled(DnCNN(4, 8))
    x = torch.rand(2, 3, 11, 13)
    assert torch.equal(small(x, 0.25), x - small.layers(x))
    assert torch.equal(small(x, 0.25), small(x))


@pytest.mark.parametrize("name", ["unet", "dncnn"])
def test_denoisers_are_built_by_name(name):
    assert build("denoiser", name, {}).eval()(torch.rand(1, 3, 16, 16), 0.5).shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("kind", "name", "options", "says"),
    [
        ("denoiser", "conv", {}, "Unknown denoiser architecture 'conv': choose one of unet, dncnn"),
        ("classifier", "unet", {}, "Unknown classifier architecture 'unet': choose one of conv"),
        ("denoiser", "unet", {"depth": 3}, "does not take these options"),
        ("denoiser", "unet", {"widths": []}, "does not take these options"),
        ("denoiser", "unet", {"widths": [-4]}, "does not take these options"),
        ("classifier", "conv", {"mean": [0.5]}, "does not take these options"),
    ],
)
def test_what_cannot_be_built_is_told(kind, name, options, says):
    with pytest.raises(LabError, match=says):
        build(kind, name, options)
