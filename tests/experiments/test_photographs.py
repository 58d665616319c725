"""What denoisers are worth before photographs."""

from __future__ import annotations

import math

import pytest
from PIL import Image

from core.data.shapes import make_shapes
from core.pictures.pixels import to_picture


@pytest.fixture
def folders(tmp_path):
    """Three labelled pictures of 32 pixels, and two of other sizes to restore."""
    pictures, _ = make_shapes(3, seed=8)
    for name, pixels in zip(("cat", "dog", "frog"), pictures, strict=True):
        (tmp_path / "data" / name).mkdir(parents=True)
        to_picture(pixels.float() / 255).save(tmp_path / "data" / name / "0.png")
    (tmp_path / "whole").mkdir()
    for number, size in enumerate(((41, 30), (20, 20))):
        Image.new("RGB", size, (128, 128, 128)).save(tmp_path / "whole" / f"{number}.png")
    return tmp_path


def test_one_row_a_denoiser_under_the_same_noise(run, models, folders):
    words = ("--dataset", f"folder/{folders / 'data'}", "--classifier", models.sure, "--restore", folders / "whole")
    asked = ("--denoiser", "none", "--denoiser", "classical/median", "--draws", 3, "--sigmas", "0.25", "--device", "cpu")
    ran = run("photographs", *words, *asked, "--restore-sigmas", "10/255", "--json")
    assert ran.code == 0, ran.err
    none, median = ran.document["rows"]
    assert (ran.document["pictures"], ran.document["restored"]) == (3, 2)
    # Grey is never clipped: the error of the noisy picture is that of the noise.
    assert none["psnr"]["10/255"] == pytest.approx(-20 * math.log10(10 / 255), abs=0.15)
    assert median["psnr"]["10/255"] > none["psnr"]["10/255"] + 5
    # It gives every picture the same class, which one of the three has.
    assert none["accuracy"] == {models.sure: {"0.25": pytest.approx(1 / 3, abs=1e-4)}}
    assert none["pictures_per_second"] is None
    assert median["pictures_per_second"] > 0
    again = run("photographs", *words, *asked, "--restore-sigmas", "10/255", "--json")
    assert again.document["rows"][0] == none


def test_the_table(run, models, folders):
    ran = run("photographs", "--dataset", f"folder/{folders / 'data'}", "--classifier", models.sure, "--draws", 1)
    assert ran.code == 0, ran.err
    assert "| `none` | 33.3 / 33.3 / 33.3 |" in ran.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--sigmas", "loud"), "no list of sigmas"),
        (("--draws", 0), "--draws must be at least 1"),
        (("--restore", "nowhere"), "no folder 'nowhere'"),
        (("--denoiser", "package/nothing"), "choose one of package/"),
    ],
)
def test_mistakes(run, models, folders, options, words):
    ran = run("photographs", "--dataset", f"folder/{folders / 'data'}", "--classifier", models.sure, *options)
    assert ran.code == 2
    assert words in ran.err
