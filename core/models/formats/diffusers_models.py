"""Diffusion models of diffusers as one-shot denoisers (Carlini et al. 2022, arXiv 2206.10550)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.torchvision_shim import import_library

SCHEDULERS = ("scheduler/scheduler_config.json", "scheduler_config.json")
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
    config = _json(inner / "config.json")
    refuse_unusable(config)
    diffusers = import_library("diffusers")
    weights = sorted(path for path in inner.glob("diffusion_pytorch_model*") if path.suffix in (".safetensors", ".bin"))
    safe = any(path.suffix == ".safetensors" for path in weights)
    weights = [path for path in weights if (path.suffix == ".safetensors") == safe]
    if not weights:
        raise LabError("There are no weights: expected diffusion_pytorch_model.safetensors or .bin.")
    try:
        unet = diffusers.UNet2DModel.from_pretrained(
            inner, local_files_only=True, use_safetensors=safe, torch_dtype=torch.float32, low_cpu_mem_usage=False
        )
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"diffusers {diffusers.__version__} cannot load the model: {first[:300]}") from error
    path = next((folder / name for name in SCHEDULERS if (folder / name).is_file()), None)
    schedule = _DEFAULT if path is None else _DEFAULT | _json(path)
    notes = [] if path else ["There is no scheduler_config.json: 1,000 linear steps from 0.0001 to 0.02 were assumed."]
    predicts = str(schedule.get("prediction_type") or "epsilon")
    if predicts not in ("epsilon", "sample", "v_prediction"):
        raise LabError(f"The model predicts {predicts!r}: expected epsilon, sample or v_prediction.")
    divisor = 2 ** (len(config.get("block_out_channels", (1, 1, 1, 1))) - 1)
    network = OneShotDenoiser(unet, betas_of(schedule), predicts, divisor)
    size = config.get("sample_size")
    if isinstance(size, int):
        notes.append(f"It was trained on pictures of {size} x {size} pixels; at other sizes it may do worse.")
    return LoadedNetwork(
        network, "diffusers", "UNet2DModel, one-shot", None, (size, size) if isinstance(size, int) else None,
        sigma_range=network.sigma_range, notes=tuple(notes), weights=tuple(str(path.relative_to(folder)) for path in weights),
    )  # fmt: skip


def betas_of(schedule: dict[str, Any]) -> Tensor:
    """(T,) betas of a schedule, from its numbers alone: configs name scheduler classes that may no longer exist.

    Raises:
        LabError: where the schedule is unknown or its numbers are not usable.
    """
    given = schedule.get("trained_betas")
    try:
        steps = len(given) if given else int(schedule["num_train_timesteps"])
        low, high = float(schedule["beta_start"]), float(schedule["beta_end"])
    except (TypeError, ValueError, KeyError) as error:
        raise LabError("The model's schedule has no usable numbers: expected beta_start, beta_end, steps.") from error
    if not 1 < steps <= 100_000:
        raise LabError(f"The model's schedule has {steps} steps: expected 2 to 100,000.")
    match "given" if given else schedule["beta_schedule"]:
        case "given":
            betas = torch.tensor(given, dtype=torch.float64)
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
    if not bool(((betas > 0) & (betas < 1)).all()):
        raise LabError("The model's schedule has betas outside (0, 1): it is damaged.")
    return betas


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path.name!r} of the model cannot be read ({error}): it is damaged or missing.") from error
    if not isinstance(found, dict):
        raise LabError(f"{path.name!r} of the model is no JSON object: it is damaged.")
    return found
