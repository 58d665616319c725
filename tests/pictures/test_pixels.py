"""Pictures as tensors, and back."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_files import NOISE, encode
from PIL import Image

from core.errors import LabError
from core.pictures.pixels import image_record, to_picture, to_pixels


def test_pixels_are_bytes_over_255_with_the_channels_first():
    pixels = to_pixels(Image.fromarray(NOISE))
    assert pixels.shape == (3, 24, 20)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous()
    assert np.array_equal((pixels * 255).round().permute(1, 2, 0).numpy().astype(np.uint8), NOISE)
    assert pixels[1, 5, 7] == pytest.approx(NOISE[5, 7, 1] / 255)


def test_path_pil_picture_and_tensor_are_one_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.png"
    path.write_bytes(encode(Image.fromarray(NOISE), exif=exif))
    from_path = to_pixels(path)
    assert torch.equal(from_path, to_pixels(str(path)))
    with Image.open(path) as opened:
        assert torch.equal(from_path, to_pixels(opened))
    assert torch.equal(from_path, to_pixels(from_path))
    assert from_path.shape == (3, 20, 24)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"])
def test_pil_pictures_of_every_mode(mode):
    assert to_pixels(Image.new(mode, (10, 9))).shape == (3, 9, 10)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_pil_pictures_of_any_format(kind):
    # A user of the library may open what the pages do not take.
    with Image.open(io.BytesIO(encode(Image.new("RGB", (10, 9), (255, 0, 0)), kind))) as image:
        assert to_pixels(image)[:, 4, 4].tolist() == [1, 0, 0]


def test_a_pil_picture_that_is_cut_short():
    with Image.open(io.BytesIO(encode(Image.fromarray(NOISE))[:500])) as image, pytest.raises(LabError, match="cut short"):
        to_pixels(image)


def test_halves_and_doubles_are_taken_as_float32():
    for dtype in (torch.float16, torch.float64, torch.bfloat16):
        assert to_pixels(torch.full((3, 8, 8), 0.5, dtype=dtype)).dtype == torch.float32


def test_a_tensor_that_needs_gradients_is_let_go():
    assert not to_pixels(torch.full((3, 8, 8), 0.5, requires_grad=True)).requires_grad


def test_to_picture_and_back():
    assert np.array_equal(np.asarray(to_picture(to_pixels(Image.fromarray(NOISE)))), NOISE)
    assert np.asarray(to_picture(torch.tensor([-1.0, 0.5, 2.0]).view(3, 1, 1)))[0, 0].tolist() == [0, 128, 255]


def test_image_record_is_the_hash_of_the_bytes():
    record = image_record(to_pixels(Image.fromarray(NOISE)))
    assert record.sha256 == hashlib.sha256(NOISE.tobytes()).hexdigest()
    assert (record.height, record.width) == (24, 20)
    # Every byte value survives the way through floating point.
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert image_record(to_pixels(Image.fromarray(every))).sha256 == hashlib.sha256(every.tobytes()).hexdigest()


def test_image_record_tells_pictures_apart():
    pixels = to_pixels(Image.fromarray(NOISE))
    changed = pixels.clone()
    changed[0, 0, 0] = (changed[0, 0, 0] + 1 / 255) % 1
    between = (pixels + 0.3 / 255).clamp(0, 1)
    assert len({image_record(each).sha256 for each in (pixels, changed, between, pixels.flip(2))}) == 4


def test_published_pictures_are_read(lab_data: Path):
    folder = lab_data / "imagenet" / "images"
    if not folder.is_dir():
        pytest.skip(f"no pictures at {folder}")
    for path in sorted(folder.glob("*.png"))[:3]:
        assert to_pixels(path, (64, 64)).shape == (3, 64, 64)
