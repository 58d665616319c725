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
            votes = _vote(base, image, sigma, noise(start, stop))
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            if size == 1:
                raise LabError(
                    "One noisy copy does not fit in memory: use a smaller picture, model or another device."
                ) from error
            size = max(1, size // 2)
            del error
            _free_memory(image.device)
            continue
        start = stop
        if image.device.type == "cpu":  # where it has been computed by now: nothing is won by waiting
            yield _read(votes)
            continue
        if pending is not None:
            yield _read(pending)
        pending = votes
    if pending is not None:
        yield _read(pending)


@torch.inference_mode()
def _vote(base: BaseClassifier, image: Tensor, sigma: float, noise: Tensor) -> Tensor:
    """(classes + 1,) counts on the device; the last entry counts copies whose logits are not finite."""
    noisy = noisy_copies(image, sigma, noise)  # (B, C, H, W)
    logits = base.logits(noisy, sigma)  # (B, classes)
    classes = logits.shape[1]
    top = logits.argmax(dim=1).masked_fill(~logits.isfinite().all(dim=1), classes)
    return torch.bincount(top, minlength=classes + 1)


def _read(votes: Tensor) -> Tensor:
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


def _is_out_of_memory(error: BaseException) -> bool:
    # The CPU allocator, MPS and the CUDA libraries raise a plain RuntimeError, told apart by its text.
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return any(sign in text for sign in _OUT_OF_MEMORY)


def _free_memory(device: torch.device) -> None:
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
