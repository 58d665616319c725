"""The engine of this machine: this process, or one process a device."""

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

import torch

from core.device import pick_device
from core.errors import LabError
from core.evaluation.engines.dispatch import Dispatcher, Event, OnNotice
from core.evaluation.evaluate import Evaluated, EvaluationTask, Piece, Worker, WorkerSetup, evaluate


class LocalEngine:
    """All devices of this machine: every CUDA device gets a process; on the CPU or MPS this process works alone.

    ``workers``: on the CPU, so many processes, each with its share of the cores; with CUDA, so many of its devices. None for
    one on the CPU and all devices with CUDA. ``dispatcher`` is that of the run under way with several of them.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers
        self.dispatcher: Dispatcher | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing outlives a run."""

    def device(self, name: str) -> str:
        """As :func:`core.device.pick_device`."""
        return str(pick_device(name))

    def run(
        self,
        task: EvaluationTask,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        on_notice: OnNotice = lambda sentence: None,
    ) -> Iterator[Evaluated]:
        """As :meth:`core.evaluation.engines.Engine.run`."""
        devices = self._devices(task.device)
        if len(devices) == 1 or not len(task.data):
            yield from evaluate(
                task.data, task.classifier, task.denoiser, task.settings, device=task.device, should_stop=should_stop
            )
            return
        crew = _Processes(task.setup("Several workers", "use one worker"), devices)
        self.dispatcher = Dispatcher(task, crew, len(devices), on_notice)
        yield from self.dispatcher.run(should_stop)

    def _devices(self, name: str) -> list[str]:
        device = pick_device() if name == "auto" else torch.device(name)
        count = self._workers
        if device.type == "cpu":
            return ["cpu"] * (count or 1)
        there = torch.cuda.device_count() if device.type == "cuda" and device.index is None else 1
        if count is not None and count > there:
            raise LabError(f"--workers is {count}, and there {'is' if there == 1 else 'are'} {there} of device {name!r}.")
        return [f"cuda:{number}" for number in range(count or there)] if there > 1 else [name]


class _Processes:
    """Processes of this machine, each at the other end of a pipe, which none but the two of them hold: a process that is
    killed leaves no lock behind, and one whose parent is killed reads the end of the pipe and goes."""

    def __init__(self, setup: WorkerSetup, devices: list[str]) -> None:
        self._setup, self._free = setup, list(reversed(devices))
        self._context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._threads = max(1, torch.get_num_threads() // len(devices)) if devices[0] == "cpu" else torch.get_num_threads()
        self._live: dict[int, tuple[BaseProcess, Connection, str]] = {}
        self._started = 0

    def start_worker(self) -> int:
        device = self._free.pop()
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._setup, device, self._threads)
        process = self._context.Process(target=_serve, args=arguments, daemon=True)
        with _interrupts_held():
            process.start()
        theirs.close()
        self._started += 1
        self._live[self._started] = (process, ours, device)
        return self._started

    def give(self, worker: int, piece: Piece) -> None:
        with contextlib.suppress(OSError):  # it is gone, which the end of its pipe says
            self._live[worker][1].send(piece)

    def events(self, seconds: float) -> list[Event]:
        numbers = {connection: number for number, (_, connection, _) in self._live.items()}
        found: list[Event] = []
        for connection in wait(list(numbers), seconds):
            assert isinstance(connection, Connection)
            number = numbers[connection]
            try:
                found.append(Event(number, *connection.recv()))
            except (EOFError, OSError):
                found.append(Event(number, "lost", self._buried(number)))
        return found

    def stop(self) -> None:
        for _, connection, _ in self._live.values():
            with contextlib.suppress(OSError):
                connection.send(None)

    def close(self) -> None:
        for process, connection, _ in self._live.values():
            connection.close()
            process.kill()
        for process, _, _ in self._live.values():
            process.join()
            process.close()
        self._live = {}

    def _buried(self, number: int) -> str:
        """How a process ended, of which nothing is left then."""
        process, connection, device = self._live.pop(number)
        connection.close()
        process.join(5)
        code = process.exitcode
        process.kill()
        process.join()
        process.close()
        self._free.append(device)
        return f"ended by {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; those started within leave it to this one."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, setup: WorkerSetup, device: str, threads: int) -> None:
    """The main function of a process: pieces come in, finished images go out, None or the end of the pipe ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        worker = Worker(setup, device, threads)
        connection.send(("ready", f"process {os.getpid()}"))
        while (piece := connection.recv()) is not None:
            for evaluated in worker.certify(piece, connection.poll):  # whatever comes before the piece is done says stop
                connection.send(("finished", evaluated))
            connection.send(("idle", None))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody listens any more
    except LabError as error:
        connection.send(("mistake", str(error)))
    except Exception:
        connection.send(("fault", traceback.format_exc()))
