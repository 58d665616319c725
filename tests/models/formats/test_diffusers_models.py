"""Diffusion models as one-shot denoisers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.data.shapes import make_shapes
from core.errors import LabError
from core.models.formats.diffusers_models import betas_of
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.networks.libraries import OneShotDenoiser
from tests.models.formats.repositories import wanted

pytestmark = pytest.mark.filterwarnings("ignore")  # of strangers' libraries, which the tests call by themselves

LINEAR = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000}


def unet(**changes: Any) -> Any:
    torch.manual_seed(0)
    options = {
        "sample_size": 32,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "down_block_types": ("DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D"),
        "add_attention": False,
    } | changes
    return import_library("diffusers").UNet2DModel(**options).eval()


def save(folder: Path, network: Any, schedule: dict[str, Any] | None = LINEAR, nested: bool = False) -> None:
    network.save_pretrained(folder / "unet" if nested else folder)
    if schedule is not None:
        place = folder / "scheduler" if nested else folder
        place.mkdir(exist_ok=True)
        (place / "scheduler_config.json").write_text(json.dumps({"_class_name": "LongGoneScheduler"} | schedule))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (LINEAR, [70, 145, 259, 339, 396]),
        (LINEAR | {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 4000}, [573, 1158, 1984, 2490, 2809]),
    ],
)
def test_timesteps_are_those_of_the_field(schedule: dict[str, Any], expected: list[int]) -> None:
    denoiser = OneShotDenoiser(torch.nn.Identity(), betas_of(schedule), "epsilon", 1)
    assert denoiser.timestep(torch.tensor([0.12, 0.25, 0.5, 0.75, 1.0])).tolist() == expected


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_betas_are_those_of_diffusers(schedule: str) -> None:
    scheduler = import_library("diffusers").DDPMScheduler(beta_schedule=schedule)
    assert torch.allclose(betas_of(LINEAR | {"beta_schedule": schedule}).float(), scheduler.betas, atol=1e-6)


@pytest.mark.parametrize("predicts", ["epsilon", "sample", "v_prediction"])
@pytest.mark.parametrize("nested", [False, True])
def test_one_shot_is_the_first_step_of_diffusers_own_scheduler(tmp_path: Path, predicts: str, nested: bool) -> None:
    network = unet()
    save(tmp_path, network, LINEAR | {"prediction_type": predicts}, nested)
    loaded = read_network(tmp_path, "denoiser")
    scheduler = import_library("diffusers").DDPMScheduler(prediction_type=predicts, clip_sample=True)
    noisy = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for sigma in (0.12, 0.5):
        t = next(
            t for t in range(1000) if ((1 - scheduler.alphas_cumprod[t]) / scheduler.alphas_cumprod[t]).sqrt() >= 2 * sigma
        )
        z = scheduler.alphas_cumprod[t].sqrt() * (2 * noisy - 1)
        with torch.no_grad():
            theirs = scheduler.step(network(z, t).sample, t, z).pred_original_sample
            ours = loaded.network(noisy, sigma)
        assert torch.allclose(ours, (theirs + 1) / 2, atol=1e-4)
    assert loaded.sigma_range is not None
    assert loaded.sigma_range[0] < 0.01
    assert loaded.sigma_range[1] > 50
    assert [Path(name).suffix for name in loaded.weights] == [".safetensors"]


def test_each_picture_may_have_its_own_sigma_and_any_size(tmp_path: Path) -> None:
    save(tmp_path, unet())
    network = read_network(tmp_path, "denoiser").network
    noisy = torch.rand(2, 3, 31, 29)
    with torch.no_grad():
        both = network(noisy, torch.tensor([0.1, 0.4]))
        assert both.shape == noisy.shape
        for i, sigma in enumerate((0.1, 0.4)):
            assert torch.allclose(both[i], network(noisy[i : i + 1], sigma)[0], atol=1e-5)


def test_gradients_pass_and_weights_stay(tmp_path: Path) -> None:
    save(tmp_path, unet())
    network = read_network(tmp_path, "denoiser").network
    x = torch.rand(1, 3, 32, 32, requires_grad=True)
    network(x, 0.25).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    assert not any(p.requires_grad for p in network.parameters())


def test_a_trained_diffusion_model_denoises_across_sigmas(tmp_path: Path) -> None:
    """Eighty steps on shapes: even a tiny network trained to predict the noise beats no denoiser by 2 dB and more."""
    images, _ = make_shapes(512, seed=3)
    clean = images.float() / 127.5 - 1
    network = unet().train()
    abar = torch.cumprod(1 - betas_of(LINEAR), 0).float()
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    generator = torch.Generator().manual_seed(0)
    for step in range(80):
        rows = torch.randint(len(clean), (8,), generator=generator)
        t = torch.randint(60, 450, (8,), generator=generator)
        noise = torch.randn(8, 3, 32, 32, generator=generator)
        a = abar[t].view(-1, 1, 1, 1)
        loss = (network(a.sqrt() * clean[rows] + (1 - a).sqrt() * noise, t).sample - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - step / 80) + 1e-4
    save(tmp_path, network.eval())
    denoiser = read_network(tmp_path, "denoiser").network
    test = make_shapes(24, seed=99)[0].float() / 255
    for sigma in (0.12, 0.25, 0.5, 1.0):
        noisy = test + sigma * torch.randn(test.shape, generator=generator)
        with torch.no_grad():
            error = (denoiser(noisy, sigma) - test).square().mean()
        assert error < (noisy.clamp(0, 1) - test).square().mean() * 0.63, f"no better than no denoiser at sigma {sigma}"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"_class_name": "AutoencoderKL"}, "AutoencoderKL"),
        ({"in_channels": 4}, "4 channels"),
        ({"num_class_embeds": 10}, "class of the picture"),
        ({"out_channels": 1}, "gives 1 channels"),
        ({"time_embedding_type": "fourier"}, "not a timestep"),
    ],
)
def test_models_of_another_kind_are_told(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    save(tmp_path, unet())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "denoiser")
    assert "\n" not in str(caught.value)
    with pytest.raises(LabError, match=word):
        wanted(["config.json", "diffusion_pytorch_model.safetensors"], config | changes, "denoiser")


@pytest.mark.parametrize(
    ("schedule", "word"),
    [
        ({"beta_schedule": "guess"}, "'guess' is not known"),
        ({"num_train_timesteps": 1}, "1 steps"),
        ({"beta_start": "x"}, "no usable numbers"),
        ({"beta_end": 2.0}, "outside"),
        ({"prediction_type": "flow"}, "'flow'"),
    ],
)
def test_schedules_that_cannot_be_are_told(tmp_path: Path, schedule: dict[str, Any], word: str) -> None:
    save(tmp_path, unet(), LINEAR | schedule)
    with pytest.raises(LabError, match=word):
        read_network(tmp_path, "denoiser")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (
            {"_class_name": "ScoreSdeVeScheduler", "num_train_timesteps": 1000, "sigma_max": 90.0, "sigma_min": 0.01},
            "ScoreSdeVe",
        ),
        ({"_class_name": "CMStochasticIterativeScheduler", "num_train_timesteps": 40, "sigma_data": 0.5}, "no betas"),
    ],
)
def test_schedules_of_other_processes_are_not_taken_for_ddpm(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    save(tmp_path, unet(), None)
    (tmp_path / "scheduler_config.json").write_text(json.dumps(changes))
    with pytest.raises(LabError, match=word):
        read_network(tmp_path, "denoiser")


def test_schedules_with_a_last_step_of_noise_alone(tmp_path: Path) -> None:
    """Their last step holds nothing of the picture, so it is left out; the others are those of diffusers."""
    scheduler = import_library("diffusers").DDPMScheduler(rescale_betas_zero_snr=True)
    denoiser = OneShotDenoiser(torch.nn.Identity(), betas_of(LINEAR | {"rescale_betas_zero_snr": True}), "epsilon", 1)
    assert torch.allclose(denoiser.abar, scheduler.alphas_cumprod[:-1], atol=1e-5)
    assert denoiser.sigma_range[1] < float("inf")


def test_betas_may_be_given_one_by_one() -> None:
    assert betas_of({"trained_betas": [0.1, 0.2, 0.3]}).tolist() == [0.1, 0.2, 0.3]
    with pytest.raises(LabError, match="no numbers"):
        betas_of({"trained_betas": ["a", "b"]})


@pytest.mark.lowest
def test_attention_under_its_old_names_loads(tmp_path: Path) -> None:
    """As in google/ddpm-cifar10-32, which is older than today's names."""
    network = unet(
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        add_attention=True,
        attention_head_dim=None,
    )
    old = {}
    for name, value in network.state_dict().items():
        for new, former in ((".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")):
            name = name.replace(new, former)
        old[name] = value
    assert any(".query." in name for name in old)
    save(tmp_path, network)
    (tmp_path / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(old, tmp_path / "diffusion_pytorch_model.bin")
    noisy = torch.rand(1, 3, 32, 32)
    expected = OneShotDenoiser(network, betas_of(LINEAR), "epsilon", 2).eval()
    with torch.no_grad():
        assert torch.allclose(read_network(tmp_path, "denoiser").network(noisy, 0.25), expected(noisy, 0.25), atol=1e-5)


@pytest.mark.parametrize(("drop", "word"), [(True, "'conv_in.weight' is missing"), (False, "'spare' has no place")])
def test_weights_that_do_not_fit_are_not_left_at_random(tmp_path: Path, drop: bool, word: str) -> None:
    save(tmp_path, unet())
    path = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    if drop:
        del tensors["conv_in.weight"]
    else:
        tensors["spare"] = torch.zeros(2)
    save_file(tensors, path)
    with pytest.raises(LabError, match=word):
        read_network(tmp_path, "denoiser")


def test_of_variants_of_the_weights_the_plain_one_is_taken(tmp_path: Path) -> None:
    save(tmp_path, unet())
    (tmp_path / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"another")
    assert read_network(tmp_path, "denoiser").weights == ("diffusion_pytorch_model.safetensors",)


def test_moving_the_denoiser_moves_its_tables(tmp_path: Path) -> None:
    save(tmp_path, unet())
    network = read_network(tmp_path, "denoiser").network.to("meta")
    assert all(buffer.device.type == "meta" for buffer in network.buffers())


def test_damaged_and_missing_weights_are_told(tmp_path: Path) -> None:
    save(tmp_path, unet())
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"no" * 1_000_000)
    with pytest.raises(LabError, match="cannot load"):
        read_network(tmp_path, "denoiser")
    (tmp_path / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(LabError, match="no weights"):
        read_network(tmp_path, "denoiser")
    (tmp_path / "config.json").unlink()
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"no")
    with pytest.raises(LabError, match="no denoiser that the Lab knows"):
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
    unet().save_config(folder)
    torch.save({"weight": Wrong(mark)}, folder / "diffusion_pytorch_model.bin")
    with pytest.raises(LabError) as caught:
        read_network(folder, "denoiser")
    assert "\n" not in str(caught.value)
    assert not mark.exists()
