"""The benchmark of `evaluate`."""

from __future__ import annotations

import pytest


def test_the_document_of_an_evaluation(run, models):
    words = ("--classifier", models.sure, "--denoiser", models.denoiser, "--n", 40, "--rounds", 3, "--json")
    ran = run("bench_evaluation", *words)
    assert ran.code == 0
    document = ran.document
    assert (document["images"], document["n0"], document["n"]) == (4, 100, 40)
    assert document["ratio"] == pytest.approx(sorted(pair[0] / pair[1] for pair in document["rounds"])[1])
    middle = sorted(pair[1] for pair in document["rounds"])[1]
    assert document["certify_samples_per_second"] == pytest.approx(middle)


def test_text_of_an_evaluation(run, models):
    ran = run("bench_evaluation", "--classifier", models.sure, "--denoiser", "none", "--n", 10, "--rounds", 1)
    assert "4 images of 32 x 32 pixels, 100 + 10 samples each" in ran.out
    assert "image by image" in ran.out


@pytest.mark.parametrize(("words", "says"), [(("--size", 4), "8 to 1024"), (("--rounds", 0), "--rounds is 0")])
def test_mistakes_of_an_evaluation(run, models, words, says):
    assert says in run("bench_evaluation", "--classifier", models.sure, "--denoiser", "none", *words).one_line()
