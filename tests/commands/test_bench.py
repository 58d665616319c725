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


def test_engines_are_compared_by_turns(run, models):
    words = ("bench", "--classifier", models.sure, "--denoiser", models.denoiser, "--n", 80, "--rounds", 3)
    document = run(*words, "--engines", "eager", "--json").document
    float32, bfloat16 = document["programs"]
    assert [(p["engine"], p["precision"]) for p in (float32, bfloat16)] == [("eager", "float32"), ("eager", "bfloat16")]
    assert all(len(row) == 5 for row in document["rounds"])  # the loop, and each program twice
    assert float32["times_cohen"] == pytest.approx(sorted(row[1] / row[0] for row in document["rounds"])[1])
    assert bfloat16["ratio"] == pytest.approx(sorted(row[3] / row[4] for row in document["rounds"])[1])
    assert document["notices"] == []
    out = run(*words, "--engines", "eager", "--batch-size", 8).out
    assert "batches of 8;" in out
    assert "the loop of Cohen et al., eager float32, batches of 100" in out
    assert "Unknown engine 'turbo'" in run(*words, "--engines", "eager,turbo").one_line()
