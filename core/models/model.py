"""Networks that know their names: what ``load_classifier`` and ``load_denoiser`` return."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from core.models.formats.loaded import LoadedNetwork


class NamedNetwork(nn.Module):
    """A network in evaluation mode, without gradients to its weights, and where it came from.

    Attributes:
        ref: the reference it was loaded by, without a revision.
        revision: commit hash on the Hub; elsewhere the sha256 of the weights.
        weights_sha256: of the weights file; where there are several, of the list of their names and hashes. None where the
            format names no file.
        source: the library or format, for people.
        architecture: its name in that library.
        input_size: (height, width) that a picture is brought to, before the noise; None where any will do.
        own_size: (height, width) that the network itself works at.
        notes: a sentence for each thing the user should know about the loading.
    """

    def __init__(self, loaded: LoadedNetwork, ref: str, revision: str | None, weights_sha256: str | None) -> None:
        super().__init__()
        self.network, self.ref, self.revision, self.weights_sha256 = loaded.network, ref, revision, weights_sha256
        self.source, self.architecture = loaded.source, loaded.architecture
        self.input_size, self.own_size = loaded.input_size, loaded.own_size or loaded.input_size
        self.notes = loaded.notes
        self.eval().requires_grad_(False)


class Classifier(NamedNetwork):
    """A classifier with its name: (B, 3, H, W) pixels in [0, 1] -> (B, C) logits. Resizing and normalisation happen inside.

    Attributes:
        labels: class names, or None where nothing names them.
        labels_assumed: the data set whose known names stand in for missing ones; None where the names are the model's own.
        sigma_range: least and greatest sigma of the noise it was trained with; None where there was none, or unknown.
    """

    def __init__(self, loaded: LoadedNetwork, ref: str, revision: str | None, weights_sha256: str | None = None) -> None:
        super().__init__(loaded, ref, revision, weights_sha256)
        self.labels, self.labels_assumed = loaded.labels, loaded.labels_assumed
        self.sigma_range = loaded.sigma_range

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C)."""
        return self.network(pixels)


class Denoiser(NamedNetwork):
    """A denoiser with its name: ``(noisy, sigma)`` -> denoised, both (B, 3, H, W).

    Attributes:
        sigma_range: least and greatest sigma it was trained for; None where unknown.
    """

    def __init__(self, loaded: LoadedNetwork, ref: str, revision: str | None, weights_sha256: str | None = None) -> None:
        super().__init__(loaded, ref, revision, weights_sha256)
        self.sigma_range = loaded.sigma_range

    def forward(self, noisy: Tensor, sigma: Tensor | float) -> Tensor:
        """(B, 3, H, W) and sigma -> (B, 3, H, W)."""
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
