"""Which format a folder of files is in, and which of a repository's files a denoiser needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import LabError
from core.models.formats.deepinv_models import known_weights, read_deepinv
from core.models.formats.diffusers_models import SCHEDULERS, WEIGHTS, is_diffusers, read_diffusers, refuse_unusable
from core.models.formats.loaded import LoadedNetwork
from core.models.formats.state_dicts import SUFFIXES
from core.models.json_object import read_json_object


def wanted_files(names: list[str], config: dict[str, Any] | None) -> list[str]:
    """The files that loading a repository as a denoiser takes.

    Args:
        names: what lies in it.
        config: its config.json or unet/config.json, or None.

    Raises:
        LabError: with the reason, where it cannot be loaded.
    """
    if config is not None and is_diffusers(config):
        refuse_unusable(config)
        if any(name.startswith(("vae/", "vqvae/")) for name in names):
            raise LabError("The model works on latents, not on pixels: a diffusion model in pixel space is needed.")
        place = "" if "config.json" in names else "unet/"
        for weights in WEIGHTS:
            if place + weights in names:
                schedule = next((name for name in SCHEDULERS if name in names), None)
                return [f"{place}config.json", place + weights, *([schedule] if schedule else [])]
        raise LabError(f"There are no weights: expected {WEIGHTS[0]} or .bin.")
    known = known_weights(names)
    if known is not None:
        return [known]
    if config is not None and config.get("library") == "deepinv":
        return ["config.json", _only_weights(names)]
    raise LabError(
        "The Lab knows no denoiser in these files: expected a UNet2DModel of diffusers, or known weights of deepinv."
    )


def read_denoiser(folder: Path, file: str | None = None) -> LoadedNetwork:
    """Read a denoiser from a folder: diffusers' format, or weights of deepinv.

    Args:
        folder: a Hub snapshot or any folder.
        file: which weights file of deepinv; by default the first that is known.

    Raises:
        LabError: where the format is unknown, files are missing or damaged, or it is no denoiser.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    config = _config(folder)
    if config is not None and is_diffusers(config):
        return read_diffusers(folder)
    chosen = file or known_weights(names)
    if chosen is None and config is not None and config.get("library") == "deepinv":
        chosen = _only_weights(names)
    if chosen is None:
        raise LabError(
            "There is no denoiser that the Lab knows: expected a UNet2DModel of diffusers, weights of deepinv under their"
            ' published name, or a config.json with {"library": "deepinv", "architecture": ...}.'
        )
    if chosen not in names:
        raise LabError(f"There is no file {chosen!r} among {', '.join(names[:6])}.")
    return read_deepinv(folder, chosen, config)


def _only_weights(names: list[str]) -> str:
    found = [name for name in names if name.endswith(SUFFIXES)]
    if len(found) != 1:
        raise LabError(f"There are {len(found)} files of weights: expected one.")
    return found[0]


def _config(folder: Path) -> dict[str, Any] | None:
    path = next((p for p in (folder / "config.json", folder / "unet" / "config.json") if p.is_file()), None)
    if path is None:
        return None
    return read_json_object(path)
