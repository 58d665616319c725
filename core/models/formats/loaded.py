"""What every reader of a model format returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn


@dataclass(frozen=True)
class LoadedNetwork:
    """A network behind one of the Lab's two signatures, whatever library it was made with.

    Attributes:
        network: in evaluation mode, on the CPU. A classifier takes (B, 3, H, W) pixels in [0, 1] (noise may overshoot)
            at ``input_size`` and returns (B, C) logits; resizing and normalisation happen inside and are differentiable.
            A denoiser takes ``(noisy, sigma)`` in the same units and returns the same shape.
        source: the library or format, for people: ``timm``, ``transformers``, ``diffusers``, ``deepinv``, ``the Lab``, ...
        architecture: its name in that library.
        input_size: (height, width) at which the noise is added; None where any size will do (denoisers).
        own_size: (height, width) that the network itself works at; larger than ``input_size`` where it scales up inside.
        labels: class names (classifiers), or None where nothing names them.
        labels_assumed: the data set whose known names stand in for missing ones, such as ``CIFAR-10``; None where the
            names are the model's own.
        sigma_range: least and greatest sigma, in [0, 1] units, that a denoiser was trained for; None where unknown.
        notes: a sentence for each thing that was assumed, contradicted itself or was put right on the way, for the user.
        weights: the files the weights came from, which a hash of the model covers.
    """

    network: nn.Module
    source: str
    architecture: str
    input_size: tuple[int, int] | None
    own_size: tuple[int, int] | None = None
    labels: tuple[str, ...] | None = None
    labels_assumed: str | None = None
    sigma_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    weights: tuple[str, ...] = field(default=())
