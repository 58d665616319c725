"""Which format a denoiser is in, and how it comes from the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.formats.deepinv_models import KNOWN
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.load import load_denoiser, sigma_warning
from core.models.network import Denoiser
from tests.models.formats.listings import wanted

pytestmark = pytest.mark.filterwarnings("ignore")  # of strangers' libraries, which the tests call by themselves


def test_wanted_files() -> None:
    config = {"_class_name": "UNet2DModel"}
    flat = ["config.json", "diffusion_pytorch_model.bin", "scheduler_config.json", "README.md"]
    assert wanted(flat, config, "denoiser") == ["config.json", "diffusion_pytorch_model.bin", "scheduler_config.json"]
    nested = [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "scheduler/scheduler_config.json",
    ]
    assert wanted(nested, config, "denoiser") == [nested[1], nested[2], nested[3]]
    assert wanted(["drunet_color.pth", "drunet_deepinv_color_finetune_22k.pth", "a.txt"], None, "denoiser") == [
        "drunet_deepinv_color_finetune_22k.pth"
    ]
    with pytest.raises(LabError, match="latent code or text, not on pixels"):
        wanted([*nested, "vae/config.json"], config, "denoiser")
    with pytest.raises(LabError, match="no denoiser that the Lab knows"):
        wanted(["model.safetensors"], None, "denoiser")


def test_a_diffusion_model_of_the_hub_is_a_denoiser(hub: LoopbackHub, tmp_path: Path) -> None:
    """In the layout of a pipeline, with files beside it that are not needed."""
    unet = import_library("diffusers").UNet2DModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        add_attention=False,
    )
    unet.save_pretrained(tmp_path / "made" / "unet")
    import_library("diffusers").DDPMScheduler().save_pretrained(tmp_path / "made" / "scheduler")
    (tmp_path / "made" / "model_index.json").write_text(json.dumps({"_class_name": "DDPMPipeline"}))
    (tmp_path / "made" / "sample.bin").write_bytes(b"not needed")
    commit = hub.add("someone/ddpm", tmp_path / "made", library_name="diffusers")
    denoiser = load_denoiser("hub/someone/ddpm")
    assert isinstance(denoiser, Denoiser)
    assert (denoiser.ref, denoiser.revision, denoiser.source) == ("hub/someone/ddpm", commit, "diffusers")
    assert denoiser.sigma_range is not None
    assert denoiser(torch.rand(1, 3, 16, 16), 0.25).shape == (1, 3, 16, 16)
    assert not list(tmp_path.rglob("snapshots/*/sample.bin"))


def test_weights_of_deepinv_come_from_the_hub(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several weights only the default is fetched; the others are named, and the sigma it was trained for is known."""
    options: dict[str, Any] = {"nc": (8, 16, 24, 32), "nb": 1}
    first, second = "drunet_deepinv_color_finetune_22k.pth", "drunet_color.pth"
    (tmp_path / "made").mkdir()
    for name in (first, second):
        monkeypatch.setitem(KNOWN, name, type(KNOWN[name])("DRUNet", options, KNOWN[name].sigma_range))
        network = import_library("deepinv.models").DRUNet(pretrained=None, **options)
        torch.save(network.state_dict(), tmp_path / "made" / name)
    hub.add("deepinv/drunet", tmp_path / "made")
    denoiser = load_denoiser("hub/deepinv/drunet")
    assert isinstance(denoiser, Denoiser)
    assert any(first in note and second in note for note in denoiser.notes)
    assert sigma_warning(denoiser, 0.12) is None
    assert sigma_warning(denoiser, 0.25) == (
        "hub/deepinv/drunet was trained for sigma 0 to 0.2: at 0.25 it may do more harm than good."
    )
    assert not list(tmp_path.rglob(f"snapshots/*/{second}"))


def test_a_folder_without_a_denoiser_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(LabError, match="it has no weights"):
        read_network(tmp_path, "denoiser")
    (tmp_path / "weights.safetensors").write_bytes(b"something")
    for path in (tmp_path, tmp_path / "weights.safetensors"):
        with pytest.raises(LabError, match="no denoiser that the Lab knows"):
            read_network(path, "denoiser")
