"""Loaded models, shared by everyone in the process: at most so many, and at most so many bytes."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from core.errors import LabError
from core.models.hub.access import DownloadStoppedError
from core.models.hub.download import ProgressListener
from core.models.load import load_classifier, load_denoiser
from core.models.references import parse_reference

MAX_MODELS = 8
MAX_BYTES = 8_000_000_000


@dataclass(frozen=True)
class _Key:
    kind: str
    reference: str
    size: tuple[int, int] | None
    device: str


class ModelCache:
    """Loads each (kind, reference, size, device) once, however many ask at the same time, and forgets the least recently used.
    Modules are never changed after loading, so they may be used by several threads at once. One that is forgotten while
    somebody still works with it lives on until that work is done. At most ``max_models`` are kept, of at most ``max_bytes`` of
    weights together; a single larger one is kept alone."""

    def __init__(self, max_models: int = MAX_MODELS, max_bytes: int = MAX_BYTES) -> None:
        self._max_models, self._max_bytes = max_models, max_bytes
        self._lock = threading.Lock()
        self._loading: dict[_Key, Future[Any]] = {}
        self._models: OrderedDict[_Key, Any] = OrderedDict()

    def classifier(
        self,
        reference: str,
        device: torch.device,
        *,
        size: tuple[int, int] | None = None,
        on_progress: ProgressListener | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Any:
        """A classifier on the device. Raises LabError as :func:`core.load_classifier`."""
        key = _Key("classifier", str(parse_reference(reference)), size, str(device))
        load = partial(load_classifier, key.reference, size=size, on_progress=on_progress, should_stop=should_stop)
        return self._get(key, load, should_stop)

    def denoiser(
        self,
        reference: str,
        device: torch.device,
        *,
        on_progress: ProgressListener | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Any:
        """A denoiser on the device, or None for ``none``. Raises LabError as :func:`core.load_denoiser`."""
        key = _Key("denoiser", str(parse_reference(reference)), None, str(device))
        load = partial(load_denoiser, key.reference, on_progress=on_progress, should_stop=should_stop)
        return None if key.reference == "none" else self._get(key, load, should_stop)

    def forget(self, reference: str) -> int:
        """Let go of a model in every revision, size and place, after the loads of it that are under way; give how many."""
        parsed = parse_reference(reference)

        def is_meant(key: _Key) -> bool:
            other = parse_reference(key.reference)
            return (other.kind, other.name) == (parsed.kind, parsed.name)

        while True:
            with self._lock:
                waiting = [loading for key, loading in self._loading.items() if is_meant(key)]
                if not waiting:
                    gone = {key: self._models.pop(key) for key in list(self._models) if is_meant(key)}
                    break
            wait(waiting)
        count = len(gone)
        self._free(gone)
        return count

    @property
    def references(self) -> list[str]:
        """What is loaded, the least recently used first."""
        with self._lock:
            return [key.reference for key in self._models]

    @property
    def bytes(self) -> int:
        """What the weights of all loaded models take."""
        with self._lock:
            return sum(map(_size, self._models.values()))

    def _get(self, key: _Key, load: Callable[[], Any], should_stop: Callable[[], bool] | None) -> Any:
        while True:
            with self._lock:
                if key in self._models:
                    self._models.move_to_end(key)
                    return self._models[key]
                first = key not in self._loading
                loading = self._loading.setdefault(key, Future())
            if first:
                return self._load(key, load, loading)
            while not wait([loading], 0.1).done:
                if should_stop is not None and should_stop():
                    raise DownloadStoppedError(f"The wait for {key.reference!r}, which is being loaded, was stopped.")
            error = loading.exception()
            if error is None:
                return loading.result()
            # Whoever loaded it gave up: that is not our will, so the next one tries.
            if not isinstance(error, DownloadStoppedError | KeyboardInterrupt):
                # A fresh exception for each: a shared one would gather the tracebacks of all.
                raise (LabError(str(error)) if isinstance(error, LabError) else error) from error

    def _load(self, key: _Key, load: Callable[[], Any], loading: Future[Any]) -> Any:
        gone: dict[_Key, Any] = {}
        try:
            model = load()
            if isinstance(model, torch.nn.Module):
                model = self._move(model, key.device)
            with self._lock:
                self._models[key] = model
                gone = self._crowded()
                self._loading.pop(key)
            loading.set_result(model)
        except BaseException as error:
            with self._lock:
                self._loading.pop(key, None)
            loading.set_exception(error)
            raise
        self._free(gone)
        return model

    def _move(self, model: torch.nn.Module, device: str) -> torch.nn.Module:
        try:
            return model.to(device)
        except torch.OutOfMemoryError:
            # Room for this one is worth more than those that nobody uses at the moment.
            with self._lock:
                gone = {key: self._models.pop(key) for key in list(self._models) if key.device == device}
            self._free(gone)
            return model.to(device)

    def _crowded(self) -> dict[_Key, Any]:
        """Take out the least recently used until the rest is within both limits; the newest stays in any case."""
        gone, total = {}, sum(map(_size, self._models.values()))
        while len(self._models) > 1 and (len(self._models) > self._max_models or total > self._max_bytes):
            key, model = self._models.popitem(last=False)
            total -= _size(model)
            gone[key] = model
        return gone

    def _free(self, gone: dict[_Key, Any]) -> None:
        """Give memory back, on the graphics card too: it keeps what was freed until it is told."""
        devices = {torch.device(key.device).type for key in gone}
        gone.clear()
        if devices:
            gc.collect()
        if "cuda" in devices:
            torch.cuda.empty_cache()


def _size(model: Any) -> int:
    if not isinstance(model, torch.nn.Module):
        return 0
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
