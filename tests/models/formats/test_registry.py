"""Which format a model is in, which of its files are wanted, and what holds for every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from loopback_hub import LoopbackHub
from safetensors.torch import save_file

from core.errors import LabError
from core.models.formats.deepinv_models import KNOWN
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.load import load_denoiser, sigma_warning
from core.models.network import Denoiser
from tests.models.formats.repositories import save_squeezenet, save_timm, save_vit, wanted

pytestmark = pytest.mark.filterwarnings("ignore")  # of strangers' libraries, which the tests call by themselves


def test_wanted_files_of_denoisers() -> None:
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


def test_a_bare_file_of_no_known_architecture_is_told(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "mine.safetensors")
    with pytest.raises(LabError, match="Nothing says of which architecture"):
        read_network(tmp_path, "classifier")


@pytest.mark.parametrize(
    ("names", "config", "expected"),
    [
        (
            ["config.json", "model.safetensors", "pytorch_model.bin"],
            {"architecture": "a", "num_classes": 2},
            ["model.safetensors"],
        ),
        (["config.json", "pytorch_model.bin", "README.md"], {"architecture": "a", "pretrained_cfg": {}}, ["pytorch_model.bin"]),
        (
            ["config.json", "preprocessor_config.json", "model.safetensors"],
            {"model_type": "vit", "architectures": ["ViTForImageClassification"]},
            ["model.safetensors"],
        ),
    ],
)
def test_wanted_files(names: list[str], config: dict[str, Any], expected: list[str]) -> None:
    assert wanted(names, config) == expected


@pytest.mark.parametrize(
    ("names", "config", "word"),
    [
        (["README.md"], None, "it has no weights"),
        (["weights.pth"], None, "Nothing says of which architecture 'weights.pth' is"),
        (["config.json", "model.gguf"], {"architecture": "a", "num_classes": 2}, "GGUF"),
        (["config.json", "a.pth", "b.pth"], {"architecture": "a", "num_classes": 2}, "2 files of weights"),
        (["config.json", "model.safetensors"], {"model_type": "bert", "architectures": ["BertModel"]}, "BertModel"),
    ],
)
def test_unwanted_repositories(names: list[str], config: dict[str, Any] | None, word: str) -> None:
    with pytest.raises(LabError, match=word):
        wanted(names, config)


@pytest.mark.lowest
@pytest.mark.parametrize("make", [save_timm, save_vit, save_squeezenet])
def test_gradients_reach_the_picture_through_every_format(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    make(tmp_path)
    for size in (None, (40, 40)):
        loaded = read_network(tmp_path, "classifier", size=size)
        assert loaded.input_size is not None
        given = torch.rand(2, 3, *loaded.input_size, generator=torch.Generator().manual_seed(0), requires_grad=True)
        before = given.detach().clone()
        loaded.network(given).sum().backward()
        assert given.grad is not None
        assert bool(given.grad.abs().amax(dim=(1, 2, 3)).gt(0).all())
        assert torch.equal(given.detach(), before)
        assert not loaded.network.training
        assert not any(p.requires_grad for p in loaded.network.parameters())
        assert {p.dtype for p in loaded.network.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [save_timm, save_vit, save_squeezenet])
def test_reading_warns_of_nothing_and_prints_nothing(
    tmp_path: Path, make: Callable[[Path], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    capfd.readouterr()
    read_network(tmp_path, "classifier")
    assert capfd.readouterr() == ("", "")


def test_what_training_leaves_behind_is_not_taken_for_weights() -> None:
    config = {"architecture": "a", "num_classes": 2}
    names = ["config.json", "best.pth", "optimizer.pt", "training_args.bin", "rng_state.pth"]
    assert wanted(names, config) == ["best.pth"]


@pytest.mark.parametrize(
    ("names", "word"),
    [(["adapter_config.json", "adapter_model.safetensors", "config.json"], "adapter"), (["config.json"], "no weights")],
)
def test_what_is_no_whole_model(names: list[str], word: str) -> None:
    with pytest.raises(LabError, match=word):
        wanted(names, {"architecture": "a", "num_classes": 2})


@pytest.mark.parametrize("name", ["notes.txt", "nowhere"])
def test_what_is_no_model_at_all(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(LabError, match=r"no weights file|cannot be read"):
        read_network(tmp_path / name, "classifier")
