"""`predict`."""

from __future__ import annotations

import core


def test_the_document_is_the_prediction_of_the_python_call(run, models, picture):
    ran = run("predict", picture, "--classifier", models.sure, "--denoiser", models.denoiser, "--n", 200, "--seed", 4, "--json")
    assert ran.code == 0
    expected = core.predict(
        picture, core.load_classifier(models.sure), core.load_denoiser(models.denoiser), sigma=0.25, n=200, seed=4
    ).to_dict()
    for volatile in ("seconds", "samples_per_second"):
        expected[volatile] = ran.document[volatile]
    assert ran.document == expected
    assert ran.document["prediction"] == {"index": 1, "label": "dog"}


def test_text(run, models, picture):
    out = run("predict", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 100).out
    assert "star.png: dog, by the smoothed classifier" in out
    assert "no radius comes with it" in out


def test_a_tie_abstains_and_says_why(run, models, picture):
    words = ("predict", picture, "--classifier", models.torn, "--denoiser", "none", "--n", 300)
    assert run(*words, "--json").document["abstained"] is True
    assert "too close to tell" in run(*words).out


def test_several(run, models, picture, tmp_path):
    ran = run(
        "predict", picture, tmp_path / "none.png", "--classifier", models.sure, "--denoiser", "none", "--n", 100, "--json"
    )
    assert ran.code == 2
    assert ran.document["predictions"][0]["path"] == str(picture)
    assert len(ran.document["failed"]) == 1


def test_n_below_the_least_that_can_decide(run, models, picture):
    line = run("predict", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 10).one_line()
    assert "fewer than 11 samples" in line
