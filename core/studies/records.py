"""One picture studied: its certificate, history of the bound, what noise and denoiser do to it; and such studies as files.

Without torch, so that a stored study can be shown at once, before any model is loaded; core/studies/certify.py makes them.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from core.folders import ASSETS, made_once
from core.pictures.reading import png_bytes, read_picture
from core.smoothing.certificate import Certificate, GrowthPoint
from core.smoothing.document import certificate_of
from core.smoothing.settings import Settings

if TYPE_CHECKING:
    from core.smoothing.certify import Progress


@dataclass(frozen=True)
class StudyRequest:
    """Everything that decides a study, beside the picture itself."""

    classifier: str
    denoiser: str
    settings: Settings
    compare: bool = True  # certify without the denoiser, too, from the same noise
    device: str = "auto"
    size: int | None = None  # side before the noise; None: what suits the classifier


@dataclass(frozen=True)
class View:
    """A picture on the strip and what the classifier alone says of it: the best classes with their softmax shares."""

    picture: Image.Image
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class StudyProgress:
    """A snapshot for the page: which of the two certificates is under way, and how it grows."""

    part: str
    now: Progress
    points: tuple[GrowthPoint, ...]
    views: dict[str, View]
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Study:
    """What came out; ``views``: ``original``, ``noisy`` and, with a denoiser, ``denoised``: one draw of noise."""

    certificate: Certificate  # with the denoiser
    without: Certificate | None  # the same without it; None where not asked for or not reached
    points: tuple[GrowthPoint, ...]  # growth of the first certificate
    views: dict[str, View] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # of loading the models, and on a sigma outside a denoiser's range

    @property
    def clean(self) -> int | None:
        """The classifier's own answer to the clean picture; None where it was not asked."""
        original = self.views.get("original")
        return original.top[0][0] if original is not None and original.top else None


STORED_FOLDER = ASSETS / "certificates"


def dump_study(study: Study, request: StudyRequest) -> str:
    """A study as a JSON document, its settings beside the rest, but for what a study never asks; pictures as PNG in base64."""
    rest = dataclasses.asdict(request)
    settings = rest.pop("settings")
    document = {
        "request": rest | {name: value for name, value in settings.items() if name not in ("within", "table_radii")},
        "certificate": study.certificate.to_dict(),
        "without": None if study.without is None else study.without.to_dict(),
        "points": [dataclasses.astuple(point) for point in study.points],
        "views": {
            name: {"png": base64.b64encode(png_bytes(view.picture)).decode(), "top": view.top}
            for name, view in study.views.items()
        },
    }
    return json.dumps(document) + "\n"


def parse_study(text: str) -> tuple[Study, StudyRequest]:
    """The inverse of :func:`dump_study`."""
    document = json.loads(text)
    study = Study(
        certificate_of(document["certificate"]),
        None if document["without"] is None else certificate_of(document["without"]),
        tuple(GrowthPoint(*point) for point in document["points"]),
        {
            name: View(read_picture(base64.b64decode(view["png"])).image, tuple((i, s) for i, s in view["top"]))
            for name, view in document["views"].items()
        },
    )
    stored, own = document["request"], {field.name for field in dataclasses.fields(StudyRequest)}
    rest = {name: value for name, value in stored.items() if name in own}
    return study, StudyRequest(settings=Settings.of({"n": 1_000, "method": "anytime"} | stored), **rest)


def stored_study(sample: str) -> tuple[Study, StudyRequest] | None:
    """The finished study of a sample picture, or None where none is stored."""
    path = STORED_FOLDER / f"{sample}.json"
    return _read(path, path.stat().st_mtime) if path.exists() else None


@made_once()
def _read(path: Path, modified: float) -> tuple[Study, StudyRequest]:
    return parse_study(path.read_text())
