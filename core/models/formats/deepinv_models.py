"""Denoisers of deepinv: weights files without a config, known by their names."""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import LabError, told_as
from core.models.formats.foreign import import_library, plain_settings
from core.models.formats.limits import MAX_LEVELS, check_size, plan
from core.models.formats.listing import MAX_OWN_SIDE, Listing, Loadability
from core.models.formats.weights import load_into, read_weights
from core.models.network import LoadedNetwork
from core.models.networks.libraries import PaddedDenoiser


@dataclass(frozen=True)
class Published:
    """One published weights file: of which class of deepinv, made with which arguments, with a remark for the user.
    ``sigma_range``: in [0, 1] units; None where nothing is published."""

    architecture: str
    options: dict[str, Any]
    sigma_range: tuple[float, float] | None
    remark: str | None = None


_PIXELS = {"pixel_std": 0.5, "_was_trained_on_minus_one_one": True}
_CIFAR = {"img_resolution": 32, "channel_mult": (2, 2, 2), **_PIXELS}
_FACES = {"img_resolution": 64, "channel_mult": (1, 2, 2, 2), **_PIXELS}
_DNCNN = Published(
    "DnCNN", {}, (2 / 255, 2 / 255), "It was trained at sigma 2/255 alone: at the sigmas of smoothing it removes nothing."
)

# The first that a repository has is taken.
KNOWN: dict[str, Published] = {
    "drunet_deepinv_color_finetune_22k.pth": Published("DRUNet", {}, (0.0, 0.2)),
    "drunet_deepinv_color.pth": Published("DRUNet", {}, (0.0, 20 / 255)),
    "drunet_color.pth": Published("DRUNet", {}, (0.0, 50 / 255)),
    "scunet_color_real_psnr.pth": Published("SCUNet", {}, None, "It is blind: it guesses the noise, as cameras make it."),
    "dncnn_sigma2_color.pth": _DNCNN,
    "dncnn_sigma2_lipschitz_color.pth": _DNCNN,
    "edm-cifar10-32x32-uncond-vp.pt": Published("NCSNpp", {"model_type": "ddpm", **_CIFAR}, (0.001, 40.0)),
    "edm-cifar10-32x32-uncond-ve.pt": Published("NCSNpp", {"model_type": "ncsn", **_CIFAR}, (0.001, 40.0)),
    "edm-ffhq-64x64-uncond-vp.pt": Published("NCSNpp", {"model_type": "ddpm", **_FACES}, (0.001, 40.0)),
    "edm-ffhq-64x64-uncond-ve.pt": Published("NCSNpp", {"model_type": "ncsn", **_FACES}, (0.001, 40.0)),
}
"""Ranges as published: DRUNet 0 to 50/255 (Zhang et al. 2021), deepinv's first 0 to 20/255 (its table of weights) and its
fine-tuned one up to about 0.2, EDM 0.002 to 80 on [-1, 1] (Karras et al. 2022)."""

ARCHITECTURES = ("DRUNet", "DnCNN", "SCUNet", "NCSNpp")


def known_weights(listing: Listing) -> str | None:
    """The weights file to take of those that are listed; None where none is known."""
    return next((name for name in KNOWN if name in listing.names), None)


def verdict(listing: Listing, kind: str) -> Loadability | None:
    """Whether a denoiser that no other format knows may be weights of deepinv, which only its files tell; else None."""
    if kind != "denoiser":
        return None
    ours = "deepinv" in (listing.library, listing.config.get("library"))
    if ours or any(name.endswith((".pth", ".pt")) for name in listing.names):
        return Loadability(None, "weights without a config: known ones of deepinv load")
    return Loadability(False if listing.config.get("architectures") else None, "it does not say how its network is built")


def wanted(listing: Listing) -> list[str]:
    """Weights under a published name, or the only ones that there are with their config.
    Raises LabError where there is neither."""
    known = known_weights(listing)
    if known is not None:
        return [known]
    if listing.config.get("library") != "deepinv":
        raise LabError(
            "There is no denoiser that the Lab knows: expected a UNet2DModel of diffusers, weights of deepinv under their"
            ' published name, or a config.json with {"library": "deepinv", "architecture": ...}.'
        )
    return listing.weights()


def read(folder: Path, listing: Listing, size: tuple[int, int] | None = None) -> LoadedNetwork:
    """Load a weights file into deepinv's own class; nothing is downloaded by it.
    The config of weights that are not known by name is ``{"library": "deepinv", "architecture": "DRUNet", "options": {},
    "sigma_range": [0, 0.2]}``. Raises LabError where the architecture is unknown, or the weights do not fit it."""
    (file,) = wanted(listing)
    known = KNOWN.get(file) or _described(listing.config)
    maker: Callable[..., nn.Module] = getattr(import_library("deepinv.models"), known.architecture)
    options = known.options
    if file not in KNOWN:
        options = plain_settings(options, set(inspect.signature(maker).parameters), "options")
    side, levels = int(options.get("img_resolution", 64)), len(options.get("channel_mult", (1, 2, 2, 2)))
    if not (1 <= side <= MAX_OWN_SIDE and 1 <= levels <= MAX_LEVELS):
        raise LabError(f"The model has {levels} levels for {side} x {side} pixels: expected 1 to {MAX_LEVELS}.")

    def build() -> nn.Module:
        # Made without weights: left alone, the class would download its own.
        return maker(pretrained=None, device=torch.device("cpu"), **options)

    with told_as(f"deepinv cannot build {known.architecture!r} with these options"):
        if file not in KNOWN:
            plan(build, check_size(folder / file), (1, 3, max(side, 2**levels), max(side, 2**levels)), (1,))
        network = build()
    network = load_into(network, read_weights(folder / file), f"deepinv's {known.architecture}")
    notes = [note for note in (known.remark, _choice(file)) if note]
    own, divisor, least = None, 1, 0.0
    if known.architecture == "NCSNpp":  # deepinv pads for the others; the logarithm of sigma goes into this one
        own, divisor = (side, side), 2 ** (levels - 1)
        least = known.sigma_range[0] if known.sigma_range and known.sigma_range[0] > 0 else 1e-3
        notes.append(f"It was trained on pictures of {side} x {side} pixels; at other sizes it may do worse.")
    return LoadedNetwork(
        PaddedDenoiser(network, divisor, least_sigma=least).eval(),
        "deepinv",
        known.architecture,
        own_size=own,
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


def _described(config: Mapping[str, Any]) -> Published:
    architecture, options, span = config.get("architecture"), config.get("options") or {}, config.get("sigma_range")
    if architecture not in ARCHITECTURES:
        raise LabError(
            f"The architecture {json.dumps(architecture)} is none of deepinv's that the Lab knows: {', '.join(ARCHITECTURES)}."
        )
    if not isinstance(options, dict):
        raise LabError("The config's options are no table: expected names and values.")
    two = isinstance(span, list) and len(span) == 2 and all(isinstance(value, int | float) for value in span)
    return Published(str(architecture), options, (float(span[0]), float(span[1])) if two and span else None)
