"""The benchmark of engines at ImageNet's size."""

from __future__ import annotations

import pytest

QUICK = ("--classifiers", "mobilenetv3_small_050", "--engines", "eager", "--size", 64, "--n", 4, "--rounds", 1)


def test_the_document_has_every_engine_and_format(run):
    ran = run("bench_imagenet", *QUICK, "--json")
    assert ran.code == 0
    (found,) = ran.document["classifiers"]
    assert (found["classifier"], found["size"]) == ("timm/mobilenetv3_small_050", 64)
    assert [(p["engine"], p["precision"]) for p in found["programs"]] == [("eager", "float32"), ("eager", "bfloat16")]
    assert all(p["networks_samples_per_second"] > 0 for p in found["programs"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--classifiers", "nothing_of_timm"), "timm has no 'nothing_of_timm'"),
        (("--engines", "turbo"), "Unknown engine 'turbo'"),
        (("--size", 4), "8 to 1024"),
    ],
)
def test_mistakes(run, words, says):
    assert says in run("bench_imagenet", *words).one_line()
