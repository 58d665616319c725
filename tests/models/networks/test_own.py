"""The architectures: shapes, sizes as published, wiring, and what makes them fit for smoothing."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.models.networks import DENOISERS, ConvClassifier, DnCNN, MemNet, NoisePredictor, UNetDenoiser, build, libraries
from core.models.storage import ModelConfig, read_model, save_model


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


TINY = {
    "unet": {"widths": [4, 8]},
    "dncnn": {"depth": 3, "width": 4},
    "dncnn-wide": {"depth": 3, "width": 4},
    "memnet": {"blocks": 2, "units": 2, "width": 4},
    "drunet": {"widths": [4, 4, 4, 4], "blocks": 1},
    "ffdnet": {"depth": 3, "width": 8},
    "unet2d": {"widths": [4, 8], "layers": 1, "attention": []},
}


def size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_dncnn_is_as_large_as_published():
    # Published for grey pictures: 0.56 million (556,096); colour has two more channels in the first and last layer.
    assert size(build("denoiser", "dncnn", {})) == 556_096 + 2 * 2 * 64 * 9
    wide = build("denoiser", "dncnn-wide", {})
    assert [m.out_channels for m in wide.layers if isinstance(m, nn.Conv2d)] == [128] * 16 + [3]
    assert size(wide) == (27 * 128 + 128) + 15 * (128 * 128 * 9 + 2 * 128) + 128 * 27


def test_memnet_is_as_large_as_published():
    # Tai et al. 2017: 677 thousand weights of convolutions for six blocks with six passes each, on grey pictures.
    network = MemNet(blocks=6, units=6, width=64, shared=True)
    weights = sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.Conv2d))
    assert weights - 2 * 2 * 64 * 9 == 676_992
    # Salman et al. 2020: three blocks, six units of their own each.
    units, gates = 3 * 6 * 2 * 64 * 64 * 9, (7 + 8 + 9) * 64 * 64
    weights = sum(m.weight.numel() for m in build("denoiser", "memnet", {}).modules() if isinstance(m, nn.Conv2d))
    assert weights == units + gates + 2 * 3 * 64 * 9


@pytest.mark.parametrize("shared", [False, True])
def test_memnet_remembers_every_unit_and_every_block(shared):
    torch.manual_seed(0)
    net = MemNet(blocks=2, units=2, width=4, shared=shared).eval()
    x = torch.rand(2, 3, 9, 7)
    start = net.extract(x)
    memory, now = [start], start
    for block in net.blocks:
        first = now + block.units[0].second(block.units[0].first(now))
        again = block.units[0 if shared else 1]
        second = first + again.second(again.first(first))
        now = block.gate(torch.cat([first, second, *memory], dim=1))
        memory.append(now)
    assert torch.allclose(net(x), x + net.restore(now), atol=1e-6)
    assert torch.equal(net(x, 0.1), net(x, 0.9))


def test_those_of_other_libraries_are_as_large_as_published(monkeypatch):
    monkeypatch.setattr(nn.init, "orthogonal_", lambda weight, gain=1.0: weight)  # half a minute for numbers nobody looks at
    assert size(build("denoiser", "drunet", {})) == 32_640_960  # Zhang et al. 2021: 32.64 million
    assert size(build("denoiser", "unet2d", {})) == 35_746_307  # Ho et al. 2020: 35.7 million for CIFAR-10


@pytest.mark.parametrize("name", DENOISERS)
def test_every_denoiser_takes_any_size_has_gradients_and_survives_being_saved(name, tmp_path):
    torch.manual_seed(0)
    network = build("denoiser", name, TINY[name]).train()
    noisy = torch.rand(3, 3, 13, 18)
    out = network(noisy, torch.tensor([0.1, 0.2, 0.4]))
    assert out.shape == noisy.shape
    out.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    save_model(tmp_path, network, ModelConfig("denoiser", name, TINY[name]), {})
    again, config = read_model(tmp_path)
    assert config.architecture == name
    assert torch.allclose(again(noisy, 0.25), network.eval()(noisy, 0.25), atol=1e-6)


@pytest.mark.parametrize("name", ["drunet", "ffdnet", "unet2d"])
def test_those_that_are_told_sigma_use_it_picture_by_picture(name):
    torch.manual_seed(1)
    network = build("denoiser", name, TINY[name]).eval()
    noisy = torch.rand(2, 3, 32, 32)
    both = network(noisy, torch.tensor([0.1, 0.6]))
    assert torch.allclose(both[0], network(noisy, 0.1)[0], atol=1e-5)
    assert torch.allclose(both[1], network(noisy, 0.6)[1], atol=1e-5)
    assert not torch.allclose(both[1], network(noisy, 0.1)[1], atol=1e-4)


class Silent(nn.Module):
    """Predicts a constant noise, and keeps what it was asked."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, x, t):
        self.asked = (x, t)
        return type("Out", (), {"sample": torch.full_like(x, self.noise)})()


def test_the_noise_predictor_undoes_ddpms_forward_process():
    network = NoisePredictor(**{k: tuple(v) if isinstance(v, list) else v for k, v in TINY["unet2d"].items()}).train()
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    network.unet = Silent(0.5)
    clean, t = torch.rand(1, 3, 8, 8), 400
    sigma = float(((1 - kept[t]) / kept[t]).sqrt() / 2)
    noise = torch.full_like(clean, 0.5)
    found = network(clean + sigma * noise, sigma * 0.9999)
    asked, when = network.unet.asked
    assert when.tolist() == [t]
    # Ho et al. 2020, eq. 4, on [-1, 1].
    forward = kept[t].sqrt() * (2 * clean - 1) + (1 - kept[t]).sqrt() * noise
    assert torch.allclose(asked, forward.float(), atol=1e-5)
    assert torch.allclose(found, clean, atol=1e-5)
    network.unet = Silent(-3.0)
    assert network(clean, sigma).max() > 1
    assert network.eval()(clean, sigma).max() <= 1


@pytest.mark.parametrize(("name", "library"), [("drunet", "deepinv"), ("ffdnet", "deepinv"), ("unet2d", "diffusers")])
def test_a_library_that_is_missing_is_named(name, library, monkeypatch):
    def missing(module):
        raise ModuleNotFoundError(f"No module named {module!r}")

    monkeypatch.setattr(libraries, "import_library", missing)
    with pytest.raises(LabError, match=f"This architecture is {library}'s, which is missing: install it with"):
        build("denoiser", name, {})


@pytest.mark.parametrize(
    ("name", "options"),
    [("drunet", {"widths": [4, 4]}), ("memnet", {"blocks": 0}), ("dncnn", {"depth": 1}), ("unet2d", {"widths": [-4]})],
)
def test_options_that_make_no_network(name, options):
    with pytest.raises(LabError, match="does not take these options"):
        build("denoiser", name, options)
