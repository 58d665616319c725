"""Which images of a data set a command takes: ``--dataset``, ``--split``, ``--start``, ``--every``, and where to end."""

from __future__ import annotations

import argparse

from core.data.datasets import LabelledImages
from core.errors import LabError


def add_image_choice(parser: argparse._ActionsContainer, *, required: bool = True, images: int | None = None) -> None:
    """Add the options.

    Args:
        required: whether ``--dataset`` must be there.
        images: the default of ``--images``, how many are taken at most; None for ``--stop``, a number to stop before.
    """
    parser.add_argument("--dataset", required=required, help="shapes, hub/OWNER/NAME, parquet/PATH or folder/PATH")
    parser.add_argument("--split", default="test")
    parser.add_argument("--start", type=int, default=0, help="least image number (%(default)s)")
    parser.add_argument("--every", type=int, default=1, help="only numbers divisible by this (%(default)s)")
    if images is None:
        parser.add_argument("--stop", type=int, help="image number to stop before; by default all")
    else:
        parser.add_argument("--images", type=int, default=images, help="how many of these, at most (%(default)s)")


def check_image_choice(args: argparse.Namespace) -> None:
    """Raise LabError where --every or --images is below 1."""
    for name in ("every", "images"):
        value = getattr(args, name, 1)
        if value < 1:
            raise LabError(f"--{name} is {value}: expected at least 1.")


def chosen_images(data: LabelledImages, args: argparse.Namespace) -> LabelledImages:
    """The images that the options let through.

    Raises:
        LabError: where there is none.
    """
    keep = (data.indices >= args.start) & (data.indices % args.every == 0)
    stop = getattr(args, "stop", None)
    if stop is not None:
        keep &= data.indices < stop
    rows = keep.nonzero().flatten()[: getattr(args, "images", None)]
    if not len(rows):
        raise LabError(f"No image of {args.dataset} has a number that --start, --stop and --every let through.")
    return data.where(rows)
