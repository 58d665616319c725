"""Denoisers of deepinv: weights files without a config, known by their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.state_dicts import load_into, read_weights
from core.models.formats.torchvision_shim import import_library


@dataclass(frozen=True)
class Known:
    """One published weights file.

    Attributes:
        architecture: deepinv's class.
        options: its arguments.
        sigma_range: in [0, 1] units; None where nothing is published.
        remark: a sentence for the user, or None.
    """

    architecture: str
    options: dict[str, Any]
    sigma_range: tuple[float, float] | None
    remark: str | None = None


_PIXELS = {"pixel_std": 0.5, "_was_trained_on_minus_one_one": True}
_CIFAR = {"img_resolution": 32, "channel_mult": (2, 2, 2), **_PIXELS}
_FACES = {"img_resolution": 64, "channel_mult": (1, 2, 2, 2), **_PIXELS}
_DNCNN = Known(
    "DnCNN", {}, (2 / 255, 2 / 255), "It was trained at sigma 2/255 alone: at the sigmas of smoothing it removes nothing."
)

# The first that a repository has is taken.
KNOWN: dict[str, Known] = {
    "drunet_deepinv_color_finetune_22k.pth": Known("DRUNet", {}, (0.0, 0.2)),
    "drunet_deepinv_color.pth": Known("DRUNet", {}, (0.0, 20 / 255)),
    "drunet_color.pth": Known("DRUNet", {}, (0.0, 50 / 255)),
    "scunet_color_real_psnr.pth": Known("SCUNet", {}, None, "It is blind: it guesses the noise, as cameras make it."),
    "dncnn_sigma2_color.pth": _DNCNN,
    "dncnn_sigma2_lipschitz_color.pth": _DNCNN,
    "edm-cifar10-32x32-uncond-vp.pt": Known("NCSNpp", {"model_type": "ddpm", **_CIFAR}, (0.001, 40.0)),
    "edm-cifar10-32x32-uncond-ve.pt": Known("NCSNpp", {"model_type": "ncsn", **_CIFAR}, (0.001, 40.0)),
    "edm-ffhq-64x64-uncond-vp.pt": Known("NCSNpp", {"model_type": "ddpm", **_FACES}, (0.001, 40.0)),
    "edm-ffhq-64x64-uncond-ve.pt": Known("NCSNpp", {"model_type": "ncsn", **_FACES}, (0.001, 40.0)),
}
"""Ranges as published: DRUNet 0 to 50/255 (Zhang et al. 2021), deepinv's first 0 to 20/255 (its table of weights) and its
fine-tuned one up to about 0.2, EDM 0.002 to 80 on [-1, 1] (Karras et al. 2022)."""

ARCHITECTURES = ("DRUNet", "DnCNN", "SCUNet", "NCSNpp")


class DeepinvDenoiser(nn.Module):
    """A denoiser of deepinv behind the Lab's signature.

    Args:
        network: deepinv's, ``(noisy, sigma)`` -> denoised.
        divisor: sides are padded to a multiple of this.
        least: a smaller sigma is taken for this one.
    """

    def __init__(self, network: nn.Module, divisor: int = 1, least: float = 0.0) -> None:
        super().__init__()
        self.network, self.divisor, self.least = network, divisor, least
        self.eval().requires_grad_(False)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W)."""
        batch, _, height, width = noisy.shape
        s = torch.as_tensor(sigma, dtype=noisy.dtype, device=noisy.device).reshape(-1).expand(batch).clamp_min(self.least)
        padding = (0, -width % self.divisor, 0, -height % self.divisor)
        padded = F.pad(noisy, padding, mode="replicate") if any(padding) else noisy
        return self.network(padded, s)[..., :height, :width]


def known_weights(names: list[str]) -> str | None:
    """The weights file to take of those in a repository or folder; None where none is known."""
    return next((name for name in KNOWN if name in names), None)


def read_deepinv(folder: Path, file: str, config: dict[str, Any] | None = None) -> LoadedNetwork:
    """Load a weights file into deepinv's own class; nothing is downloaded by it.

    Args:
        folder, file: the weights.
        config: for files that are not known by name: ``{"library": "deepinv", "architecture": "DRUNet", "options": {},
            "sigma_range": [0, 0.2]}``.

    Raises:
        LabError: where the architecture is unknown, or the weights do not fit it.
    """
    known = KNOWN.get(file) or _described(config or {})
    maker: Callable[..., nn.Module] = getattr(import_library("deepinv.models"), known.architecture)
    try:
        # Made without weights: left alone, the class would download its own.
        network = maker(pretrained=None, device=torch.device("cpu"), **known.options)
    except (TypeError, ValueError, RuntimeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"deepinv cannot build {known.architecture!r} with these options: {first}") from error
    network = load_into(network, read_weights(folder / file), f"deepinv's {known.architecture}")
    notes = [note for note in (known.remark, _choice(file)) if note]
    own, divisor, least = None, 1, 0.0
    if known.architecture == "NCSNpp":  # deepinv pads for the others; the logarithm of sigma goes into this one
        side = int(known.options.get("img_resolution", 64))
        own, divisor = (side, side), 2 ** (len(known.options.get("channel_mult", (1, 2, 2, 2))) - 1)
        least = known.sigma_range[0] if known.sigma_range and known.sigma_range[0] > 0 else 1e-3
        notes.append(f"It was trained on pictures of {side} x {side} pixels; at other sizes it may do worse.")
    return LoadedNetwork(
        DeepinvDenoiser(network, divisor, least),
        "deepinv",
        known.architecture,
        None,
        own,
        sigma_range=known.sigma_range,
        notes=tuple(notes),
        weights=(file,),
    )


def _choice(file: str) -> str | None:
    """A sentence where a file was taken before others of its kind, which a repository may have as well."""
    kin = [name for name, one in KNOWN.items() if file in KNOWN and one.architecture == KNOWN[file].architecture]
    if len(kin) < 2 or kin[0] != file:
        return None
    return (
        f"Of deepinv's weights for {KNOWN[file].architecture} {file} was taken; to take {' or '.join(kin[1:])},"
        " put it into a folder of its own and name that as local/PATH."
    )


def _described(config: dict[str, Any]) -> Known:
    architecture, options, span = config.get("architecture"), config.get("options") or {}, config.get("sigma_range")
    if architecture not in ARCHITECTURES:
        raise LabError(
            f"The architecture {json.dumps(architecture)} is none of deepinv's that the Lab knows: {', '.join(ARCHITECTURES)}."
        )
    if not isinstance(options, dict):
        raise LabError("The config's options are no table: expected names and values.")
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    two = isinstance(span, list) and len(span) == 2 and all(isinstance(value, int | float) for value in span)
    return Known(str(architecture), options, (float(span[0]), float(span[1])) if two and span else None)
