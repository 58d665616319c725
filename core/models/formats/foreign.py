"""Importing libraries of strangers, and keeping them quiet.

Registry wheels of torchvision are built against CUDA. Beside a CPU build of torch their operators cannot be loaded, and
``import torchvision`` fails when it describes one that is not there (pytorch/vision issues 9077 and 9085). Models and
transforms use none of them: declaring the two is enough.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

_lock = threading.Lock()
_declared: list[torch.library.Library] = []


def import_library(name: str) -> ModuleType:
    """Import torchvision, timm, transformers, diffusers or deepinv (or a module of theirs) where it is needed.

    Raises:
        ModuleNotFoundError: where it is not installed.
    """
    with _lock:
        if not _declared and not hasattr(torch.ops.torchvision, "nms"):
            _declare_missing()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strangers' imports: nothing that a user of the Lab could act on
            return import_module(name)


@contextmanager
def quiet(library: Any) -> Iterator[None]:
    """Without the reports and progress bars of transformers or diffusers, which would go to the user's terminal."""
    logging = library.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _declare_missing() -> None:
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return
    compiled = list(Path(found.origin).parent.glob("_C*.so")) + list(Path(found.origin).parent.glob("_C*.pyd"))
    try:
        for path in compiled:
            torch.ops.load_library(str(path))
    except OSError:
        compiled = []
    if not compiled:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(library)  # kept: the declaration goes when the object does
