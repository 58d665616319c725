"""The formats that models are published in, in the order in which they are asked whether a model is theirs."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from core.errors import LabError, first_line
from core.folders import ROOT
from core.models import storage
from core.models.formats import deepinv_models, diffusers_models, timm_models, torchvision_models, transformers_models
from core.models.formats.foreign import confined
from core.models.formats.limits import UnplannedError, unplanned
from core.models.formats.listing import SUFFIXES, Listing, Loadability, list_path, misfit
from core.models.network import LoadedNetwork


class ModelFormat(Protocol):
    """One format: a module that judges by the listing, names the files that loading takes, and reads them."""

    def verdict(self, listing: Listing, kind: str, /) -> Loadability | None:
        """Whether it can be loaded as ``kind`` (``classifier`` or ``denoiser``); None where it is of another format."""

    def wanted(self, listing: Listing, /) -> list[str]:
        """The files that loading takes, beside those that describe it. Raises LabError where that cannot be told."""

    def read(self, folder: Path, listing: Listing, size: tuple[int, int] | None, /) -> LoadedNetwork:
        """The network behind the Lab's signature, for noise and certificate at (height, width); None for what suits.
        Raises LabError where a setting cannot be used, or the files do not fit."""


FORMATS: tuple[ModelFormat, ...] = (
    storage,
    timm_models,
    transformers_models,
    diffusers_models,
    torchvision_models,  # any other classifier
    deepinv_models,  # any other denoiser
)


_MEMORY, _MEMORY_PER_BYTE, _SECONDS, _BYTES_A_SECOND = 2_000_000_000, 8, 60, 20_000_000
"""What a process may take that reads a model on trial; the libraries take the first gigabyte and seconds of it."""


def judge(listing: Listing, kind: str) -> Loadability:
    """Whether the Lab can load a model as ``kind``, ``classifier`` or ``denoiser``: no weights are read for it."""
    return _claim(listing, kind)[1]


def _format_of(listing: Listing, kind: str, ref: str, aside: str = "") -> ModelFormat:
    """The format of a model that can be loaded, as far as its listing tells; ``aside`` is what else a message should say.
    Raises LabError with the reason, where it cannot."""
    form, found = _claim(listing, kind)
    if found.loadable is False:
        raise _refused(ref, kind, f"{found.reason}{aside}")
    return form


def files_to_load(listing: Listing, kind: str, ref: str, aside: str = "") -> list[str]:
    """The files that loading takes, beside those that describe the model. Raises LabError where that cannot be told."""
    form = _format_of(listing, kind, ref, aside)
    try:
        return form.wanted(listing)
    except LabError as error:
        raise _refused(ref, kind, str(error)) from error


def _refused(ref: str, kind: str, why: str) -> LabError:
    """The one sentence for a model that is not loaded: readers say what is wrong with it, and not which it is."""
    return LabError(f"{ref!r} cannot be loaded as a {kind}: {why.rstrip('.')}. Choose another model, or mend its files.")


def _claim(listing: Listing, kind: str) -> tuple[ModelFormat, Loadability]:
    if wrong := misfit(listing.config):
        return FORMATS[0], Loadability(False, wrong)
    refused = listing.refusal()
    for form in FORMATS:
        found = form.verdict(listing, kind)
        if found is not None:
            return form, Loadability(False, refused) if refused else found
    raise ValueError(f"{kind!r} is no kind of model")


def read_network(
    path: Path, kind: str, *, ref: str | None = None, listing: Listing | None = None, size: tuple[int, int] | None = None
) -> LoadedNetwork:
    """Whatever lies in a folder (a Hub snapshot or any other), or a weights file, by the reader of its format.
    Raises LabError where the format is unknown, files are missing or damaged, or it is of another kind.
    ``ref``: its reference, for messages; by default local/PATH. ``listing``: what the Hub lists; by default what is there.
    ``size``: (height, width) for noise and certificate; None for what suits."""
    ref = ref or f"local/{path}"
    listing = listing or list_path(path)
    form, folder = _format_of(listing, kind, ref), path.parent if path.is_file() else path
    try:
        try:
            with confined(folder):
                return form.read(folder, listing, size)
        except UnplannedError:
            _read_apart(path, kind, ref=ref, listing=listing, size=size)
            with confined(folder), unplanned():
                return form.read(folder, listing, size)
    except MemoryError:
        raise
    except Exception as error:  # files of strangers: every library fails in its own way
        is_told = isinstance(error, LabError)
        if is_told and repr(ref) in str(error):
            raise
        why = str(error) if is_told else f"its files do not fit together ({first_line(error)})"
        raise _refused(ref, kind, why) from error


def _read_apart(path: Path, kind: str, ref: str, listing: Listing, size: tuple[int, int] | None) -> None:
    """Read a model in a process of its own, limited in memory and time, to see that it can be done.
    Raises LabError where it cannot, with the reason."""
    weights = sum(file.stat().st_size for file in _weights(path, listing))
    memory, seconds = _MEMORY + _MEMORY_PER_BYTE * weights, _SECONDS + weights / _BYTES_A_SECOND
    described = asdict(listing) | {"config": dict(listing.config)}
    asked = {"path": str(path), "kind": kind, "ref": ref, "listing": described, "size": size, "memory": memory}
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    # Each thread claims address space of its own.
    environment |= {"OMP_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "2", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", f"from {__name__} import answer_apart; answer_apart()"]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=seconds, env=environment, check=False
        )
        told = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        why = f"it takes over {memory / 1e9:.1f} GB of memory or {seconds:.0f} seconds"
        raise _refused(ref, kind, why) from error
    if told:
        raise LabError(told)


def _weights(path: Path, listing: Listing) -> list[Path]:
    folder = path.parent if path.is_file() else path
    return [folder / name for name in listing.names if name.endswith(SUFFIXES) and (folder / name).is_file()]


def answer_apart() -> None:
    """What :func:`_read_apart` starts: reads on stdin which model, and prints a sentence on what is wrong, or null."""
    asked = json.load(sys.stdin)
    described: Any = asked["listing"]
    described |= {name: tuple(described[name]) for name in ("names", "tags")}
    listing = Listing(**described)
    path, size = Path(asked["path"]), asked["size"] and tuple(asked["size"])
    try:
        import resource

        here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + asked["memory"],) * 2)
    except (ImportError, OSError, ValueError):  # not Linux: the time is limited alone
        pass
    told = None
    try:
        with unplanned():
            read_network(path, asked["kind"], ref=asked["ref"], listing=listing, size=size)
    except LabError as error:
        told = str(error)
    except MemoryError:
        told = str(_refused(asked["ref"], asked["kind"], f"it takes more than {asked['memory'] / 1e9:.1f} GB of memory"))
    print("", json.dumps(told), sep="\n")
