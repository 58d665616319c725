"""The denoisers of the papers: their sizes as published, their wiring, and those of other libraries."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.models.networks import DENOISERS, MemNet, NoisePredictor, build, libraries
from core.models.storage import ModelConfig, read_model, save_model

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
