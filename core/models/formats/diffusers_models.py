"""Diffusion models of diffusers as one-shot denoisers (Carlini et al. 2022, arXiv 2206.10550)."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.torchvision_shim import import_library
from core.models.json_object import read_json_object

SCHEDULERS = ("scheduler/scheduler_config.json", "scheduler_config.json")
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_DEFAULT = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000}


def is_diffusers(config: dict[str, Any]) -> bool:
    """Whether a config is of a diffusers model."""
    return isinstance(config.get("_class_name"), str)


def refuse_unusable(config: dict[str, Any]) -> None:
    """Raise LabError, with the reason, where a config is of no unconditional pixel-space model."""
    if config["_class_name"] != "UNet2DModel":
        raise LabError(f"The model is a {config['_class_name']}: a UNet2DModel, which works on pixels, is needed.")
    if config.get("in_channels", 3) != 3:
        raise LabError(f"The model takes {config['in_channels']} channels: expected 3, the colours of pixels.")
    if config.get("num_class_embeds") or config.get("class_embed_type"):
        raise LabError("The model wants to be told the class of the picture: only unconditional models can denoise.")
    if config.get("out_channels", 3) not in (3, 6):
        raise LabError(
            f"The model gives {config['out_channels']} channels: expected 3, or 6 where it learnt the variance, too."
        )
    if config.get("time_embedding_type", "positional") == "fourier":
        raise LabError("The model is told the strength of the noise, not a timestep: expected a model of DDPM's kind.")


class OneShotDenoiser(nn.Module):
    """Noise of sigma in [0, 1] units -> the timestep of that noise -> one prediction of the clean picture.

    The noise is added once, in pixel space, at exactly sigma; the noisy picture is then scaled as the model expects it at
    the first timestep whose own noise is at least as strong. So the certificate does not depend on the rounding to timesteps.

    Args:
        unet: (B, 3, H, W) in [-1, 1] and (B,) timesteps -> an object with ``sample``.
        betas: (T,) of the forward process.
        predicts: ``epsilon``, ``sample`` or ``v_prediction``.
        divisor: sides are padded to a multiple of this.
    """

    abar: Tensor
    strength: Tensor

    def __init__(self, unet: nn.Module, betas: Tensor, predicts: str, divisor: int) -> None:
        super().__init__()
        self.unet, self.predicts, self.divisor = unet, predicts, divisor
        abar = torch.cumprod(1 - betas.double(), dim=0)
        self.register_buffer("abar", abar.float())
        self.register_buffer("strength", ((1 - abar) / abar).sqrt().float())  # sigma in [-1, 1] units, rising with t
        self.eval().requires_grad_(False)

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest sigma of the schedule, in [0, 1] units."""
        return float(self.strength[0]) / 2, float(self.strength[-1]) / 2

    def timestep(self, sigma: Tensor) -> Tensor:
        """(B,) sigmas in [0, 1] units -> (B,) the first timesteps with ``sqrt((1 - abar) / abar) >= 2 sigma``."""
        return torch.searchsorted(self.strength, 2 * sigma).clamp_max(len(self.strength) - 1)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W) pixels in [0, 1]."""
        batch, _, height, width = noisy.shape
        s = torch.as_tensor(sigma, dtype=torch.float32, device=noisy.device).reshape(-1).expand(batch).contiguous()
        t = self.timestep(s)
        a = self.abar[t].view(-1, 1, 1, 1)
        x = a.sqrt() * (2 * noisy.float() - 1)
        padded = F.pad(x, (0, -width % self.divisor, 0, -height % self.divisor), mode="replicate")
        out = self.unet(padded, t).sample[:, :3, :height, :width]  # six channels where the variance is learnt, too
        match self.predicts:
            case "epsilon":
                clean = (x - (1 - a).sqrt() * out) / a.sqrt()
            case "v_prediction":
                clean = a.sqrt() * x - (1 - a).sqrt() * out
            case _:
                clean = out
        return ((clean.clamp(-1, 1) + 1) / 2).to(noisy.dtype)


def read_diffusers(folder: Path) -> LoadedNetwork:
    """Load a UNet2DModel from a folder (or its ``unet`` folder) with the schedule beside it.

    Raises:
        LabError: where it is no unconditional pixel-space model, or files do not fit.
    """
    inner = folder if (folder / "config.json").is_file() else folder / "unet"
    config = read_json_object(inner / "config.json")
    refuse_unusable(config)
    diffusers = import_library("diffusers")
    weights = next((inner / name for name in WEIGHTS if (inner / name).is_file()), None)
    if weights is None:
        raise LabError(f"There are no weights: expected {WEIGHTS[0]} or .bin.")
    path = next((folder / name for name in SCHEDULERS if (folder / name).is_file()), None)
    schedule = _DEFAULT if path is None else read_json_object(path)
    betas = betas_of(schedule)
    notes = [] if path else ["There is no scheduler_config.json: 1,000 linear steps from 0.0001 to 0.02 were assumed."]
    predicts = str(schedule.get("prediction_type") or "epsilon")
    if predicts not in ("epsilon", "sample", "v_prediction"):
        raise LabError(f"The model predicts {predicts!r}: expected epsilon, sample or v_prediction.")
    divisor = 2 ** (len(config.get("block_out_channels", (1, 1, 1, 1))) - 1)
    network = OneShotDenoiser(_unet(inner, weights, diffusers), betas, predicts, divisor)
    size = config.get("sample_size")
    if isinstance(size, int):
        notes.append(f"It was trained on pictures of {size} x {size} pixels; at other sizes it may do worse.")
    return LoadedNetwork(
        network,
        "diffusers",
        "UNet2DModel, one-shot",
        None,
        (size, size) if isinstance(size, int) else None,
        sigma_range=network.sigma_range,
        notes=tuple(notes),
        weights=(weights.relative_to(folder).as_posix(),),
    )


def _unet(folder: Path, weights: Path, diffusers: ModuleType) -> nn.Module:
    """The network with every one of its weights from the file: the library leaves the ones it misses at random."""
    logging = diffusers.utils.logging
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        unet, report = diffusers.UNet2DModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=weights.suffix == ".safetensors",
            torch_dtype=torch.float32,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise LabError(f"diffusers {diffusers.__version__} cannot load the model: {' '.join(lines[:2])[:300]}") from error
    finally:
        logging.set_verbosity(verbosity)
    for keys, trouble in ((report["missing_keys"], "is missing"), (report["unexpected_keys"], "has no place")):
        if keys:
            raise LabError(f"The weights do not fit the model: {min(keys)!r} {trouble} ({len(keys)} such places in all).")
    return unet


def betas_of(schedule: dict[str, Any]) -> Tensor:
    """(T,) betas of a schedule, from its numbers alone: configs name scheduler classes that may no longer exist.

    Raises:
        LabError: where the schedule is unknown or its numbers are not usable.
    """
    given = schedule.get("trained_betas")
    if not given and "beta_start" not in schedule:  # other processes: variance exploding, consistency, flow matching
        named = schedule.get("_class_name", "schedule without a name")
        raise LabError(f"The model's schedule is {named!r}, which has no betas: expected one of DDPM's kind.")
    try:
        steps = len(given) if given else int(schedule["num_train_timesteps"])
        low, high = (0.0, 0.0) if given else (float(schedule["beta_start"]), float(schedule["beta_end"]))
    except (TypeError, ValueError, KeyError) as error:
        raise LabError("The model's schedule has no usable numbers: expected beta_start, beta_end, steps.") from error
    if not 1 < steps <= 100_000:
        raise LabError(f"The model's schedule has {steps} steps: expected 2 to 100,000.")
    match "given" if given else schedule.get("beta_schedule", "linear"):
        case "given":
            betas = _given(given)
        case "linear":
            betas = torch.linspace(low, high, steps, dtype=torch.float64)
        case "scaled_linear":
            betas = torch.linspace(low**0.5, high**0.5, steps, dtype=torch.float64) ** 2
        case "squaredcos_cap_v2":  # Nichol and Dhariwal (2021), eq. 17
            times = torch.arange(steps + 1, dtype=torch.float64) / steps
            curve = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
            betas = (1 - curve[1:] / curve[:-1]).clamp_max(0.999)
        case other:
            raise LabError(f"The model's schedule {other!r} is not known: expected linear, scaled_linear or squaredcos_cap_v2.")
    if schedule.get("rescale_betas_zero_snr"):
        betas = _without_signal_at_the_end(betas)
    if not bool(((betas > 0) & (betas < 1)).all()):
        raise LabError("The model's schedule has betas outside (0, 1): it is damaged.")
    return betas


def _given(betas: object) -> Tensor:
    try:
        return torch.tensor(betas, dtype=torch.float64).reshape(-1)
    except (TypeError, ValueError, RuntimeError) as error:
        raise LabError("The model's schedule has trained_betas that are no numbers: it is damaged.") from error


def _without_signal_at_the_end(betas: Tensor) -> Tensor:
    """Betas rescaled so that the last step is noise alone (Lin et al. 2023, arXiv 2305.08891, algorithm 1), less that step:
    nothing can be denoised from it."""
    root = torch.cumprod(1 - betas, 0).sqrt()
    abar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return torch.cat([1 - abar[:1], 1 - abar[1:-1] / abar[:-2]])
