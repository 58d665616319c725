"""What experiments over a data set share: pictures into a file of JSON lines, one by one; and tables of such files."""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch

from core.commands.options import check_image_choice, chosen_images, image_choice, load_models, model_choice
from core.commands.terminal import InterruptFlag, ProgressLine, print_json, remark
from core.data.datasets import LabelledImages
from core.device import pick_device
from core.errors import LabError
from core.report.notation import duration
from core.runs.resuming import begin_or_resume
from core.smoothing.sampling import ClassifierLike, DenoiserLike


class Line(Protocol):
    """What is kept of a picture."""

    @property
    def idx(self) -> int:
        """The picture's number."""

    def text(self) -> str:
        """The line as it stands in the file, without its end."""


class Summary(Protocol):
    """What lines add up to."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""


L = TypeVar("L", bound=Line)
S = TypeVar("S", bound=Summary)


@dataclass(frozen=True)
class Pictures(Generic[L]):
    """What is to be done, and what to ask and tell on the way.

    Attributes:
        finished: lines so far, an earlier run's included.
        show: shown beside the count of pictures: what is under way.
    """

    data: LabelledImages
    classifier: ClassifierLike
    denoiser: DenoiserLike | None
    device: torch.device
    finished: Sequence[L]
    should_stop: Callable[[], bool]
    show: Callable[[str], None]

    @property
    def done(self) -> frozenset[int]:
        """Numbers of the pictures that have their line."""
        return frozenset(line.idx for line in self.finished)


def beside(path: Path) -> Path:
    """Where it stands what made a file of JSON lines."""
    return path.with_name(path.name + ".made.json")


def read_beside(path: Path, names: Sequence[str], side: Path | None = None) -> dict[str, Any]:
    """What made a file of JSON lines. Raises LabError where it cannot be read, or lacks one of the parameters ``names``."""
    side = side or beside(path)
    try:
        made = json.loads(side.read_text(encoding="utf-8"))
        missing = [name for name in names if name not in made]
    except (OSError, ValueError, TypeError) as error:
        raise LabError(f"{str(side)!r}, which says what made {path.name}, cannot be read ({error}).") from error
    if missing or not isinstance(made, dict):
        raise LabError(f"{str(side)!r} does not say what made {path.name}: it lacks {', '.join(missing) or 'names'}.")
    return made


def add_lines_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Where the lines go."""
    parser.add_argument(
        "--out", type=Path, required=required, metavar="FILE", help="one JSON line a picture; what made it: FILE.made.json"
    )
    parser.add_argument("--resume", action="store_true", help="go on with a file that the same command began")


def run_line_by_line(
    args: argparse.Namespace,
    numbers: Mapping[str, Any],
    work: Callable[[Pictures[L]], Iterator[L]],
    *,
    read: Callable[[Path], list[L]],
    summarise: Callable[[Sequence[L]], S],
    told: Callable[[S], str],
) -> int:
    """Each line is on disk before the next begins; a summary at the end. Gives the exit code.

    Args:
        numbers: all that decides a line, beside pictures, models and device.
        work: gives a line a picture that is not done, in order.
        read, summarise, told: lines of a file, what they add up to, and that in words.
    """
    check_image_choice(args)
    device = pick_device(args.device)
    classifier, denoiser = load_models(args)
    made_by = {**image_choice(args), **numbers, "device": str(device), **model_choice(classifier, denoiser)}
    data = chosen_images(args)
    there = begin_or_resume(args.out, beside(args.out), made_by, resume=args.resume, on_notice=remark)
    chosen = set(data.indices.tolist())
    finished = [line for line in read(args.out) if line.idx in chosen] if there else []
    progress, began, begun_with = ProgressLine(), time.monotonic(), len(finished)

    def show(doing: str = "") -> None:
        new = len(finished) - begun_with
        left = duration((time.monotonic() - began) / new * (len(data) - len(finished))) if new else "unknown time"
        progress.show(f"{len(finished)} of {len(data)} pictures, {left} left{doing}")

    with InterruptFlag() as interrupt, args.out.open("a", encoding="utf-8") as file:
        for line in work(Pictures(data, classifier, denoiser, device, finished, interrupt.is_set, show)):
            file.write(line.text() + "\n")
            file.flush()
            finished.append(line)
            show()
        progress.clear()
    if interrupt.is_set():
        remark(f"stopped after {len(finished)} of {len(data)} pictures: --resume goes on.")
        if not finished:
            return 130
    summary = summarise(finished)
    if args.json:
        print_json({"file": str(args.out), "made_by": made_by, "summary": summary.to_dict()})
    else:
        print(told(summary))
    return 130 if interrupt.is_set() else 0


def models_of(made_by: Mapping[str, Any]) -> str:
    """The pair of models that made a file, for a cell of Markdown."""
    return " + ".join(f"`{made_by[part]['ref']}`" for part in ("classifier", "denoiser"))


def markdown_table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Rows of as many cells as the head has."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body))
