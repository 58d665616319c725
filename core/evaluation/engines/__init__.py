"""Who certifies the images of a data set: this machine's devices, or a Ray cluster."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from core.errors import LabError
from core.evaluation.engines.dispatch import OnNotice
from core.evaluation.evaluate import Evaluated, EvaluationTask

__all__ = ["ENGINES", "Engine", "EvaluationTask", "make_engine"]

ENGINES = ("local", "ray")
MAX_WORKERS = 1024


class Engine(Protocol):
    """Certifies the images of an :class:`EvaluationTask`. A line does not depend on the engine or the number of workers: the
    noise of an image comes from the seed and the image's own number alone. (Images that share a batch with others may be
    rounded differently in the last bit of a logit, on a GPU above all: docs/evaluation.md.)

    Opened with ``with``, which finds the cluster where there is one.
    """

    def __enter__(self) -> Self:
        """Find who is to work. Raises LabError where nobody is there."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of everything that was started."""

    def device(self, name: str) -> str:
        """The device that ``--device NAME`` means to this engine. Raises LabError where there is none."""

    def run(
        self,
        task: EvaluationTask,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        on_notice: OnNotice = lambda sentence: None,
    ) -> Iterator[Evaluated]:
        """Certify every image of the task and yield each as it is finished: in order with one worker, else as they come.

        A stop, asked for several times a second, ends the run within a batch, and drops unfinished images; ``on_notice`` is
        told where a worker was lost and its images went to another. Raises LabError as :func:`core.certify`; where a worker
        has other versions or models than this process; or where workers end three times on one image, or before they are ready.
        """


def make_engine(name: str, *, ray_address: str | None = None, workers: int | None = None) -> Engine:
    """The engine ``local`` or ``ray``; raises LabError where there is no such engine, or the numbers do not fit it.

    ``ray_address``: of a running cluster, ``HOST:PORT`` or ``auto``; None starts one on this machine. ``workers``: processes;
    None for what the engine finds: ``local`` one a CUDA device, else one; ``ray`` one a GPU, else one a CPU.
    """
    if workers is not None and not 1 <= workers <= MAX_WORKERS:
        raise LabError(f"--workers is {workers}: expected 1 to {MAX_WORKERS:,}.")
    if name == "local":
        if ray_address is not None:
            raise LabError("--ray-address is for the engine ray: add --engine ray, or leave it out.")
        from core.evaluation.engines.local import LocalEngine

        return LocalEngine(workers)
    if name == "ray":
        from core.evaluation.engines.ray import RayEngine

        return RayEngine(ray_address, workers)
    raise LabError(f"Unknown engine {name!r}: choose one of {', '.join(ENGINES)}.")
