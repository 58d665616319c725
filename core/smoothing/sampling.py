"""The base classifier, checked at every call, and how much of it a device holds at once."""

import gc
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.engines.programs import EAGERLY, Program
from core.errors import LabError

ClassifierLike = Callable[[Tensor], Tensor]
"""(B, 3, H, W) pixels -> (B, C) logits."""

ALONE = 1e-4
"""Part of the greatest logit by which answers may differ: far more than rounding, far less than statistics of a batch."""

DenoiserLike = Callable[[Tensor, float], Tensor]
"""((B, 3, H, W) noisy pixels, sigma) -> (B, 3, H, W)."""


@dataclass(frozen=True)
class BaseClassifier:
    """The classifier behind the denoiser, checked at every call: what smoothing votes with, by this program."""

    classifier: ClassifierLike
    denoiser: DenoiserLike | None
    program: Program = EAGERLY

    def denoise(self, noisy: Tensor, sigma: float) -> Tensor:
        """Denoise (B, C, H, W); the same tensor where there is no denoiser."""
        if self.denoiser is None:
            return noisy
        out = self.program.call(self.denoiser, noisy, sigma)
        if not isinstance(out, Tensor) or out.shape != noisy.shape:
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise LabError(f"The denoiser returned {got} for a batch of {tuple(noisy.shape)}: expected the same shape.")
        return out

    def logits(self, noisy: Tensor, sigma: float) -> Tensor:
        """(B, C, H, W) noisy pixels -> (B, classes) logits."""
        run = self.program.run
        out = self.program.call(self.classifier, self.denoise(noisy, sigma)) if run is None else run(noisy)
        if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(noisy):
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise LabError(f"The classifier returned {got} for {len(noisy)} pictures: expected ({len(noisy)}, classes).")
        if out.shape[1] < 2:
            raise LabError("The classifier returned one class: at least two are needed for a vote.")
        return out


@torch.inference_mode()
def classify(base: BaseClassifier, noisy: Tensor, sigma: float) -> tuple[Tensor, int]:
    """(B, C, H, W) noisy copies -> the class of each, (B,) on the device, and the number of classes.

    That number itself stands for the class of a copy whose logits are not finite.
    """
    logits = base.logits(noisy, sigma)  # (B, classes)
    classes = logits.shape[1]
    return logits.argmax(dim=1).masked_fill(~logits.isfinite().all(dim=1), classes), classes


@torch.inference_mode()
def check_alone(base: BaseClassifier, copies: Tensor, sigma: float) -> None:
    """See that the answer to one of (B, C, H, W) noisy copies, 2 or more, is the same whatever else is in its batch.

    It is classified among the others, and among copies of itself: in batches of one shape, so that they round alike.

    Raises:
        LabError: where the answers differ, since votes that depend on each other are no binomial sample.
    """
    batches = copies, copies[-1:].repeat(len(copies), 1, 1, 1)  # both made before a network may write into one
    among, alone = (base.logits(batch, sigma)[-1].double() for batch in batches)
    apart = float((among - alone).abs().max())
    if math.isfinite(apart) and apart > ALONE * float(among.abs().max()):  # infinity and NaN are told when votes are counted
        raise LabError(
            "The classifier, or the denoiser before it, answers the same noisy copy otherwise when others are in its batch"
            f" (logits differ by {apart:.2g}), so its votes depend on each other and certify nothing: call .eval() on it, and"
            " give batch normalisation running statistics."
        )


def finite_votes(votes: Tensor) -> Tensor:
    """(classes + 1,) counts, the last of copies whose logits are not finite -> (classes,) counts on the CPU.

    Raises:
        LabError: where there are such copies.
    """
    counts = votes.cpu()
    if int(counts[-1]):
        raise LabError(
            f"{int(counts[-1])} of {int(counts.sum())} noisy copies got logits that are NaN or infinite:"
            " the classifier or the denoiser is damaged, or not made for this noise."
        )
    return counts[:-1]


def default_batch_size(image: Tensor) -> int:
    """Copies at once: a tenth to a quarter of a second of work on a CPU, enough to fill a GPU."""
    pixels = image.shape[-2] * image.shape[-1]
    if image.device.type == "cpu":
        return max(2, min(8, 2**19 // pixels), min(64, 2**16 // pixels))  # photographs go by eights, much larger ones by twos
    return max(16, min(2048, 2**24 // pixels))


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "_status_alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch says that memory ran out."""
    # The CPU allocator, MPS and the CUDA libraries raise a plain RuntimeError, told apart by its text.
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return any(sign in text for sign in _OUT_OF_MEMORY)


def free_memory(device: torch.device) -> None:
    """Give what is no longer used back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def ready(model: object, device: torch.device, what: str) -> None:
    """Move a module to the device and see that it is in evaluation mode; any other callable is left alone.

    Raises:
        LabError: where a module is in training mode, in which a prediction depends on the rest of its batch.
    """
    if isinstance(model, nn.Module):
        if any(part.training for part in model.modules()):
            raise LabError(
                f"The {what}, or a layer of it, is in training mode:"
                " call .eval() on it first, or its votes depend on each other."
            )
        model.to(device)
