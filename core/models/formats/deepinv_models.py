"""Denoisers of deepinv: weights files without a config, known by their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
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


_EDM = {"img_resolution": 32, "channel_mult": (2, 2, 2), "pixel_std": 0.5, "_was_trained_on_minus_one_one": True}
_DNCNN = Known(
    "DnCNN", {}, (2 / 255, 2 / 255), "It was trained at sigma 2/255 alone: at the sigmas of smoothing it removes nothing."
)

# The first that a repository has is taken.
KNOWN: dict[str, Known] = {
    "drunet_deepinv_color_finetune_22k.pth": Known("DRUNet", {}, (0.0, 0.2)),
    "drunet_deepinv_color.pth": Known("DRUNet", {}, (0.0, 0.2)),
    "drunet_color.pth": Known("DRUNet", {}, (0.0, 50 / 255)),
    "scunet_color_real_psnr.pth": Known("SCUNet", {}, None, "It is blind: it guesses the noise, as cameras make it."),
    "dncnn_sigma2_color.pth": _DNCNN,
    "dncnn_sigma2_lipschitz_color.pth": _DNCNN,
    "edm-cifar10-32x32-uncond-vp.pt": Known("NCSNpp", {"model_type": "ddpm", **_EDM}, (0.001, 40.0)),
    "edm-cifar10-32x32-uncond-ve.pt": Known("NCSNpp", {"model_type": "ncsn", **_EDM}, (0.001, 40.0)),
}  # fmt: skip
"""Ranges as published: DRUNet 0 to 50/255 (Zhang et al. 2021), deepinv's own up to about 0.2, EDM 0.002 to 80 on [-1, 1]."""

ARCHITECTURES = ("DRUNet", "DnCNN", "SCUNet", "NCSNpp")


class DeepinvDenoiser(nn.Module):
    """A denoiser of deepinv behind the Lab's signature, which is deepinv's own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.eval().requires_grad_(False)

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) noisy pixels and sigma (a number, or one per picture) -> (B, 3, H, W)."""
        return self.network(noisy, sigma)


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
    others = [path.name for path in folder.iterdir() if path.name in KNOWN and path.name != file]
    notes = [known.remark] if known.remark else []
    if others:
        notes.append(f"Of several weights {file!r} was taken; there are also {', '.join(sorted(others))}.")
    own = (32, 32) if known.architecture == "NCSNpp" else None
    return LoadedNetwork(
        DeepinvDenoiser(network), "deepinv", known.architecture, None, own, sigma_range=known.sigma_range, notes=tuple(notes),
        weights=(file,),
    )  # fmt: skip


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
