"""Draw the sample pictures again: ``python assets/samples/draw.py [--list] [--out FOLDER] [NAME ...]``.

Uses Pillow and NumPy alone, and no random generator: the same picture comes out everywhere, but for rounding.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import ImageOps
from render import render
from scenes import scenes

SIDE, OVERSAMPLE = 256, 2


def main() -> None:
    """Draw all pictures, or those named."""
    known = scenes()
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(known)}; all by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write PNG files to")
    parser.add_argument("--list", action="store_true", help="only print the names")
    arguments = parser.parse_args()
    if arguments.list:
        print(*known, sep="\n")
        return
    unknown = sorted(set(arguments.names) - set(known))
    if unknown:
        parser.error(f"there is no picture {', '.join(unknown)}: choose from {', '.join(known)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or known:
        scene, mirrored = known[name]
        picture = render(scene, SIDE, OVERSAMPLE)
        (ImageOps.mirror(picture) if mirrored else picture).save(arguments.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
