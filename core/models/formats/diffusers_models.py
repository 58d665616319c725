"""Diffusion models of diffusers as one-shot denoisers (Carlini et al. 2022, arXiv 2206.10550)."""

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.foreign import import_library, plain_settings, quiet
from core.models.formats.limits import MAX_LEVELS, check_size, plan
from core.models.formats.listing import SCHEDULERS, Listing, Loadability, read_json_object
from core.models.network import LoadedNetwork
from core.models.networks.libraries import OneShotDenoiser

_PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline")
_WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_DEFAULT = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000}


def verdict(listing: Listing, kind: str) -> Loadability | None:
    """Whether it is a diffusion model that denoises pixels; None where it is not diffusers'."""
    config = listing.config
    if isinstance(config.get("diffusers"), Mapping):  # where the Hub's listing keeps what the file has at the top
        config = {**config["diffusers"], **config}
    made = config.get("_class_name")
    if kind == "classifier":
        return Loadability(False, f"it is no classifier but {made} of diffusers") if made else None
    if made is None and (listing.library != "diffusers" or not {"config.json", "unet/config.json"} & {*listing.names}):
        return None
    if made not in (None, "UNet2DModel", *_PIPELINES):
        return Loadability(False, f"{made} is no denoiser of pixels")
    if any(name.startswith(("vae/", "text_encoder/", "vqvae/")) for name in listing.names):
        return Loadability(False, "it works on a latent code or text, not on pixels")
    why = _unusable(config)
    return Loadability(False, why) if why else Loadability(True, "a diffusion model on pixels" if made else "a diffusion model")


def _unusable(config: Mapping[str, Any]) -> str | None:
    if config.get("in_channels", 3) != 3:
        return f"it takes {config['in_channels']} channels instead of 3, the colours of pixels"
    if config.get("num_class_embeds") or config.get("class_embed_type"):
        return "it wants to be told the class of the picture, and only unconditional models can denoise"
    if config.get("out_channels", 3) not in (3, 6):
        return f"it gives {config['out_channels']} channels instead of 3, or 6 where it learnt the variance, too"
    if config.get("time_embedding_type", "positional") == "fourier":
        return "it is told the strength of the noise, not a timestep as models of DDPM's kind are"
    return None


def wanted(listing: Listing) -> list[str]:
    """Its config, its weights, and its schedule where it has one. Raises LabError where there are no weights."""
    place = "" if "config.json" in listing.names else "unet/"
    weights = next((place + name for name in _WEIGHTS if place + name in listing.names), None)
    if weights is None:
        raise LabError(f"There are no weights: expected {_WEIGHTS[0]} or .bin.")
    return [f"{place}config.json", weights, *[name for name in SCHEDULERS if name in listing.names][:1]]


def read(folder: Path, listing: Listing, size: tuple[int, int] | None = None) -> LoadedNetwork:
    """Load a UNet2DModel with the schedule beside it.
    Raises LabError where files do not fit, or its schedule cannot be used."""
    config, weights, *schedules = (folder / name for name in wanted(listing))
    settings = read_json_object(config)
    schedule = read_json_object(schedules[0]) if schedules else _DEFAULT
    betas = betas_of(schedule)
    notes = [] if schedules else ["There is no scheduler_config.json: 1,000 linear steps from 0.0001 to 0.02 were assumed."]
    predicts = str(schedule.get("prediction_type") or "epsilon")
    if predicts not in ("epsilon", "sample", "v_prediction"):
        raise LabError(f"The model predicts {predicts!r}: expected epsilon, sample or v_prediction.")
    levels = len(settings.get("block_out_channels", (1, 1, 1, 1)))
    if not 1 <= levels <= MAX_LEVELS:
        raise LabError(f"The model has {levels} levels: expected 1 to {MAX_LEVELS}.")
    divisor = 2 ** (levels - 1)
    diffusers = import_library("diffusers")
    known = set(inspect.signature(diffusers.UNet2DModel).parameters)
    # Others are not read.
    own = plain_settings({name: value for name, value in settings.items() if name in known}, known, "settings")
    side = max(64, divisor)
    with _told(diffusers):
        plan(lambda: diffusers.UNet2DModel.from_config(own), check_size(weights), (1, 3, side, side), (1,))
    network = OneShotDenoiser(_unet(weights, diffusers), betas, predicts, divisor)
    trained = settings.get("sample_size")
    if isinstance(trained, int):
        notes.append(f"It was trained on pictures of {trained} x {trained} pixels; at other sizes it may do worse.")
    return LoadedNetwork(
        network.eval().requires_grad_(False),
        "diffusers",
        "UNet2DModel, one-shot",
        own_size=(trained, trained) if isinstance(trained, int) else None,
        sigma_range=network.sigma_range,
        notes=tuple(notes),
        weights=(weights.relative_to(folder).as_posix(),),
    )


@contextmanager
def _told(diffusers: ModuleType) -> Iterator[None]:
    """As :func:`~core.errors.told_as`, with the two lines that the library's errors have."""
    try:
        yield
    except (LabError, MemoryError):
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        said = " ".join(lines[:2])[:300]
        raise LabError(f"diffusers {diffusers.__version__} cannot load the model: {said}") from error


def _unet(weights: Path, diffusers: ModuleType) -> nn.Module:
    """The network with every one of its weights from the file: the library leaves the ones it misses at random."""
    with _told(diffusers), quiet(diffusers):
        unet, report = diffusers.UNet2DModel.from_pretrained(
            weights.parent,
            local_files_only=True,
            use_safetensors=weights.suffix == ".safetensors",
            torch_dtype=torch.float32,
            low_cpu_mem_usage=False,
            output_loading_info=True,
        )
    for keys, trouble in ((report["missing_keys"], "is missing"), (report["unexpected_keys"], "has no place")):
        if keys:
            raise LabError(f"The weights do not fit the model: {min(keys)!r} {trouble} ({len(keys)} such places in all).")
    return unet


def betas_of(schedule: dict[str, Any]) -> Tensor:
    """(T,) betas of a schedule, from its numbers alone: configs name scheduler classes that may no longer exist.
    Raises LabError where the schedule is unknown or its numbers are not usable."""
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
            try:
                betas = torch.tensor(given, dtype=torch.float64).reshape(-1)
            except (TypeError, ValueError, RuntimeError) as error:
                raise LabError("The model's schedule has trained_betas that are no numbers: it is damaged.") from error
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


def _without_signal_at_the_end(betas: Tensor) -> Tensor:
    """Betas rescaled so that the last step is noise alone (Lin et al. 2023, arXiv 2305.08891, algorithm 1), less that step:
    nothing can be denoised from it."""
    root = torch.cumprod(1 - betas, 0).sqrt()
    abar = ((root - root[-1]) * root[0] / (root[0] - root[-1])) ** 2
    return torch.cat([1 - abar[:1], 1 - abar[1:-1] / abar[:-2]])
