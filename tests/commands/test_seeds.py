"""A seed that is not given is drawn, and told."""

from __future__ import annotations

import random

import pytest


@pytest.fixture(autouse=True)
def _as_outside_of_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.smoothing.settings.SYSTEM", random.SystemRandom())


def test_every_verb_that_certifies_draws_one(run, models, picture) -> None:
    for verb in ("certify", "predict"):
        asked = (verb, picture, "--classifier", models.sure, "--denoiser", "none", "--n", 50, "--json")
        documents = [run(*asked).document for _ in range(2)]
        assert documents[0]["seed"] != documents[1]["seed"]
        again = run(*asked, "--seed", documents[0]["seed"]).document
        assert again["counts"] == documents[0]["counts"]
