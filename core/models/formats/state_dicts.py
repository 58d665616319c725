"""Weights files: safetensors, or pickles that hold nothing but tensors."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from core.errors import LabError

SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
_INNER = ("state_dict", "model_state_dict", "model", "net", "params")
_PREFIXES = ("module.", "_orig_mod.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a weights file, unwrapped from the dictionary of a training checkpoint and from wrappers' prefixes.

    Pickles are read with ``weights_only=True``: nothing in them can run.

    Raises:
        LabError: where it is damaged, or a pickle holds more than tensors.
    """
    try:
        raw: object = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = next((line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line), "")
        raise LabError(
            f"{path.name!r} holds more than tensors, which could run code, so it is not loaded: ask for a safetensors file."
            + (f" ({found[:160]})" if found else "")
        ) from error
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"The weights {path.name!r} are damaged or no weights: {first[:200]}") from error
    while isinstance(raw, dict):
        inner = next((raw[name] for name in _INNER if isinstance(raw.get(name), dict)), None)
        if inner is None:
            break
        raw = inner
    tensors = {str(k): v for k, v in raw.items() if isinstance(v, Tensor)} if isinstance(raw, dict) else {}
    if not tensors:
        raise LabError(f"{path.name!r} holds no tensors by name: expected the state dict of a network.")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    if any(value.is_quantized or (value.dtype in (torch.int8, torch.uint8) and value.ndim > 1) for value in tensors.values()):
        raise LabError(f"{path.name!r} is quantised: expected weights in floating point.")
    return tensors


def load_into(network: nn.Module, tensors: dict[str, Tensor], what: str) -> nn.Module:
    """Load weights into a network of the same shape, as float32, in evaluation mode.

    Raises:
        LabError: naming the first key that does not fit.
    """
    expected = network.state_dict()
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    missing = sorted(expected.keys() - tensors.keys() - optional)
    odd = sorted(tensors.keys() - expected.keys())
    shapes = [name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape]
    if missing or odd or shapes:
        if missing:
            first = f"{missing[0]!r} is missing"
        elif odd:
            first = f"{odd[0]!r} has no place"
        else:
            name = sorted(shapes)[0]
            first = f"{name!r} is {tuple(tensors[name].shape)} instead of {tuple(expected[name].shape)}"
        raise LabError(f"The weights do not fit {what}: {first} ({len(missing) + len(odd) + len(shapes)} such places in all).")
    network.load_state_dict(tensors, strict=not optional)
    return network.eval().requires_grad_(False)


def has_cifar_stem(tensors: dict[str, Tensor], network: nn.Module) -> bool:
    """Whether the weights of a ResNet begin with a 3x3 convolution where the network has a 7x7 one."""
    first, own = tensors.get("conv1.weight"), network.state_dict().get("conv1.weight")
    return first is not None and own is not None and tuple(first.shape[2:]) == (3, 3) and tuple(own.shape[2:]) == (7, 7)


def give_cifar_stem(network: nn.Module) -> None:
    """Replace a ResNet's stem (7x7 stride 2, max-pool) by that of CIFAR: 3x3 stride 1, no pooling (He et al. 2016, 4.2)."""
    old = network.get_submodule("conv1")
    assert isinstance(old, nn.Conv2d)
    network.conv1 = nn.Conv2d(old.in_channels, old.out_channels, 3, stride=1, padding=1, bias=old.bias is not None)
    network.maxpool = nn.Identity()
