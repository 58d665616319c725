"""A model as a folder: model.safetensors, config.json (how to build it) and card.json (where it comes from)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.errors import LabError, told_as
from core.models.formats.limits import check_size, plan
from core.models.formats.listing import Listing, Loadability, misfit
from core.models.formats.preprocessing import check_answer
from core.models.network import LoadedNetwork
from core.models.networks import build

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "card.json"
POINT = 1.0 + 1e-9
"""Percent of certified accuracy that a number format may cost before ``auto`` leaves it."""


@dataclass(frozen=True)
class ModelConfig:
    """How a ``classifier`` or ``denoiser`` is built and what it takes.

    Attributes:
        architecture, options: a name of core/models/networks, and its keyword arguments.
        input_size: (height, width) the network was trained on.
        labels: class names (classifiers).
        sigma_range: least and greatest sigma it was trained for (denoisers, and classifiers trained with noise).
    """

    kind: str
    architecture: str
    options: dict[str, Any] = field(default_factory=dict)
    input_size: tuple[int, int] = (32, 32)
    labels: tuple[str, ...] | None = None
    sigma_range: tuple[float, float] | None = None


def save_model(folder: Path, network: nn.Module, config: ModelConfig, card: dict[str, Any], *, half: bool = False) -> None:
    """Write the three files; the weights go last and by rename, so a folder that has them is complete.
    ``half``: write float16 weights, half the size. :func:`read_model` returns them as float32 again; nothing is lost where
    :func:`round_to_half` has been here before."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(asdict(config), indent=2) + "\n")
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n")
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    if half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    part = folder / (WEIGHTS + ".part")
    save_file(state, part)
    part.replace(folder / WEIGHTS)


@torch.no_grad()
def round_to_half(network: nn.Module) -> None:
    """Round a network's float weights and statistics to those that float16 has, in place; they stay float32.
    Raises LabError where one is too large for float16, and nothing is changed."""
    values = [value for value in network.state_dict().values() if value.is_floating_point()]
    if not all(bool(value.half().isfinite().all()) for value in values):
        raise LabError(
            "A weight is too large for float16, or not finite: leave --half-weights out; with --resume the training is kept."
        )
    for value in values:
        value.copy_(value.half())


def read_config(folder: Path) -> ModelConfig:
    """Read config.json. Raises LabError where it is missing or not what ``save_model`` writes."""
    path = folder / CONFIG
    try:
        raw = json.loads(path.read_text())
        if wrong := misfit(raw) or ("architecture" not in raw and "it names no architecture"):
            raise ValueError(wrong)
        for name in ("input_size", "labels", "sigma_range"):
            if raw.get(name) is not None:
                raw[name] = tuple(raw[name])
        return ModelConfig(**raw)
    except OSError as error:
        raise LabError(f"{str(folder)!r} is no model of the Lab: {CONFIG} cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise LabError(f"{str(path)!r} does not describe a model of the Lab: {error}.") from error


def measured_formats(folder: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Of a model's card: beside which other model, in which number formats and for which sigmas (least and greatest) certified
    accuracy was measured and is within a point of that in float32, at every radius and sigma.
    The card has it as ``formats``: {other: {format: {sigma: {radius: [percent in float32, percent in this format]}}}}."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for other, measured in json.loads((folder / CARD).read_text()).get("formats", {}).items():
        for name, by_sigma in measured.items():
            if all(there >= here - POINT for radii in by_sigma.values() for here, there in radii.values()):
                sigmas = [float(sigma) for sigma in by_sigma]
                found.setdefault(other, {})[name] = min(sigmas), max(sigmas)
    return found


def read_model(folder: Path) -> tuple[nn.Module, ModelConfig]:
    """Build the network that a folder describes, on the CPU, in evaluation mode.
    Raises LabError where a file is missing, damaged, or does not fit the architecture."""
    config, path = read_config(folder), folder / WEIGHTS
    if not path.is_file():
        raise LabError(f"{str(folder)!r} has no {WEIGHTS}: train the model, or name another folder.")
    make, size = partial(build, config.kind, config.architecture, config.options), check_size(path)
    with told_as(f"The weights in {str(path)!r} cannot be loaded into {config.architecture!r}"):
        tensors = load_file(path)
        plan(make, size, (1, 3, *config.input_size), *([(1,)] if config.kind == "denoiser" else []))
        network = make()
        network.load_state_dict(tensors)
    return network.eval(), config


def is_of_the_lab(config: Mapping[str, Any]) -> bool:
    """Whether a config is one that ``train-classifier`` or ``train-denoiser`` wrote."""
    return config.get("kind") in ("classifier", "denoiser")


def verdict(listing: Listing, kind: str) -> Loadability | None:
    """Whether it is a model of the Lab of this kind; None where it is none of the Lab's."""
    if listing.file not in (None, WEIGHTS):
        return None
    if is_of_the_lab(listing.config):
        made = listing.config["kind"]
        fits = made == kind
        return Loadability(fits, "a model of the Lab" if fits else f"it is a {made} of the Lab")
    if "denoised-smoothing-lab" in (listing.library, *listing.tags) and "architectures" not in listing.config:
        return Loadability(None, "a model of the Lab, whose config says of which kind")
    return None


def wanted(listing: Listing) -> list[str]:
    """Its weights."""
    return [WEIGHTS]


def read(folder: Path, listing: Listing, size: tuple[int, int] | None) -> LoadedNetwork:
    """The network of a folder, on the CPU, for pictures of a size.
    Raises LabError where a file is missing, damaged, or does not fit the architecture."""
    network, config = read_model(folder)
    # Pixel by pixel in memory: 1.4 times faster on a CPU.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loaded = LoadedNetwork(
        network,
        "the Lab",
        config.architecture,
        input_size=config.input_size,
        own_size=config.input_size,
        labels=config.labels,
        sigma_range=config.sigma_range,
        weights=(WEIGHTS,),
    )
    if config.kind == "classifier":
        check_answer(network, config.input_size, config.labels)
    return loaded.at_size(size)
