"""A helper that classifies from a denoiser's coarsest features while it is trained, and is then thrown away."""

from __future__ import annotations

from torch import Tensor, nn

from core.errors import LabError
from core.models.networks import UNetDenoiser


class DeeplySupervised(nn.Module):
    """A denoiser with a helper: one linear layer on the greatest value of each of its coarsest features.

    Through a frozen classifier gradients reach a denoiser's depths late and faint. The helper asks those depths for the same
    answer directly (deep supervision: Lee et al. 2015, arXiv 1409.5185), and shapes nothing once it is gone: what is kept is
    the denoiser alone.

    Args:
        denoiser: a U-Net.
        classes: how many the classifier tells apart.

    Raises:
        LabError: where the denoiser has no coarsest features to ask.
    """

    def __init__(self, denoiser: nn.Module, classes: int) -> None:
        if not isinstance(denoiser, UNetDenoiser):
            raise LabError("A helper is for the architecture unet, whose coarsest level it asks: leave --helper out.")
        super().__init__()
        self.denoiser: UNetDenoiser = denoiser
        self.helper = nn.Linear(denoiser.coarsest, classes)

    def forward(
        self, noisy: Tensor, sigma: Tensor | float, ask: bool = False, denoise: bool = True
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Denoise; with ``ask``, (denoised (B, 3, H, W), logits (B, classes)); without ``denoise``, the latter alone."""
        if not denoise:
            return self._answer(self.denoiser.features(noisy, sigma))
        denoised, features = self.denoiser.with_features(noisy, sigma)
        return (denoised, self._answer(features)) if ask else denoised

    def _answer(self, features: Tensor) -> Tensor:
        return self.helper(features.amax(dim=(2, 3)))

    def keep_the_rest(self) -> None:
        """Let only the layers that the helper's answer goes through be trained."""
        self.denoiser.requires_grad_(False)
        for layer in self.denoiser.encoder():
            layer.requires_grad_(True)
