"""Networks behind the Lab's two signatures: as read from files, and what ``load_classifier`` and ``load_denoiser`` return."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class LoadedNetwork:
    """A network behind one of the Lab's two signatures, whatever library it was made with.

    Attributes:
        network: in evaluation mode, on the CPU. A classifier takes (B, 3, H, W) pixels in [0, 1] (noise may overshoot)
            at ``input_size`` and returns (B, C) logits; resizing and normalisation happen inside and are differentiable.
            A denoiser takes ``(noisy, sigma)`` in the same units and returns the same shape.
        source: the library or format, for people: ``timm``, ``transformers``, ``diffusers``, ``deepinv``, ``the Lab``, ...
        architecture: its name in that library.
        input_size: (height, width) that a picture is brought to, before the noise; None where any will do (denoisers).
        own_size: (height, width) that the network itself works at; larger than ``input_size`` where it scales up inside.
        labels: class names (classifiers), or None where nothing names them.
        labels_assumed: the data set whose known names stand in for missing ones, such as ``CIFAR-10``; None where the
            names are the model's own.
        sigma_range: least and greatest sigma, in [0, 1] units, of the noise it was trained for; None where there was none, or
            unknown.
        notes: a sentence for each thing that was assumed, contradicted itself or was put right on the way, for the user.
        weights: the files the weights came from, which a hash of the model covers.
        ref: the reference it was loaded by, without a revision.
        revision: commit hash on the Hub; elsewhere the sha256 of the weights.
        weights_sha256: of the weights file; where there are several, of the list of their names and hashes. None where the
            format names no file.
    """

    network: nn.Module
    source: str
    architecture: str
    input_size: tuple[int, int] | None = None
    own_size: tuple[int, int] | None = None
    labels: tuple[str, ...] | None = None
    labels_assumed: str | None = None
    sigma_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    ref: str = ""
    revision: str | None = None
    weights_sha256: str | None = None

    def at_size(self, size: tuple[int, int] | None) -> LoadedNetwork:
        """The same classifier for pictures of another size, which it brings to its own inside."""
        if size is None or self.input_size is None or size == self.input_size:
            return self
        own = self.own_size or self.input_size
        return replace(self, network=Scaled(self.network, self.input_size), input_size=size, own_size=own)


class NamedNetwork(nn.Module):
    """A network in evaluation mode, without gradients to its weights; its attributes are those of :class:`LoadedNetwork`."""

    def __init__(self, loaded: LoadedNetwork) -> None:
        super().__init__()
        self.network, self.source, self.architecture = loaded.network, loaded.source, loaded.architecture
        self.ref, self.revision, self.weights_sha256 = loaded.ref, loaded.revision, loaded.weights_sha256
        self.input_size, self.own_size = loaded.input_size, loaded.own_size or loaded.input_size
        self.labels, self.labels_assumed = loaded.labels, loaded.labels_assumed
        self.sigma_range, self.notes = loaded.sigma_range, loaded.notes
        self.eval().requires_grad_(False)


class Classifier(NamedNetwork):
    """A classifier with its name. Resizing and normalisation happen inside."""

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) pixels in [0, 1] -> (B, C) logits."""
        return self.network(pixels)


class Denoiser(NamedNetwork):
    """A denoiser with its name."""

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) pixels and sigma -> (B, 3, H, W)."""
        return self.network(noisy, sigma)


class Scaled(nn.Module):
    """A classifier that takes pictures of any size and brings them to its own first, differentiably.

    Args:
        network: the classifier.
        size: (height, width) that it works at.
    """

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        if pixels.shape[-2:] != self.size:
            pixels = F.interpolate(pixels, size=self.size, mode="bilinear", align_corners=False, antialias=True)
        return self.network(pixels)


class InBfloat16(nn.Module):
    """A network whose convolutions and matrix products are computed in bfloat16; pixels go in and come out in float32.

    Rounding makes another network of it, which is then what is certified: nothing is claimed of the float32 one. Where
    the device knows the format (most GPUs, newer CPUs) it is several times faster.

    Args:
        network: a classifier or a denoiser.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor, *rest: Any) -> Tensor:
        """As the network's own."""
        with torch.autocast(pixels.device.type, torch.bfloat16):
            return self.network(pixels, *rest).float()
