"""The workers of a Ray cluster: one actor each, which streams back image after image."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator
from typing import Any

from core.evaluation.engines.dispatch import Event, Fault, Finished, Idle, Lost, Mistake, Ready
from core.evaluation.engines.work import Piece


def certifier_class() -> type:
    """The class of the actors.

    It is made in a function so that Ray sends its code, not the name of its module: a node without the Lab can then say so.
    For the same reason it takes bytes, and imports within its methods.
    """

    class Certifier:
        def __init__(self) -> None:
            self._stopped = False

        def load(self, recipe: bytes, versions: dict[str, str], device: str) -> tuple[str, Any]:
            """Load the models: ``("ready", (process number, host))``, or ``("mistake" | "fault", text)``."""
            import os
            import pickle
            import socket
            import traceback

            try:
                import torch

                from core.errors import LabError
                from core.evaluation.engines.worker import Worker, check_versions
                from core.versions import versions as versions_here
            except ImportError as error:
                sentence = (
                    f"The Ray worker on {socket.gethostname()} cannot import the Lab ({error}): install the same version"
                    " of it on every node, or run 'ray start' in its folder with PYTHONPATH=. set."
                )
                return "mistake", sentence
            try:
                check_versions(versions, versions_here())  # before anything is unpickled that versions may pickle differently
                if device == "cpu":
                    torch.set_num_threads(1)
                self._worker = Worker(pickle.loads(recipe), device)
            except LabError as error:
                return "mistake", f"{socket.gethostname()}: {error}"
            except Exception:
                return "fault", traceback.format_exc()
            return "ready", (os.getpid(), socket.gethostname())

        def certify(self, piece: bytes) -> Iterator[tuple[str, Any]]:
            """Yield ``("finished", Evaluated)`` for image after image; a mistake or fault ends it."""
            import pickle
            import traceback

            from core.errors import LabError

            try:
                for evaluated in self._worker.certify(pickle.loads(piece), lambda: self._stopped):
                    yield "finished", evaluated
            except LabError as error:
                yield "mistake", str(error)
            except Exception:
                yield "fault", traceback.format_exc()

        def stop(self) -> None:
            """Have what is under way end after its batch."""
            self._stopped = True

    return Certifier


class Actors:
    """A crew (see :class:`core.evaluation.engines.dispatch.Crew`) of Ray actors.

    Args:
        ray: the module.
        recipe, versions: what a worker is told, pickled; and the versions it must have.
        device: ``cuda`` or ``cpu``.
        gpus: for each worker.
    """

    def __init__(self, ray: Any, recipe: bytes, versions: dict[str, str], device: str, gpus: int) -> None:
        self._ray, self._arguments = ray, (recipe, versions, device)
        # Two threads: one certifies while the other hears that it should stop.
        self._class = ray.remote(certifier_class()).options(
            num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0, max_concurrency=2, scheduling_strategy="SPREAD"
        )
        self._live: dict[int, Any] = {}
        self._expected: dict[Any, int] = {}  # references that are awaited, and streams of them
        self._started = 0

    def start(self) -> int:
        actor = self._class.remote()
        self._started += 1
        self._live[self._started] = actor
        self._expected[actor.load.remote(*self._arguments)] = self._started
        return self._started

    def give(self, worker: int, piece: Piece) -> None:
        stream = self._live[worker].certify.options(num_returns="streaming").remote(pickle.dumps(piece))
        self._expected[stream] = worker

    def events(self, seconds: float) -> list[Event]:
        awaited = list(self._expected)
        ready, _ = self._ray.wait(awaited, num_returns=1, timeout=seconds)
        if ready and len(awaited) > 1:  # others that are ready, too, so that none waits for the first
            ready, _ = self._ray.wait(awaited, num_returns=len(awaited), timeout=0)
        return [self._event(one) for one in ready]

    def stop(self) -> None:
        for actor in self._live.values():
            actor.stop.remote()

    def close(self) -> None:
        for actor in self._live.values():
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(actor)
        self._live, self._expected = {}, {}

    def _event(self, awaited: Any) -> Event:
        worker = self._expected[awaited]
        is_stream = not isinstance(awaited, self._ray.ObjectRef)
        try:
            reference = next(awaited) if is_stream else awaited
        except StopIteration:
            del self._expected[awaited]
            return Idle(worker)
        try:
            kind, what = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return Fault(str(error))
        except self._ray.exceptions.RayError as error:
            del self._expected[awaited]
            del self._live[worker]
            text = str(error).strip() or type(error).__name__
            return Lost(worker, text.splitlines()[0].removesuffix("."))
        if not is_stream:
            del self._expected[awaited]
        if kind == "finished":
            return Finished(worker, what)
        if kind == "ready":
            process, host = what
            return Ready(worker, f"process {process} on {host}")
        return Mistake(what) if kind == "mistake" else Fault(what)
