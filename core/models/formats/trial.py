"""One picture through a classifier that was just loaded, before anyone relies on what its files promise."""

from __future__ import annotations

import torch

from core.errors import LabError
from core.models.formats.loaded import LoadedNetwork


def tried(loaded: LoadedNetwork) -> LoadedNetwork:
    """The same classifier, after it gave one finite number a class for a picture.

    Raises:
        LabError: where it cannot take a picture of three colours at its size, or what it gives are no logits.
    """
    assert loaded.input_size is not None
    height, width = loaded.input_size
    picture = torch.linspace(0, 1, 3 * height * width).reshape(1, 3, height, width)
    try:
        with torch.inference_mode():
            logits = loaded.network(picture)
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, AttributeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise LabError(f"The model does not take a picture of 3 x {height} x {width}: {first[:200]}") from error
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or logits.shape[0] != 1 or logits.shape[1] < 2:
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise LabError(f"The model gives {shape} for one picture: expected one number a class, of at least two.")
    if not bool(logits.isfinite().all()):
        raise LabError("The model's outputs are not finite numbers: its weights are damaged.")
    if loaded.labels is not None and len(loaded.labels) != logits.shape[1]:
        raise LabError(f"The model gives {logits.shape[1]} numbers for its {len(loaded.labels)} classes: its files contradict.")
    return loaded
