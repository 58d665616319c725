"""Pictures as tensors, and back."""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_files import NOISE, encode
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from core.errors import LabError
from core.pictures.pixels import image_record, psnr, ssim, to_picture, to_pixels


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


def pair(side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((3, side, side), generator=generator), torch.rand((3, side, side), generator=generator)


def test_psnr_against_scikit_image_for_one_picture_and_for_many():
    first, second = (picture.double() for picture in pair())
    expected = peak_signal_noise_ratio(first.numpy(), second.numpy(), data_range=1.0)
    assert float(psnr(second, first)) == pytest.approx(expected)
    assert psnr(torch.stack([second, first]), first).tolist() == pytest.approx([expected, math.inf])


@pytest.mark.parametrize(("sigma", "clipped", "unclipped"), [(0.25, 13.4, 12.0), (1.0, 6.8, 0.0)])
def test_what_is_measured_is_what_is_shown(sigma, clipped, unclipped):
    """Both figures were in use once, on the command line and on the page; the one of the pixels that a file keeps is right."""
    clean = torch.rand((3, 128, 128), generator=torch.Generator().manual_seed(2))
    noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
    assert -10 * math.log10(float((noisy - clean).square().mean())) == pytest.approx(unclipped, abs=0.1)
    saved = torch.from_numpy(np.array(to_picture(noisy))).permute(2, 0, 1) / 255
    assert float(psnr(noisy, clean)) == pytest.approx(clipped, abs=0.1)
    assert float(psnr(noisy, clean)) == pytest.approx(float(psnr(saved, clean)), abs=0.01)
    assert ssim(noisy, clean) == pytest.approx(ssim(saved, clean), abs=1e-3)


def test_psnr_of_noise_is_that_of_its_sigma():
    clean = torch.full((3, 256, 256), 0.5)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    assert float(psnr(clean + 0.1 * noise, clean)) == pytest.approx(20, abs=0.05)


def test_the_same_picture():
    first, _ = pair()
    assert float(psnr(first, first)) == math.inf
    assert ssim(first, first) == pytest.approx(1)


def test_ssim_of_one_window_by_its_formula():
    first, second = (picture.double().numpy() for picture in pair(7))
    c1, c2 = 0.01**2, 0.03**2
    x, y = first.reshape(3, -1), second.reshape(3, -1)
    covariance = ((x - x.mean(1, keepdims=True)) * (y - y.mean(1, keepdims=True))).sum(1) / 48
    numerator = (2 * x.mean(1) * y.mean(1) + c1) * (2 * covariance + c2)
    denominator = (x.mean(1) ** 2 + y.mean(1) ** 2 + c1) * (x.var(1, ddof=1) + y.var(1, ddof=1) + c2)
    assert ssim(*(picture.double() for picture in pair(7))) == pytest.approx(float(np.mean(numerator / denominator)), rel=1e-6)


def test_too_small_for_a_window():
    with pytest.raises(LabError, match="at least 7 pixels"):
        ssim(*pair(6))
