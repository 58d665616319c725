"""What a user may get wrong: one line on stderr, exit code 2, nothing on stdout, never a traceback."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and then ends."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def truncated(path):
    Image.effect_noise((64, 64), 50).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-2000])


BAD_PICTURES = {
    "truncated.png": (truncated, "damaged or cut short"),
    "tiny.png": (lambda path: Image.new("RGB", (1, 1)).save(path), "at least 8"),
    "thin.png": (lambda path: Image.new("RGB", (1, 4000)).save(path), "at least 8"),
    "bomb.png": (lambda path: path.write_bytes(png_header(60_000, 60_000)), "60,000 x 60,000 pixels"),
    "empty.png": (lambda path: path.write_bytes(b""), "0 bytes"),
    "text.png": (lambda path: path.write_text("not a picture at all"), "text file"),
    "drawing.png": (lambda path: path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>'), "SVG"),
    "other.gif": (lambda path: Image.new("RGB", (32, 32)).save(path), "another format"),
}


@pytest.mark.parametrize("verb", ["certify", "predict", "denoise"])
@pytest.mark.parametrize("name", BAD_PICTURES)
def test_pictures_that_cannot_be_used(run, models, tmp_path, verb, name):
    make, words = BAD_PICTURES[name]
    path = tmp_path / name
    make(path)
    models_options = ("--denoiser", "none", "--out", tmp_path / "out") if verb == "denoise" else ("--classifier", models.sure)
    line = run(verb, path, "--denoiser", models.denoiser, *models_options).one_line()
    assert line.startswith(f"{verb}: {name}")
    assert words in line


def save_animation(path):
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)


def save_rotated(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40), "green").save(path, exif=exif)


CONVERTED_PICTURES = {
    "mislabelled.jpg": (lambda path: Image.new("RGB", (32, 32)).save(path, format="PNG"), "really a PNG"),
    "animated.webp": (save_animation, "first frame"),
    "deep.png": (lambda path: Image.fromarray(np.full((32, 32), 40_000, np.uint16)).save(path), "16 bits"),
    "print.jpg": (lambda path: Image.new("CMYK", (32, 32), (0, 200, 200, 0)).save(path), "CMYK"),
    "glass.png": (lambda path: Image.new("RGBA", (32, 32), (0, 0, 255, 99)).save(path), "laid on white"),
    "rotated.jpg": (save_rotated, "upright"),
    "palette.png": (lambda path: Image.new("P", (32, 32)).save(path), ""),
}


@pytest.mark.parametrize("name", CONVERTED_PICTURES)
def test_pictures_that_can_be_shown_are_converted_and_remarked_on(run, models, tmp_path, name):
    make, words = CONVERTED_PICTURES[name]
    path = tmp_path / name
    make(path)
    ran = run("certify", path, "--classifier", models.sure, "--denoiser", "none", "--n", 50, "--json")
    assert ran.code == 0
    assert ran.document["prediction"]["label"] == "dog"
    assert words in ran.err
    assert ran.err.count("\n") == (1 if words else 0)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--sigma", "0", "sigma is 0.0"),
        ("--sigma", "-0.5", "sigma is -0.5"),
        ("--sigma", "nan", "sigma is nan"),
        ("--sigma", "inf", "sigma is inf"),
        ("--sigma", "much", "invalid float value: 'much'"),
        ("--n", "5", "fewer than 10 samples"),
        ("--n", "0", "n is 0"),
        ("--n", "ten", "invalid int value: 'ten'"),
        ("--n", "99999999", "1 to 1,000,000"),
        ("--n0", "0", "n0 is 0"),
        ("--alpha", "0", "alpha is 0.0"),
        ("--alpha", "0.6", "alpha is 0.6"),
        ("--alpha", "nan", "alpha is nan"),
        ("--seed", "-1", "seed is -1"),
        ("--batch-size", "0", "batch_size is 0"),
        ("--method", "hope", "invalid choice: 'hope'"),
        ("--device", "abacus", "Unknown device 'abacus'"),
        ("--device", "cuda:99", "no device 'cuda:99'"),
        ("--classifier", "bundled/nothing", "no bundled model 'nothing'"),
        ("--classifier", "nothing", "Unknown model reference 'nothing'"),
        ("--classifier", "local/no/such/folder", "no folder"),
        ("--classifier", "classical/median", "no classifier"),
        ("--denoiser", "classical/magic", "no classical denoiser 'magic'"),
        ("--denoiser", "magic/something", "Unknown model reference"),
        ("--wish", "1", "unrecognized arguments"),
    ],
)
def test_numbers_and_references(run, models, picture, option, value, words):
    line = run("certify", picture, "--classifier", models.sure, "--denoiser", "none", option, value).one_line()
    assert words in line


def test_a_mistake_in_the_numbers_is_told_once_whatever_the_pictures(run, models, picture):
    line = run("certify", picture, picture, "--classifier", models.sure, "--denoiser", "none", "--sigma", "-1").one_line()
    assert "sigma is -1.0" in line


def test_models_in_the_wrong_place(run, models, picture):
    assert "is a denoiser" in run("certify", picture, "--classifier", models.denoiser, "--denoiser", "none").one_line()
    assert "is a classifier" in run("certify", picture, "--classifier", models.sure, "--denoiser", models.sure).one_line()


def test_models_that_return_nan(run, models, picture, tmp_path):
    assert "not finite numbers" in run("certify", picture, "--classifier", models.nan, "--denoiser", "none").one_line()
    assert "NaN" in run("predict", picture, "--classifier", models.sure, "--denoiser", models.nan_denoiser).one_line()
    assert "NaN" in run("denoise", picture, "--denoiser", models.nan_denoiser, "--out", tmp_path / "out").one_line()
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", "{", "does not describe a model"),
        ("config.json", "[]", "does not describe a model"),
        ("config.json", '{"kind": "classifier", "architecture": "tower"}', "Unknown classifier architecture 'tower'"),
        ("model.safetensors", "nonsense", "cannot be loaded"),
    ],
)
def test_damaged_models(run, models, picture, tmp_path, file, content, words):
    good = Path(models.sure.removeprefix("local/"))
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((good / name).read_bytes())
    (folder / file).write_text(content)
    assert words in run("certify", picture, "--classifier", f"local/{folder}", "--denoiser", "none").one_line()


def test_words_that_are_no_command(run):
    assert "required: VERB" in run().one_line()
    assert "'dance'" in run("dance").one_line()
    assert "required: IMAGE" in run("certify").one_line()
    assert "unrecognized arguments: --jso" in run("models", "--jso").one_line()  # no guessing what was meant
