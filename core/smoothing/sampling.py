"""Noise -> denoiser -> classifier -> class counts, in batches, on one device."""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.smoothing.noise import NoiseSource, noisy_copies

ClassifierLike = Callable[[Tensor], Tensor]
"""(B, 3, H, W) pixels -> (B, C) logits."""

DenoiserLike = Callable[[Tensor, float], Tensor]
"""((B, 3, H, W) noisy pixels, sigma) -> (B, 3, H, W)."""


@dataclass(frozen=True)
class BaseClassifier:
    """The classifier behind the denoiser, checked at every call: what smoothing votes with.

    Args:
        classifier: any callable of shape :data:`ClassifierLike`.
        denoiser: any callable of shape :data:`DenoiserLike`, or None.
    """

    classifier: ClassifierLike
    denoiser: DenoiserLike | None

    def denoise(self, noisy: Tensor, sigma: float) -> Tensor:
        """Denoise (B, C, H, W); the same tensor where there is no denoiser."""
        if self.denoiser is None:
            return noisy
        out = self.denoiser(noisy, sigma)
        if not isinstance(out, Tensor) or out.shape != noisy.shape:
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise LabError(f"The denoiser returned {got} for a batch of {tuple(noisy.shape)}: expected the same shape.")
        return out

    def logits(self, noisy: Tensor, sigma: float) -> Tensor:
        """(B, C, H, W) noisy pixels -> (B, classes) logits."""
        out = self.classifier(self.denoise(noisy, sigma))
        if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(noisy):
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise LabError(f"The classifier returned {got} for {len(noisy)} pictures: expected ({len(noisy)}, classes).")
        if out.shape[1] < 2:
            raise LabError("The classifier returned one class: at least two are needed for a vote.")
        return out


def count_votes(
    base: BaseClassifier,
    image: Tensor,
    sigma: float,
    noise: NoiseSource,
    n: int,
    *,
    batch_size: int | None = None,
    looks: Sequence[int] = (),
) -> Iterator[Tensor]:
    """Classify ``n`` noisy copies of one picture and yield the votes of each batch.

    Memory holds one batch whatever ``n`` is. Where a batch does not fit, it is halved and sampling goes on from the
    same sample number, so the votes stay what they would have been. On a GPU one batch is under way while the last is
    read, so that it does not wait.

    Args:
        base: denoiser and classifier.
        image: (C, H, W) pixels on the device that computes.
        sigma: standard deviation of the noise, in [0, 1] units.
        noise: where sample i comes from; in grey levels it comes with sigma in it.
        n: how many copies.
        batch_size: copies at once; by default what suits device and picture.
        looks: sample numbers, ascending, that no batch runs past, so that whoever looks there sees the same votes whatever
            the batch size is.

    Yields:
        (classes,) int64 counts on the CPU, one a batch.

    Raises:
        LabError: where networks return the wrong shape, NaN or infinity, or one copy does not fit in memory.
    """
    size = default_batch_size(image) if batch_size is None else batch_size
    if size < 1:
        raise LabError(f"batch_size is {size}: expected at least 1.")
    pending: Tensor | None = None
    start = 0
    while start < n:
        later = bisect_right(looks, start)
        stop = min(start + size, n, *looks[later : later + 1])
        try:
            votes = vote(base, noisy_copies(image, sigma, noise(start, stop)), sigma)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise LabError(
                    "One noisy copy does not fit in memory: use a smaller picture, model or another device."
                ) from error
            size = max(1, size // 2)
            del error
            free_memory(image.device)
            continue
        start = stop
        if image.device.type == "cpu":  # where it has been computed by now: nothing is won by waiting
            yield read_votes(votes)
            continue
        if pending is not None:
            yield read_votes(pending)
        pending = votes
    if pending is not None:
        yield read_votes(pending)


def vote(base: BaseClassifier, noisy: Tensor, sigma: float) -> Tensor:
    """(B, C, H, W) noisy copies -> (classes + 1,) counts on the device, as :func:`read_votes` takes them."""
    top, classes = classify(base, noisy, sigma)
    return torch.bincount(top, minlength=classes + 1)


@torch.inference_mode()
def classify(base: BaseClassifier, noisy: Tensor, sigma: float) -> tuple[Tensor, int]:
    """(B, C, H, W) noisy copies -> the class of each, (B,) on the device, and the number of classes.

    That number itself stands for the class of a copy whose logits are not finite.
    """
    logits = base.logits(noisy, sigma)  # (B, classes)
    classes = logits.shape[1]
    return logits.argmax(dim=1).masked_fill(~logits.isfinite().all(dim=1), classes), classes


def read_votes(votes: Tensor) -> Tensor:
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
    """Copies at once: about a tenth of a second of work on a CPU, enough to fill a GPU."""
    pixels = image.shape[-2] * image.shape[-1]
    if image.device.type == "cpu":
        return max(2, min(64, 64 * 32 * 32 // pixels))
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
