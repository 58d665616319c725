"""Denoisers of deepinv."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from core.errors import LabError
from core.models.formats.deepinv_models import KNOWN
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.load import sigma_warning

pytestmark = pytest.mark.filterwarnings("ignore")  # of strangers' libraries, which the tests call by themselves

SMALL: dict[str, dict[str, Any]] = {
    "drunet_color.pth": {"nc": (8, 16, 24, 32), "nb": 1},
    "dncnn_sigma2_color.pth": {"depth": 4, "nf": 8},
    "scunet_color_real_psnr.pth": {"config": (1,) * 7, "dim": 64},
    "edm-cifar10-32x32-uncond-vp.pt": {"model_channels": 32, "num_blocks": 1},
    "edm-cifar10-32x32-uncond-ve.pt": {"model_channels": 32, "num_blocks": 1},
}


@pytest.mark.parametrize("name", SMALL)
def test_deepinv_files_give_what_deepinv_gives(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrower network under the published name: the published ones have up to 60 million parameters."""
    options = KNOWN[name].options | SMALL[name]
    monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], options=options))
    torch.manual_seed(0)
    theirs = getattr(import_library("deepinv.models"), KNOWN[name].architecture)(pretrained=None, **options).eval()
    for weight in theirs.parameters():  # some begin so small that a network left at random would pass
        weight.data = torch.randn_like(weight) * 0.05
    torch.save(theirs.state_dict(), tmp_path / name)
    loaded = read_network(tmp_path, "denoiser")
    noisy = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        for sigma in (0.1, torch.tensor([0.1, 0.4])):
            assert torch.allclose(loaded.network(noisy, sigma), theirs(noisy, sigma), atol=1e-5)
        assert torch.equal(loaded.network(noisy, torch.tensor([0.2])), loaded.network(noisy, 0.2))
        assert torch.isfinite(loaded.network(noisy, 0.0)).all()
    odd = torch.rand(1, 3, 37, 30, requires_grad=True)
    clean = loaded.network(odd, 0.1)
    clean.sum().backward()
    assert clean.shape == odd.shape
    assert odd.grad is not None
    assert float(odd.grad.abs().sum()) > 0
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    assert (loaded.source, loaded.sigma_range, loaded.weights) == ("deepinv", KNOWN[name].sigma_range, (name,))


@pytest.mark.parametrize(
    ("name", "fitting", "outside"),
    [
        ("drunet_color.pth", 0.12, 0.25),
        ("drunet_deepinv_color.pth", 0.05, 0.12),
        ("dncnn_sigma2_color.pth", 2 / 255, 0.12),
        ("edm-cifar10-32x32-uncond-vp.pt", 1.0, 50.0),
    ],
)
def test_outside_the_range_of_training_the_user_is_warned(name: str, fitting: float, outside: float) -> None:
    assert sigma_warning(KNOWN[name], fitting) is None
    assert "more harm than good" in (sigma_warning(KNOWN[name], outside) or "")


@pytest.mark.lowest
def test_deepinv_architectures_can_be_described(tmp_path: Path) -> None:
    torch.manual_seed(0)
    models = import_library("deepinv.models")
    options = {"nc": [4, 8, 16, 32], "nb": 1}
    theirs = models.DRUNet(pretrained=None, nc=(4, 8, 16, 32), nb=1).eval()
    save_file(theirs.state_dict(), tmp_path / "mine.safetensors")
    config = {"library": "deepinv", "architecture": "DRUNet", "options": options, "sigma_range": [0, 0.5]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = read_network(tmp_path, "denoiser")
    noisy = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(loaded.network(noisy, 0.3), theirs(noisy, 0.3), atol=1e-5)
    assert loaded.sigma_range == (0.0, 0.5)


@pytest.mark.parametrize(
    ("name", "millions"), [("drunet_deepinv_color_finetune_22k.pth", 32.6), ("edm-cifar10-32x32-uncond-vp.pt", 55.7)]
)
def test_networks_are_built_in_their_published_shape(name: str, millions: float) -> None:
    """As many parameters as Zhang et al. (2021) and Karras et al. (2022, DDPM++ for CIFAR-10) count."""
    maker = getattr(import_library("deepinv.models"), KNOWN[name].architecture)
    with torch.device("meta"):
        network = maker(pretrained=None, **KNOWN[name].options)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(millions * 1e6, rel=0.01)


def test_of_several_weights_the_default_is_taken_and_the_others_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = "drunet_deepinv_color_finetune_22k.pth", "drunet_color.pth"
    for name in (first, second):
        monkeypatch.setitem(KNOWN, name, replace(KNOWN[name], options=SMALL["drunet_color.pth"]))
        torch.save(
            import_library("deepinv.models").DRUNet(pretrained=None, **KNOWN[name].options).state_dict(), tmp_path / name
        )
    default, other = read_network(tmp_path, "denoiser"), read_network(tmp_path / second, "denoiser")
    assert (default.weights, other.weights) == ((first,), (second,))
    assert [second in note and "local/PATH" in note for note in default.notes] == [True]
    assert other.notes == ()


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    torch.save({"m_head.weight": torch.zeros(2, 2)}, tmp_path / "drunet_color.pth")
    with pytest.raises(LabError, match="do not fit deepinv's DRUNet"):
        read_network(tmp_path, "denoiser")


class Wrong:
    """What a hostile pickle holds: a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_pickles_never_run(tmp_path: Path) -> None:
    folder, mark = tmp_path / "model", tmp_path / "mark"
    folder.mkdir()
    torch.save({"weight": Wrong(mark)}, folder / "drunet_color.pth")
    with pytest.raises(LabError) as caught:
        read_network(folder, "denoiser")
    assert "\n" not in str(caught.value)
    assert not mark.exists()
