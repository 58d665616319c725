"""`denoise`."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


def read(path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture).astype(float) / 255


def test_writes_three_pictures_and_measures_them(run, picture, tmp_path):
    ran = run("denoise", picture, "--denoiser", "classical/tv", "--sigma", 0.1, "--out", tmp_path / "deep" / "out", "--json")
    assert ran.code == 0
    files = {name: read(path) for name, path in ran.document["files"].items()}
    assert set(files) == {"original", "noisy", "denoised"}
    assert np.array_equal(files["original"], read(picture))
    for name in ("noisy", "denoised"):
        # From the files, which hold 8 bits: within rounding of what was measured before.
        decibels = -10 * np.log10(((files[name] - files["original"]) ** 2).mean())
        assert ran.document[name]["psnr"] == pytest.approx(decibels, abs=0.05)
    assert ran.document["denoised"]["psnr"] > ran.document["noisy"]["psnr"]
    assert ran.document["denoised"]["ssim"] > ran.document["noisy"]["ssim"]
    assert ran.document["noisy"]["psnr"] == pytest.approx(20, abs=1.5)  # sigma 0.1 is 20 dB, less what clipping spares


def test_the_seed_names_the_noise(run, models, picture, tmp_path):
    def noisy(seed: int) -> bytes:
        run("denoise", picture, "--denoiser", models.denoiser, "--seed", seed, "--out", tmp_path)
        return (tmp_path / "noisy.png").read_bytes()

    assert noisy(1) == noisy(1)
    assert noisy(1) != noisy(2)


def test_text_and_no_denoiser(run, picture, tmp_path):
    ran = run("denoise", picture, "--denoiser", "none", "--out", tmp_path)
    assert "PSNR" in ran.out
    assert "0.25 (63.75/255)" in ran.out
    assert (tmp_path / "noisy.png").read_bytes() == (tmp_path / "denoised.png").read_bytes()


def test_keeps_the_pictures_own_size_unless_told(run, models, tmp_path):
    path = tmp_path / "wide.png"
    Image.effect_noise((60, 40), 30).convert("RGB").save(path)
    ran = run("denoise", path, "--denoiser", models.denoiser, "--out", tmp_path / "out", "--json")
    with Image.open(tmp_path / "out" / "denoised.png") as denoised:
        assert denoised.size == (60, 40)
    assert "--size 32" in ran.err
    ran = run("denoise", path, "--denoiser", models.denoiser, "--out", tmp_path / "out", "--size", 32, "--json")
    assert (ran.document["image"]["height"], ran.document["image"]["width"]) == (32, 32)
    assert ran.err == ""


def test_folders_that_cannot_be_written_to(run, models, picture, tmp_path):
    words = ("denoise", picture, "--denoiser", "none", "--out")
    file = tmp_path / "file"
    file.write_text("in the way")
    assert "not a folder" in run(*words, file).one_line()
    assert "not a folder" in run(*words, file / "below").one_line()
    assert "cannot be written to" in run(*words, "/proc/denoised").one_line()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--sigma", "0", "sigma is 0"),
        ("--size", "3", "--size is 3"),
        ("--seed", "-2", "seed is -2"),
        ("--device", "x", "Unknown device"),
    ],
)
def test_mistakes(run, picture, tmp_path, option, value, words):
    assert words in run("denoise", picture, "--denoiser", "none", "--out", tmp_path, option, value).one_line()


def test_a_picture_too_large_to_denoise(run, tmp_path):
    path = tmp_path / "poster.png"
    Image.new("L", (2000, 1500)).save(path)
    assert "use --size" in run("denoise", path, "--denoiser", "none", "--out", tmp_path / "out").one_line()
