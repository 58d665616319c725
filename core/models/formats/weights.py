"""Weights files: safetensors, or pickles that hold nothing but tensors."""

import hashlib
import pickle
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import LabError, first_line
from core.models.formats.limits import check_size

_INNER = ("state_dict", "model_state_dict", "model", "net", "params")
_PREFIXES = ("module.", "_orig_mod.", "timm_model.")
_DEPTH = 4
_STEMS = (("conv1", "maxpool"), ("features.conv0", "features.pool0"))
"""Where a ResNet and a DenseNet have their first convolution and the pooling after it, in timm and torchvision."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a weights file, unwrapped from the dictionary of a training checkpoint and from wrappers' prefixes.
    Pickles are read with ``weights_only=True``: nothing in them can run.
    Raises LabError where it is damaged or too large, or a pickle holds more than tensors."""
    check_size(path)
    try:
        raw: object = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line), "")
        raise LabError(
            f"{path.name!r} holds more than tensors, which could run code, so it is not loaded: ask for a safetensors file."
            + (f" ({found[:160]})" if found else "")
        ) from error
    except Exception as error:  # the bytes of a damaged file can fail at anything
        raise LabError(f"The weights {path.name!r} are damaged or no weights: {first_line(error)}") from error
    for _ in range(_DEPTH):  # a pickle may hold itself
        inner = next((raw[name] for name in _INNER if isinstance(raw.get(name), dict)), None) if isinstance(raw, dict) else None
        raw = raw if inner is None else inner
    tensors = {str(k): v for k, v in raw.items() if isinstance(v, Tensor)} if isinstance(raw, dict) else {}
    if not tensors:
        raise LabError(f"{path.name!r} holds no tensors by name: expected the state dict of a network.")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    if any(value.layout is not torch.strided or value.nbytes > value.untyped_storage().nbytes() for value in tensors.values()):
        raise LabError(
            f"{path.name!r} holds tensors that are larger than the numbers in it: expected each number of the weights."
        )
    if any(value.is_quantized or (value.dtype in (torch.int8, torch.uint8) and value.ndim > 1) for value in tensors.values()):
        raise LabError(f"{path.name!r} is quantised: expected weights in floating point.")
    return tensors


def weights_digest(folder: Path, names: tuple[str, ...]) -> str | None:
    """sha256 of the weights, in hex: of the file, or of the lines ``name hash`` where there are several; None for none."""
    digests = {}
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    if len(digests) <= 1:
        return next(iter(digests.values()), None)
    listing = "".join(f"{name} {digest}\n" for name, digest in digests.items())
    return hashlib.sha256(listing.encode()).hexdigest()


def load_into(network: nn.Module, tensors: dict[str, Tensor], what: str) -> nn.Module:
    """Load weights into a network of the same shape, as float32, in evaluation mode.
    Raises LabError naming the first key that does not fit."""
    expected = network.state_dict()
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - tensors.keys() - optional)
    odd = sorted(tensors.keys() - expected.keys())
    shapes = [name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape]
    wrong = [f"{name!r} is missing" for name in missing] + [f"{name!r} has no place" for name in odd]
    wrong += [f"{name!r} is {tuple(tensors[name].shape)} instead of {tuple(expected[name].shape)}" for name in sorted(shapes)]
    if wrong:
        raise LabError(f"The weights do not fit {what}: {wrong[0]} ({len(wrong)} such places in all).")
    network.load_state_dict(tensors, strict=not optional)
    return network.eval().requires_grad_(False)


def give_cifar_stem(tensors: dict[str, Tensor], network: nn.Module) -> str | None:
    """Replace a stem (7x7 stride 2, max-pool) by that of CIFAR (3x3 stride 1, no pooling: He et al. 2016, section 4.2), where
    the weights of a ResNet or DenseNet begin with a 3x3 convolution; give a sentence that says so, else None.
    """
    own = network.state_dict()
    for convolution, pooling in _STEMS:
        first, place = tensors.get(f"{convolution}.weight"), own.get(f"{convolution}.weight")
        if first is None or place is None or first.shape[2:] != (3, 3) or place.shape[2:] != (7, 7):
            continue
        old = network.get_submodule(convolution)
        assert isinstance(old, nn.Conv2d)
        new = nn.Conv2d(old.in_channels, old.out_channels, 3, stride=1, padding=1, bias=old.bias is not None)
        network.set_submodule(convolution, new)
        network.set_submodule(pooling, nn.Identity())
        built = "so the network was built with one, and without max-pooling after it"
        return f"The weights have a 3x3 stem for small pictures, {built}."
    return None
