"""A short name for what tensors hold, by which a checkpoint tells networks and data apart."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn


def fingerprint(*tensors: Tensor) -> str:
    """Twelve hex digits of the sha256 over types, shapes and bytes; the same on every device and in every memory layout."""
    digest = hashlib.sha256()
    for tensor in tensors:
        plain = tensor.detach().cpu().contiguous()
        digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:12]


def weights_fingerprint(network: nn.Module) -> str:
    """The :func:`fingerprint` of everything a network keeps: weights and buffers, in their order."""
    return fingerprint(*network.state_dict().values())
