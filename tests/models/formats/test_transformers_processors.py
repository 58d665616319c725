"""The arithmetic read from an image processor of transformers is the processor's own, colours and cutting alike."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.preprocessing import Prepared, Preprocessing
from core.models.formats.transformers_models import read_processor

CONFIG = SimpleNamespace(image_size=64)
SMALL = {"height": 64, "width": 64}

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("ViTImageProcessor", {"size": SMALL}),
    ("ViTImageProcessor", {"size": SMALL, "do_normalize": False}),
    ("ViTImageProcessor", {"size": SMALL, "rescale_factor": 1 / 127.5}),
    ("ViTImageProcessor", {"size": SMALL, "do_rescale": False, "image_mean": [100.0] * 3, "image_std": [50.0, 60.0, 70.0]}),
    ("DeiTImageProcessor", {"size": {"height": 73, "width": 73}, "crop_size": SMALL}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 64}}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
    ("BitImageProcessor", {"size": {"shortest_edge": 72}, "crop_size": SMALL}),
    ("LevitImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": SMALL}),
    ("PoolFormerImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": SMALL, "crop_pct": 0.9}),
    ("MobileNetV2ImageProcessor", {"size": {"shortest_edge": 73}, "crop_size": SMALL}),
    ("BeitImageProcessor", {"size": SMALL}),
    ("MobileViTImageProcessor", {"size": {"shortest_edge": 72}, "crop_size": SMALL}),
    ("EfficientNetImageProcessor", {"size": SMALL, "image_std": [0.3, 0.4, 0.5]}),
    ("EfficientNetImageProcessor", {"size": SMALL, "include_top": False, "rescale_offset": True, "do_normalize": False}),
]


def smooth(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(y / 7 + c) * np.cos(x / 9 - c) for c in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).round().astype(np.uint8))


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def ours(found: Preprocessing, image: Image.Image) -> torch.Tensor:
    return Prepared(nn.Identity(), found)(pixels(image))


@pytest.mark.parametrize(("kind", "settings"), KINDS)
@pytest.mark.parametrize("size", [(32, 32), (90, 120)])
def test_pictures_come_out_as_from_the_processor(
    tmp_path: Path, kind: str, settings: dict[str, Any], size: tuple[int, int]
) -> None:
    transformers = import_library("transformers")
    getattr(transformers, kind)(**settings).save_pretrained(tmp_path)
    found = read_processor(transformers, tmp_path, CONFIG)
    image = smooth(*size)
    theirs = transformers.AutoImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt")["pixel_values"]
    mine = ours(found, image)
    assert mine.shape == theirs.shape
    # Theirs is rounded to 8 bits after scaling.
    grey_level = 1 / 255 / min(found.std)
    assert float((mine - theirs).abs().mean()) < grey_level
    assert not found.notes


@pytest.mark.parametrize(
    ("kind", "settings"), [k for k in KINDS if "crop_size" not in k[1] and "shortest_edge" not in k[1]["size"]]
)
def test_pictures_of_the_models_size_come_out_exactly(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    transformers = import_library("transformers")
    getattr(transformers, kind)(**settings).save_pretrained(tmp_path)
    found = read_processor(transformers, tmp_path, CONFIG)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    theirs = transformers.AutoImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt")["pixel_values"]
    assert torch.allclose(ours(found, image), theirs, atol=1e-4)


def test_an_old_or_unknown_processor_is_taken_at_its_word(tmp_path: Path) -> None:
    settings = {"feature_extractor_type": "NoSuchFeatureExtractor", "image_mean": [0.4] * 3, "image_std": [0.2] * 3, "size": 48}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    found = read_processor(import_library("transformers"), tmp_path, CONFIG)
    assert found.mean == pytest.approx((0.4, 0.4, 0.4))
    assert found.std == pytest.approx((0.2, 0.2, 0.2))
    assert found.fitting.own_size == (48, 48)


def test_without_a_processor_what_is_assumed_is_told(tmp_path: Path) -> None:
    found = read_processor(import_library("transformers"), tmp_path, CONFIG)
    assert (found.mean, found.fitting.own_size) == ((0.5, 0.5, 0.5), (64, 64))
    assert "0.5 were assumed" in found.notes[0]


def test_a_processor_that_does_something_else_to_colours_is_refused(tmp_path: Path) -> None:
    transformers = import_library("transformers")
    transformers.ViTImageProcessor(size=SMALL).save_pretrained(tmp_path)

    class Inverting:
        @staticmethod
        def from_pretrained(*args: Any, **kwargs: Any) -> Any:
            inner = transformers.AutoImageProcessor.from_pretrained(*args, **kwargs)
            call = inner.preprocess
            inner.preprocess = lambda *a, **k: {"pixel_values": -call(*a, **k)["pixel_values"]}
            return inner

    library = SimpleNamespace(AutoImageProcessor=Inverting)
    with pytest.raises(LabError, match="does more to a picture"):
        read_processor(library, tmp_path, CONFIG)


@pytest.mark.parametrize("bad", [{"image_std": [0, 0, 0]}, {"rescale_factor": 0}, {"image_mean": ["a", "b", "c"]}])
def test_unusable_settings_are_one_sentence(tmp_path: Path, bad: dict[str, Any]) -> None:
    settings = {"feature_extractor_type": "NoSuchFeatureExtractor", "size": 48} | bad
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(LabError, match="expected") as caught:
        read_processor(import_library("transformers"), tmp_path, CONFIG)
    assert "\n" not in str(caught.value)
