"""One input after the other in a process of its own, watched from outside: what came of it, how long it took, what it held."""

from __future__ import annotations

import multiprocessing
import re
import resource
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from core.errors import LabError
from tests.fuzz import folders, pictures, texts

SECONDS = 2.0
"""Of the processor, so that a busy machine is no fault."""
MEGABYTES = 300
LONGEST = 2_000
"""Characters of a sentence."""
GIVEN_UP = 60.0
_ADDRESS_SPACE = 3 * 2**30
"""Beyond what the process has when it is ready, so that a bomb harms nobody else."""
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


Use = Callable[[Any, Path], Iterator[str]]


@dataclass(frozen=True)
class Kind:
    """A kind of input: how one is made from a seed, and what the Lab does with it, which yields sentences for the user;
    whether some are tried before any counts, since imports, and what is read once, are no input's cost."""

    make: Callable[[Random], Any]
    use: Use
    warmed: bool = True


KINDS: dict[str, Kind] = {
    "pictures": Kind(pictures.make, pictures.use),
    "documents": Kind(texts.make_document, texts.use_document),
    "logs": Kind(texts.make_log, texts.use_log),
    "votes": Kind(texts.make_votes, texts.use_votes),
    "zips": Kind(folders.make_zip, folders.use_zip),
    "models": Kind(folders.make_model, folders.use_model),
    "endpoints": Kind(texts.make_endpoint, texts.use_endpoint),
}


@dataclass(frozen=True)
class Outcome:
    """What came of an input.

    Attributes:
        seed: ``KIND:NUMBER``, from which it can be made again.
        refused: whether it was a sentence instead of a value.
        seconds: of the processor.
        megabytes: how much more the process held at once than before.
        fault: what is wrong with that; None where nothing is.
    """

    seed: str
    refused: bool = False
    seconds: float = 0.0
    megabytes: float = 0.0
    fault: str | None = None


class Trials:
    """A process that tries inputs; it is started anew where one kills it or is not done with in time."""

    def __init__(self, kinds: dict[str, Kind] = KINDS) -> None:
        self._kinds = kinds
        self._process: multiprocessing.process.BaseProcess | None = None

    def __enter__(self) -> Trials:
        self._begin()
        return self

    def __exit__(self, *raised: object) -> None:
        self._end()

    def one(self, kind: str, number: int) -> Outcome:
        """Try the input of that seed."""
        seed = f"{kind}:{number}"
        if self._process is None:
            self._begin()
        self._pipe.send((kind, number))
        try:
            if self._pipe.poll(GIVEN_UP):
                found: Outcome = self._pipe.recv()
                return found
            fault = f"was not done with after {GIVEN_UP:.0f} s"
        except (EOFError, ConnectionError):
            fault = "ended the process"
        self._end()
        return Outcome(seed, fault=fault)

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._kinds), daemon=True)
        self._process.start()
        theirs.close()
        if self._pipe.recv() != "ready":
            raise RuntimeError("the process of the trials did not begin")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None


def _serve(pipe: Connection, kinds: dict[str, Kind]) -> None:
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        for name, kind in kinds.items():
            for number in range(-3 if kind.warmed else 0, 0):
                tried(kind, f"{name}:{number}", Path(place))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _MEASURED.exists() else 0
        resource.setrlimit(resource.RLIMIT_AS, (used + _ADDRESS_SPACE,) * 2)
        pipe.send("ready")
        while True:
            name, number = pipe.recv()
            pipe.send(tried(kinds[name], f"{name}:{number}", Path(place)))


def tried(kind: Kind, seed: str, place: Path) -> Outcome:
    """Make the input of a seed and use it, in this process."""
    made = kind.make(Random(seed))
    fault, refused = None, False
    before = _held(anew=True)
    begin = time.process_time()
    try:
        for sentence in kind.use(made, place):
            fault = fault or _amiss(sentence)
    except LabError as error:
        fault, refused = _amiss(str(error)), True
    except Exception:
        fault = f"raised\n{traceback.format_exc()}"
    seconds, megabytes = time.process_time() - begin, _held() - before
    if fault is None and seconds > SECONDS:
        fault = f"took {seconds:.1f} s"
    if fault is None and megabytes > MEGABYTES:
        fault = f"took {megabytes:.0f} MB"
    return Outcome(seed, refused, seconds, megabytes, fault)


def _amiss(sentence: str) -> str | None:
    if len(sentence) > LONGEST:
        return f"said {len(sentence):,} characters: {sentence[:300]!r}"
    return f"said {sentence!r}" if _UNSEEN.search(sentence) else None


_MEASURED = Path("/proc/self/clear_refs")
"""Linux counts the most memory a process held anew where 5 is written here; elsewhere it only ever grows."""


def _held(*, anew: bool = False) -> float:
    """The most memory, in MB, that the process held; ``anew`` counts from what it holds now on."""
    if not _MEASURED.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if anew:
        _MEASURED.write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**10
