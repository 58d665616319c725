"""Loaded models, shared by everyone in the process, at most so many."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from typing import Any

import torch

from core.models.load import load_classifier, load_denoiser

MAX_MODELS = 8


class ModelCache:
    """Loads each (kind, reference, device) once, however many ask at the same time, and forgets the least recently used.

    Modules are never changed after loading, so they may be used by several threads at once.
    """

    def __init__(self, max_models: int = MAX_MODELS) -> None:
        self._max = max_models
        self._lock = threading.Lock()
        self._loading: dict[tuple[str, str, str], threading.Lock] = {}
        self._models: OrderedDict[tuple[str, str, str], Any] = OrderedDict()

    def classifier(self, reference: str, device: torch.device) -> Any:
        """A classifier on the device. Raises LabError as :func:`core.load_classifier`."""
        return self._get(("classifier", reference, str(device)), device)

    def denoiser(self, reference: str, device: torch.device) -> Any:
        """A denoiser on the device, or None for ``none``. Raises LabError as :func:`core.load_denoiser`."""
        return self._get(("denoiser", reference, str(device)), device)

    def _get(self, key: tuple[str, str, str], device: torch.device) -> Any:
        with self._lock:
            if key in self._models:
                self._models.move_to_end(key)
                return self._models[key]
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            with self._lock:
                if key in self._models:
                    return self._models[key]
            model = (load_classifier if key[0] == "classifier" else load_denoiser)(key[1])
            if isinstance(model, torch.nn.Module):
                model = model.to(device)
            with self._lock:
                self._models[key] = model
                self._loading.pop(key, None)
                crowded = len(self._models) > self._max
                while len(self._models) > self._max:
                    self._models.popitem(last=False)
        if crowded and device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
        return model
