"""`certify`: the document, the text, several pictures, Ctrl-C."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

import core
from core.commands.terminal import ProgressLine
from core.smoothing.bounds import anytime_lower
from core.smoothing.radius import l2_radius


def test_the_document_is_the_certificate_of_the_python_call(run, models, picture):
    ran = run("certify", picture, "--classifier", models.sure, "--denoiser", models.denoiser, "--n", 120, "--seed", 7, "--json")
    assert ran.code == 0
    expected = core.certify(
        picture, core.load_classifier(models.sure), core.load_denoiser(models.denoiser), sigma=0.25, n=120, seed=7
    ).to_dict()
    for volatile in ("seconds", "samples_per_second"):
        assert ran.document[volatile] > 0
        expected[volatile] = ran.document[volatile]
    assert ran.document == expected
    assert ran.document["prediction"] == {"index": 1, "label": "dog"}
    assert ran.document["counts"] == [0, 120, 0]


def test_defaults_are_those_of_the_field(run, models, picture):
    ran = run("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 200, "--json")
    chosen = {name: ran.document[name] for name in ("sigma", "n0", "alpha", "seed", "method", "norm")}
    assert chosen == {"sigma": 0.25, "n0": 100, "alpha": 0.001, "seed": 0, "method": "clopper-pearson", "norm": "l2"}
    assert ran.document["denoiser"] == {"ref": "none", "revision": None, "weights": None}


def test_every_option_reaches_the_certificate(run, models, picture):
    ran = run(
        "certify",
        picture,
        "--classifier",
        models.torn,
        "--denoiser",
        models.denoiser,
        "--sigma",
        0.4,
        "--n0",
        20,
        "--n",
        80,
        "--alpha",
        0.01,
        "--seed",
        3,
        "--method",
        "anytime",
        "--device",
        "cpu",
        "--batch-size",
        17,
        "--json",
    )
    document = ran.document
    found = [document[name] for name in ("sigma", "n0", "n", "alpha", "seed", "method", "device")]
    assert found == [0.4, 20, 80, 0.01, 3, "anytime", "cpu"]
    other = run(
        "certify",
        picture,
        "--classifier",
        models.torn,
        "--denoiser",
        models.denoiser,
        "--sigma",
        0.4,
        "--n0",
        20,
        "--n",
        80,
        "--alpha",
        0.01,
        "--seed",
        3,
        "--method",
        "anytime",
        "--json",
    )
    assert other.document["counts"] == document["counts"]  # whatever the batches


def test_noise_norm_and_sides_reach_the_certificate(run, models, picture):
    words = ("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 200, "--json")
    found = run(*words, "--noise", "laplace", "--norm", "linf", "--two-sided").document
    assert (found["noise"], found["norm"], found["two_sided"], found["sound"]) == ("laplace", "linf", True, False)
    assert found["radius"] == found["radii"]["linf"] == pytest.approx(found["radii"]["l1"] / (3 * 32 * 32))
    sound = run(*words, "--sound").document
    assert (sound["sound"], sound["noise"], sound["norm"]) == (True, "gaussian", "l2")
    assert run(*words, "--noise", "uniform").document["norm"] == "l1"
    assert "Sound mode draws Gaussian noise" in run(*words, "--sound", "--noise", "uniform").one_line()


def test_until_a_radius_is_settled(run, models, picture):
    words = ("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 5000, "--until-radius", 0.3)
    ran = run(*words, "--json")
    assert ran.code == 0
    assert "stopped" not in ran.err
    document = ran.document
    assert (document["settled"], document["until_radius"], document["method"]) == ("reached", 0.3, "anytime")
    assert document["n"] < 200
    assert document["radius"] >= 0.3
    text = run(*words).out
    assert "The l2 radius 0.3 is reached, settled after" in text
    assert "stopped of" not in text
    wrong = run(*words, "--method", "clopper-pearson").one_line()
    assert "use method 'anytime'" in wrong


def test_a_radius_out_of_reach_is_said_with_its_own_chance_of_error(run, models, picture):
    words = ("certify", picture, "--classifier", models.torn, "--denoiser", "none", "--n", 5000, "--until-radius", 0.5)
    text = run(*words).out
    assert "The l2 radius 0.5 is out of reach, settled after" in text
    assert "with probability at least 99.9%, a statement of its own" in text


def test_text_names_noise_norm_and_sides(run, models, picture):
    words = ("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 200)
    text = run(*words, "--norm", "linf", "--sound", "--two-sided").out
    for part in ("certified within l-infinity radius 0.00", "Gaussian noise on the 8-bit grid (sound)", "two-sided", "p_upper"):
        assert part in text
    assert "changes between 8-bit pictures measured in the l-infinity norm only" in text
    assert "Uniform noise" in run(*words, "--noise", "uniform").out


def test_options_that_no_api_takes_are_refused(run, picture):
    for option in (("--noise", "laplace"), ("--norm", "l1"), ("--sound",), ("--two-sided",)):
        message = run("certify", picture, "--classifier", "api/demo", "--offline", *option).one_line()
        assert f"{option[0]} is not for APIs" in message


def test_text_tells_answer_radius_and_caveats(run, models, picture):
    ran = run("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 1000)
    assert "star.png: dog, certified within l2 radius 0.6158" in ran.out
    assert "ceiling 0.6158" in ran.out
    assert "0.25 (63.75/255)" in ran.out
    for words in ("smoothed classifier", "l2 norm only", "at least 1 - 0.001", "robust is not the same as right"):
        assert words in ran.out


def test_abstention_names_its_cause_and_certifies_nothing(run, models, picture):
    words = ("certify", picture, "--classifier", models.torn, "--denoiser", "none", "--n", 300)
    ran = run(*words, "--json")
    assert ran.document["prediction"] is None
    assert ran.document["abstained"] is True
    assert ran.document["radius"] == 0
    assert min(ran.document["counts"][:2]) > 90
    text = run(*words).out
    assert "abstains" in text
    assert "of 300 noisy copies said" in text
    assert "certified within" not in text


def test_a_bad_picture_does_not_stop_the_rest(run, models, picture, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(picture.read_bytes()[:-400])
    ran = run(
        "certify", bad, picture, tmp_path / "none.png", "--classifier", models.sure, "--denoiser", "none", "--n", 100, "--json"
    )
    assert ran.code == 2
    assert [c["path"] for c in ran.document["certificates"]] == [str(picture)]
    assert ran.document["certificates"][0]["n"] == 100
    assert [f["path"] for f in ran.document["failed"]] == [str(bad), str(tmp_path / "none.png")]
    assert "damaged" in ran.document["failed"][0]["error"]
    assert ran.err.count("failed:") == 2


def test_several_good_pictures_exit_with_zero(run, models, picture):
    ran = run("certify", picture, picture, "--classifier", models.sure, "--denoiser", "none", "--n", 100)
    assert ran.code == 0
    assert ran.out.count("star.png: dog") == 2


def press_ctrl_c_when_counting(monkeypatch):
    """Send this process SIGINT at the first progress after the class was chosen."""
    show = ProgressLine.show

    def show_and_press(self, text):
        show(self, text)
        if "so far" in text:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ProgressLine, "show", show_and_press)


def test_ctrl_c_leaves_a_valid_certificate(run, models, picture, monkeypatch):
    press_ctrl_c_when_counting(monkeypatch)
    before = signal.getsignal(signal.SIGINT)
    ran = run(
        "certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 100_000, "--batch-size", 50, "--json"
    )
    assert ran.code == 130
    document = ran.document
    assert document["stopped"] is True
    assert document["method"] == "anytime"
    assert 50 <= document["n"] < 100_000
    assert document["n_planned"] == 100_000
    assert document["failure_probability"] == pytest.approx(0.002)
    assert document["radius"] == pytest.approx(l2_radius(anytime_lower(document["n"], document["n"], 0.001), 0.25))
    assert "stopped after" in ran.err
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_names_the_pictures_not_begun(run, models, picture, monkeypatch):
    press_ctrl_c_when_counting(monkeypatch)
    ran = run("certify", picture, picture, "--classifier", models.sure, "--denoiser", "none", "--n", 100_000, "--json")
    assert ran.code == 130
    assert ran.document["certificates"][0]["stopped"] is True
    assert ran.document["failed"] == [{"path": str(picture), "error": "not begun: stopped by Ctrl-C"}]


def test_sigma_outside_the_denoisers_range_is_remarked_on(run, models, picture):
    words = ("certify", picture, "--classifier", models.sure, "--denoiser", models.denoiser, "--n", 50, "--json")
    assert "was trained for sigma 0 to 0.5" in run(*words, "--sigma", 0.75).err
    assert run(*words, "--sigma", 0.5).err == ""


def test_what_was_changed_in_a_picture_is_remarked_on(run, models, tmp_path):
    path = tmp_path / "glass.png"
    Image.new("RGBA", (40, 20), (255, 0, 0, 100)).save(path)
    ran = run("certify", path, "--classifier", models.sure, "--denoiser", "none", "--n", 50, "--json")
    assert ran.code == 0
    assert "note: glass.png is partly transparent" in ran.err
    assert (ran.document["image"]["height"], ran.document["image"]["width"]) == (32, 32)


@pytest.mark.gpu
def test_certify_on_a_gpu(run, models, picture):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    ran = run(
        "certify",
        picture,
        "--classifier",
        models.sure,
        "--denoiser",
        models.denoiser,
        "--n",
        5000,
        "--device",
        "cuda",
        "--json",
    )
    assert ran.document["device"] == "cuda"
    assert ran.document["counts"] == [0, 5000, 0]


def test_a_stranger_in_the_folder_of_pictures(run, models, tmp_path: Path):
    assert "cannot be read" in run("certify", tmp_path, "--classifier", models.sure, "--denoiser", "none").one_line()
