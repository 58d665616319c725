"""`bench`."""

from __future__ import annotations

import pytest


def test_the_document(run, models):
    ran = run(
        "bench",
        "--classifier",
        models.sure,
        "--denoiser",
        models.denoiser,
        "--n",
        12,
        "--batch-size",
        4,
        "--rounds",
        3,
        "--json",
    )
    assert ran.code == 0
    document = ran.document
    assert document["device"] in ("cpu", "cuda", "mps")
    assert document["certify_samples_per_second"] > 0
    assert document["networks_samples_per_second"] > 0
    assert document["ratio"] == pytest.approx(sorted(pair[0] / pair[1] for pair in document["rounds"])[1])
    assert (document["n"], document["batch_size"], document["size"]) == (12, 4, 32)
    assert len(document["rounds"]) == 3
    middle = sorted(pair[0] for pair in document["rounds"])[1]
    assert document["certify_samples_per_second"] == pytest.approx(middle)


def test_text_without_denoiser_at_another_size(run, models):
    out = run(
        "bench", "--classifier", models.sure, "--denoiser", "none", "--size", 40, "--n", 1, "--batch-size", 1, "--rounds", 1
    ).out
    assert "behind none, 40 x 40 pixels" in out
    assert "ratio" in out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--n", 0, "--n is 0"), ("--rounds", 0, "--rounds is 0"), ("--size", 4, "8 to 1024"), ("--sigma", "nan", "sigma is nan")],
)
def test_mistakes(run, models, option, value, words):
    assert words in run("bench", "--classifier", models.sure, "--denoiser", "none", option, value).one_line()


def test_the_document_of_training(run, models):
    ran = run("bench", "--training", "--arch", "ffdnet", "--batch-size", 2, "--size", 16, "--rounds", 1, "--json")
    assert ran.code == 0
    document = ran.document
    assert document["training_images_per_second"] > 0
    assert document["bare_images_per_second"] > 0
    assert document["ratio"] == pytest.approx(document["rounds"][0][0] / document["rounds"][0][1])
    assert (document["architecture"], document["objective"], document["precision"]) == ("ffdnet", "mse", "float32")


def test_text_of_training_through_a_classifier(run, models):
    words = ("--objective", "stab", "--classifier", models.sure, "--precision", "bf16", "--no-channels-last")
    ran = run("bench", "--training", *words, "--batch-size", 2, "--size", 16, "--rounds", 1, "--device", "cpu")
    assert f"stab through {models.sure}, 16 x 16 pixels" in ran.out
    assert "bf16" in ran.out


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--n", 5, "--n counts samples of certification"),
        ("--size", 4, "8 to 1024"),
        ("--precision", "fp16", "for CUDA devices"),
    ],
)
def test_mistakes_of_training(run, option, value, words):
    assert words in run("bench", "--training", option, value, "--device", "cpu").one_line()


def test_the_document_of_an_evaluation(run, models):
    words = ("--classifier", models.sure, "--denoiser", models.denoiser, "--n", 40, "--rounds", 3, "--json")
    ran = run("bench", "--evaluation", *words)
    assert ran.code == 0
    document = ran.document
    assert (document["images"], document["n0"], document["n"]) == (4, 100, 40)
    assert document["ratio"] == pytest.approx(sorted(pair[0] / pair[1] for pair in document["rounds"])[1])
    middle = sorted(pair[1] for pair in document["rounds"])[1]
    assert document["certify_samples_per_second"] == pytest.approx(middle)


def test_text_of_an_evaluation(run, models):
    ran = run("bench", "--evaluation", "--classifier", models.sure, "--denoiser", "none", "--n", 10, "--rounds", 1)
    assert "4 images of 32 x 32 pixels, 100 + 10 samples each" in ran.out
    assert "image by image" in ran.out


@pytest.mark.parametrize(
    ("words", "says"), [(("--training",), "measure different things"), (("--batch-size", 4), "--batch-size is not for")]
)
def test_mistakes_of_an_evaluation(run, models, words, says):
    assert says in run("bench", "--evaluation", "--classifier", models.sure, "--denoiser", "none", *words).one_line()
