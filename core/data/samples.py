"""The sample pictures: drawn by the project, cut from pictures that scikit-image ships, or made by the `shapes` data set."""

import functools
import importlib.util
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import LabError
from core.folders import ASSETS, made_once
from core.pictures.reading import Picture, read_picture

SAMPLES_FOLDER = ASSETS / "samples"
INDEX = "index.json"


@dataclass(frozen=True)
class Sample:
    """A sample picture, without its pixels: links and the command line call it ``name``, people ``title``."""

    name: str
    title: str
    label: str  # the class it shows, among those of the classifier
    origin: str  # who made it, and how
    licence: str
    alt: str  # what is to be seen, for those who cannot see it
    classifier: str  # reference of the bundled one that it is meant for


@made_once()
def samples() -> tuple[Sample, ...]:
    """All samples whose pixels can be had here, in the order of the index.

    Those cut from scikit-image's pictures are left out where it is not installed.
    """
    texts = [field.name for field in fields(Sample)]
    return tuple(Sample(**{text: entry[text] for text in texts}) for entry in _index().values() if _available(entry))


@made_once(64)
def sample_picture(name: str) -> Picture:
    """The picture of a sample, RGB, 8 bits. It is shared: copy it before changing it.
    Raises LabError where there is no sample of this name here.
    """
    known = [sample.name for sample in samples()]
    if name not in known:
        raise LabError(f"There is no sample picture {name!r}: choose one of {', '.join(known)}.")
    entry = _index()[name]
    if "shapes" in entry:
        return Picture(_shape(**entry["shapes"]), entry["title"])
    path = _path(entry)
    assert path is not None  # samples() lists only what is available
    image = read_picture(path).image
    if "crop" in entry:
        left, top, side = entry["crop"]
        image = image.crop((left, top, left + side, top + side))
    return Picture(image, entry["title"])


@functools.cache
def _index() -> dict[str, dict[str, Any]]:
    """index.json: the texts of each sample, and one of ``file``, ``skimage`` or ``shapes`` that says where its pixels are."""
    entries: list[dict[str, Any]] = json.loads((SAMPLES_FOLDER / INDEX).read_text(encoding="utf-8"))
    return {entry["name"]: entry for entry in entries}


def _available(entry: dict[str, Any]) -> bool:
    path = _path(entry)
    return "shapes" in entry or (path is not None and path.is_file())


def _path(entry: dict[str, Any]) -> Path | None:
    if "file" in entry:
        return SAMPLES_FOLDER / entry["file"]
    if "skimage" in entry:
        # The file is read directly: scikit-image's own loaders may download what a wheel lacks.
        spec = importlib.util.find_spec("skimage")
        if spec is not None and spec.submodule_search_locations:
            return Path(spec.submodule_search_locations[0]) / "data" / entry["skimage"]
    return None


def _shape(seed: int, number: int) -> Image.Image:
    """Picture ``number`` of the endless series that ``seed`` names."""
    from core.data.shapes import make_shapes

    pictures, _ = make_shapes(1, seed=seed, start=number)
    return Image.fromarray(pictures[0].permute(1, 2, 0).numpy())
