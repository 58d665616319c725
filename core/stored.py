"""Finished studies as files, so that the app opens on a result before any model is loaded."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from core.smoothing.certificate import Certificate, GrowthPoint, ImageRecord, ModelRecord
from core.study import Study, StudyRequest, View

STORED_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "certificates"


def dump_study(study: Study, request: StudyRequest) -> str:
    """A study as a JSON document; pictures as PNG in base64."""
    document = {
        "request": dataclasses.asdict(request),
        "certificate": dataclasses.asdict(study.certificate),
        "without": None if study.without is None else dataclasses.asdict(study.without),
        "points": [dataclasses.astuple(point) for point in study.points],
        "views": {name: {"png": _png(view.picture), "top": view.top} for name, view in study.views.items()},
    }
    return json.dumps(document) + "\n"


def parse_study(text: str) -> tuple[Study, StudyRequest]:
    """The inverse of :func:`dump_study`."""
    document = json.loads(text)
    study = Study(
        _certificate(document["certificate"]),
        None if document["without"] is None else _certificate(document["without"]),
        tuple(GrowthPoint(*point) for point in document["points"]),
        {
            name: View(Image.open(io.BytesIO(base64.b64decode(view["png"]))), tuple((i, s) for i, s in view["top"]))
            for name, view in document["views"].items()
        },
    )
    return study, StudyRequest(**document["request"])


def stored_study(sample: str) -> tuple[Study, StudyRequest] | None:
    """The finished study of a sample picture, or None where none is stored."""
    path = STORED_FOLDER / f"{sample}.json"
    return _read(path, path.stat().st_mtime) if path.exists() else None


@cache
def _read(path: Path, modified: float) -> tuple[Study, StudyRequest]:
    return parse_study(path.read_text())


def _png(picture: Image.Image) -> str:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def _certificate(raw: dict[str, Any]) -> Certificate:
    fixed = dict(raw)
    fixed["counts"] = tuple(raw["counts"])
    fixed["labels"] = None if raw["labels"] is None else tuple(raw["labels"])
    fixed["image"] = ImageRecord(**raw["image"])
    fixed["classifier"], fixed["denoiser"] = ModelRecord(**raw["classifier"]), ModelRecord(**raw["denoiser"])
    return Certificate(**fixed)
