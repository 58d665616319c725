"""The engine of a Ray cluster, a running one by address or one started on this machine; and its workers, an actor each."""

import contextlib
import os
import pickle
import re
import socket
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from types import TracebackType
from typing import Any, Self

from core.device import DEVICES
from core.errors import LabError
from core.evaluation.engines.dispatch import Dispatcher, Event, OnNotice
from core.evaluation.evaluate import Evaluated, EvaluationTask, Piece, WorkerSetup

REACH_SECONDS = 15.0
JOIN_SECONDS = 120.0
STORE_BYTES = 200_000_000
"""Of the memory that processes share on a cluster started here: pieces of work are small."""

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")


class RayEngine:
    """A Ray cluster; each worker is an actor with a CPU of its own, and a GPU where the device is ``cuda``.

    ``address``: ``HOST:PORT`` of a running cluster; ``auto`` for the one that runs on this machine, or that RAY_ADDRESS names;
    None to start one on this machine, which ends with the engine. ``workers``: None for as many as it has GPUs, or CPUs.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        if address is not None and address != "auto":
            _host_and_port(address)
        self._address, self._workers = address, workers
        self._began = False
        self.dispatcher: Dispatcher | None = None

    def __enter__(self) -> Self:
        self._ray = _ray()
        if not self._ray.is_initialized():  # a program that uses Ray itself may have joined a cluster before
            self._join()
            self._began = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._began:
            self._began = False
            self._ray.shutdown()

    def device(self, name: str) -> str:
        """``cuda`` or ``cpu``: what the cluster's workers compute on. Raises LabError where it has no such device."""
        if name in ("auto", "cpu"):
            return "cuda" if name == "auto" and self._there("GPU") else "cpu"
        if name != "cuda":
            known = name.partition(":")[0] in DEVICES
            raise LabError(
                f"{'Ray gives each worker a device of its own, and this is' if known else 'Unknown device'} {name!r}:"
                " use auto, cuda or cpu with the engine ray."
            )
        if not self._there("GPU"):
            raise LabError("The Ray cluster has no GPU: use --device cpu, or a cluster with GPUs.")
        return "cuda"

    def run(
        self,
        task: EvaluationTask,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        on_notice: OnNotice = lambda sentence: None,
    ) -> Iterator[Evaluated]:
        """As :meth:`core.evaluation.engines.Engine.run`."""
        setup = task.setup("Ray's workers", "use the engine local")
        gpus = int(task.device == "cuda")
        what, there = ("GPU", self._there("GPU")) if gpus else ("CPU", self._there("CPU"))
        if not there or (self._workers or 1) > there:
            raise LabError(f"The Ray cluster has {there} {what}s for {self._workers or 1} workers: ask for at most those.")
        if not len(task.data):
            return
        actors = Actors(self._ray, setup, task.device, gpus)
        self.dispatcher = Dispatcher(task, actors, self._workers or there, on_notice)
        yield from self.dispatcher.run(should_stop)

    def _there(self, what: str) -> int:
        return int(self._ray.cluster_resources().get(what, 0))

    def _join(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        quiet = {"log_to_driver": False, "logging_level": "ERROR", "include_dashboard": False}
        if self._address is None:
            cpus = self._workers or os.cpu_count() or 1
            here = {"num_cpus": cpus, "object_store_memory": STORE_BYTES, "_node_ip_address": "127.0.0.1"}
            # In this very thread: the processes that it starts end with the thread that started them.
            try:
                self._ray.init(address="local", **here, **quiet)
            except (RuntimeError, OSError, ValueError) as error:
                raise LabError(f"Starting Ray on this machine failed: {_reason(error)}.") from error
            return
        named = os.environ.get("RAY_ADDRESS", "") if self._address == "auto" else self._address
        if _ADDRESS.fullmatch(named):
            _reach(named)
        del quiet["include_dashboard"]
        self._init_within(JOIN_SECONDS, address=self._address, **quiet)

    def _init_within(self, seconds: float, **options: Any) -> None:
        """``ray.init``, which tries for many minutes where the other side is not Ray."""
        failed: list[BaseException] = []

        def begin() -> None:
            try:
                self._ray.init(**options)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=begin, daemon=True)
        thread.start()
        thread.join(seconds)
        where = f"the Ray cluster {options['address']!r}"
        if thread.is_alive():
            raise LabError(f"Joining {where} took more than {seconds:.0f} s: is it a Ray cluster of this version, and healthy?")
        if failed:
            raise LabError(f"Joining {where} failed: {_reason(failed[0])}.") from failed[0]


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError as error:
        raise LabError(
            "The engine ray needs Ray: install it with 'pip install -r requirements-ray.txt', or use --engine local."
        ) from error


