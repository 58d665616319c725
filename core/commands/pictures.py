"""Running CERTIFY or PREDICT over the pictures of a command line: one bad picture does not stop the rest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PIL import Image

from core.commands.options import read_picture_remarking
from core.commands.terminal import InterruptFlag, ProgressLine, print_json
from core.errors import LabError
from core.report.notation import class_name, duration
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.certify import OnProgress, Progress

Result = TypeVar("Result", Certificate, Prediction)


def run_over_pictures(
    args: argparse.Namespace,
    run_one: Callable[[Image.Image, OnProgress, Callable[[], bool]], Result],
    tell: Callable[[str, Result], str],
    labels: tuple[str, ...] | None,
    plural: str,
) -> int:
    """Run over ``args.images`` and print the results, as JSON where ``args.json`` asks for it.

    Of one picture the document is its result; of several it is ``{plural: [...], "failed": [...]}``, each with its path.

    Args:
        args: the parsed command line.
        run_one: (picture, on_progress, should_stop) -> result.
        tell: (name of the picture, result) -> text for people.
        labels: class names, for the progress line.
        plural: what several results are called in the document.

    Returns:
        The exit code: 0, 2 where a picture failed, 130 where Ctrl-C stopped it.

    Raises:
        LabError: where the only picture fails.
    """
    paths: list[Path] = args.images
    done: list[dict[str, object]] = []
    failed: list[dict[str, str]] = []
    with InterruptFlag() as interrupt:
        for number, path in enumerate(paths):
            if interrupt.is_set():
                failed.append({"path": str(path), "error": "not begun: stopped by Ctrl-C"})
                continue
            head = f"{path.name} ({number + 1} of {len(paths)})" if len(paths) > 1 else path.name
            line = ProgressLine()
            try:
                picture = read_picture_remarking(path)
                result = run_one(picture.image, _shower(line, head, labels), interrupt.is_set)
            except LabError as error:
                line.clear()
                if len(paths) == 1:
                    raise
                failed.append({"path": str(path), "error": str(error)})
                print(f"{args.verb}: {str(path)!r} failed: {' '.join(str(error).split())}", file=sys.stderr)
                continue
            line.clear()
            if result.stopped and not (isinstance(result, Certificate) and result.settled):
                print(f"{args.verb}: stopped after {result.n:,} samples; what they allow to say follows.", file=sys.stderr)
            done.append({"path": str(path)} | result.to_dict())
            if not args.json:
                print(tell(path.name, result), flush=True)
    if args.json:
        if len(paths) == 1 and done:
            print_json({key: value for key, value in done[0].items() if key != "path"})
        else:
            print_json({plural: done, "failed": failed})
    if interrupt.is_set():
        return 130
    return 2 if failed else 0


def _shower(line: ProgressLine, head: str, labels: tuple[str, ...] | None) -> OnProgress:
    return lambda progress: line.show(_state(head, progress, labels))


def _state(head: str, progress: Progress, labels: tuple[str, ...] | None) -> str:
    speed = progress.done / progress.seconds if progress.seconds else 0.0
    parts = [f"{head}: {progress.done:,} of {progress.total:,} samples", f"{speed:.0f}/s"]
    parts.append(f"{'at most ' if progress.until_radius else ''}{duration(progress.seconds_left)} left")
    if progress.candidate is not None and progress.radius_possible is not None:
        name = class_name(progress.candidate, labels)
        parts.append(f"{name}, radius between {progress.radius:.3f} and {progress.radius_possible:.3f} so far")
        parts.append(f"settling {progress.until_radius:g}")
    elif progress.candidate is not None:
        parts.append(f"{class_name(progress.candidate, labels)}, radius at least {progress.radius:.3f} so far")
    return ", ".join(parts)
