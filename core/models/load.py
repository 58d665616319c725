"""Classifiers and denoisers by reference."""

from __future__ import annotations

from torch import Tensor, nn

from core.errors import LabError
from core.models.classical import ClassicalDenoiser
from core.models.references import Reference, model_folder, parse_reference
from core.models.storage import ModelConfig, read_model, weights_hash


class Classifier(nn.Module):
    """A classifier with its name: (B, 3, H, W) pixels in [0, 1] -> (B, C) logits. Normalisation happens inside.

    Attributes:
        ref: the reference it was loaded by.
        revision: sha256 of its weights.
        labels: class names.
        input_size: (height, width) that a picture is brought to, before the noise.
    """

    def __init__(self, network: nn.Module, config: ModelConfig, ref: str, revision: str) -> None:
        super().__init__()
        self.network, self.config, self.ref, self.revision = network, config, ref, revision
        self.labels, self.input_size = config.labels, config.input_size

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        return self.network(pixels)


class Denoiser(nn.Module):
    """A denoiser with its name: ``(noisy, sigma)`` -> denoised, both (B, 3, H, W).

    Attributes:
        ref: the reference it was loaded by.
        revision: sha256 of its weights.
        sigma_range: least and greatest sigma it was trained for.
    """

    def __init__(self, network: nn.Module, config: ModelConfig, ref: str, revision: str) -> None:
        super().__init__()
        self.network, self.config, self.ref, self.revision = network, config, ref, revision
        self.sigma_range = config.sigma_range

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) and sigma -> (B, 3, H, W)."""
        return self.network(noisy, sigma)


def load_classifier(reference: str) -> Classifier:
    """Load a classifier by reference, ``bundled/NAME`` or ``local/PATH``, in evaluation mode on the CPU.

    Raises:
        LabError: where the reference is unknown, names a denoiser, or its files are damaged.
    """
    network, config, ref, revision = _read(parse_reference(reference), "classifier")
    return Classifier(network, config, str(ref), revision).eval().requires_grad_(False)


def load_denoiser(reference: str) -> Denoiser | ClassicalDenoiser | None:
    """Load a denoiser by reference: ``bundled/NAME``, ``local/PATH``, ``classical/NAME``, or ``none`` (which gives None).

    Raises:
        LabError: where the reference is unknown, names a classifier, or its files are damaged.
    """
    parsed = parse_reference(reference)
    if parsed.kind == "none":
        return None
    if parsed.kind == "classical":
        return ClassicalDenoiser(parsed.name)
    network, config, ref, revision = _read(parsed, "denoiser")
    return Denoiser(network, config, str(ref), revision).eval().requires_grad_(False)


def _read(parsed: Reference, kind: str) -> tuple[nn.Module, ModelConfig, Reference, str]:
    if parsed.kind not in ("bundled", "local"):
        raise LabError(f"{str(parsed)!r} is no {kind}: expected bundled/NAME or local/PATH.")
    folder = model_folder(parsed)
    network, config = read_model(folder)
    if config.kind != kind:
        raise LabError(f"{str(parsed)!r} is a {config.kind}, but a {kind} is needed: 'python -m core models' lists both.")
    return network, config, parsed, weights_hash(folder)


def sigma_warning(denoiser: object, sigma: float) -> str | None:
    """A sentence where sigma lies outside what the denoiser was trained for; None where all is well."""
    span = getattr(denoiser, "sigma_range", None)
    if span is None or span[0] <= sigma <= span[1]:
        return None
    name = getattr(denoiser, "ref", type(denoiser).__name__)
    return f"{name} was trained for sigma {span[0]:g} to {span[1]:g}: at {sigma:g} it may do more harm than good."