def _host_and_port(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    if not found or not 1 <= int(found[2]) <= 65_535:
        raise LabError(f"--ray-address is {address!r}: expected HOST:PORT, such as 10.0.0.5:6379, or auto.")
    return found[1].strip("[]"), int(found[2])


def _reach(address: str) -> None:
    """See that somebody listens there, since Ray itself tries for many minutes."""
    try:
        socket.create_connection(_host_and_port(address), REACH_SECONDS).close()
    except OSError as error:
        raise LabError(
            f"No Ray cluster can be reached at {address} ({error.strerror or error}): is it running, and is this its --port?"
        ) from error


def _reason(error: BaseException) -> str:
    """What went wrong in one sentence, out of Ray's pages."""
    chain: list[str] = []
    link: BaseException | None = error
    while link is not None:
        chain.append(str(link))
        link = link.__cause__ or link.__context__
    text = "\n".join(chain)
    if "AuthenticationError" in text or "Unauthenticated" in text or "auth_token" in text:
        return "it asks for a token, or for another: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH as Ray's manual says"
    if "ersion mismatch" in text:
        return "it runs another version of Ray or of Python than this process: use the same"
    if "Could not find any running Ray instance" in text:
        return "none runs on this machine, and RAY_ADDRESS names none; start one with 'ray start --head', or name HOST:PORT"
    lines = [line.strip() for line in chain[0].splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).removesuffix(".")


def certifier_class() -> type:
    """The class of the actors.

    It is made in a function so that Ray sends its code, not the name of its module: a node without the Lab can then say so.
    For the same reason it takes bytes, and imports within its methods.
    """

    class Certifier:
        def __init__(self) -> None:
            self._stopped = False

        def load(self, setup: bytes, versions: dict[str, str], device: str) -> tuple[str, Any]:
            """Load the models: ``("ready", its name)``, or ``("mistake" | "fault", text)``."""
            import os
            import pickle
            import socket
            import traceback

            try:
                from core.errors import LabError
                from core.evaluation.evaluate import Worker, check_versions
                from core.versions import versions as versions_here
            except ImportError as error:
                sentence = (
                    f"The Ray worker on {socket.gethostname()} cannot import the Lab ({error}): install the same version"
                    " of it on every node, or run 'ray start' in its folder with PYTHONPATH=. set."
                )
                return "mistake", sentence
            try:
                check_versions(versions, versions_here())  # before anything is unpickled that versions may pickle differently
                self._worker = Worker(pickle.loads(setup), device, 1 if device == "cpu" else None)
            except LabError as error:
                return "mistake", f"{socket.gethostname()}: {error}"
            except Exception:
                return "fault", traceback.format_exc()
            return "ready", f"process {os.getpid()} on {socket.gethostname()}"

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
    """A crew (see :class:`core.evaluation.engines.dispatch.Crew`) of Ray actors, so many GPUs for each."""

    def __init__(self, ray: Any, setup: WorkerSetup, device: str, gpus: int) -> None:
        # Pickled here: the versions are compared before anything is unpickled that versions may pickle differently.
        self._ray, self._arguments = ray, (pickle.dumps(setup), setup.versions, device)
        # Two threads: one certifies while the other hears that it should stop.
        self._class = ray.remote(certifier_class()).options(
            num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0, max_concurrency=2, scheduling_strategy="SPREAD"
        )
        self._live: dict[int, Any] = {}
        self._expected: dict[Any, int] = {}  # references that are awaited, and streams of them
        self._started = 0

    def start_worker(self) -> int:
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
            return Event(worker, "idle")
        try:
            kind, what = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            return Event(worker, "fault", str(error))
        except self._ray.exceptions.RayError as error:
            del self._expected[awaited]
            del self._live[worker]
            text = str(error).strip() or type(error).__name__
            return Event(worker, "lost", text.splitlines()[0].removesuffix("."))
        if not is_stream:
            del self._expected[awaited]
        return Event(worker, kind, what)
