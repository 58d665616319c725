"""What the README and docs/statistics.md say of ending early is what the stored votes give."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.smoothing.settings import Settings
from experiments.replay.savings import Saving, read_votes_at_looks, saving

ROOT = Path(__file__).resolve().parents[2]
RADII = (0.25, 0.5, 0.75)


@pytest.fixture(scope="module")
def measured() -> Saving:
    runs = read_votes_at_looks(ROOT / "assets/evaluations/sequential/cifar10-stab-0.25.jsonl")
    assert sorted(run.idx for run in runs) == list(range(0, 5_000, 20))
    settings = Settings(sigma=0.25, method="group-sequential", table_radii=RADII)
    return saving(runs, "table", settings, radii=RADII, shape=(3, 32, 32))


def test_a_fifth_of_the_passes_for_the_same_accuracy(measured):
    assert measured.part <= 0.2
    assert all(abs(measured.certified[radius] - measured.fixed[radius]) <= 0.01 for radius in RADII)


def test_the_sentences_in_the_docs(measured):
    early, fixed = ([f"{100 * shares[radius]:.1f}" for radius in RADII] for shares in (measured.certified, measured.fixed))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"takes {measured.part:.0%} of the passes of a fixed n = 10,000 on the same 250 images" in readme
    assert f"{early[0]}, {early[1]} and {early[2]}% against {fixed[0]}, {fixed[1]} and {fixed[2]}%" in readme
    row = f"| 0.25, 0.5 and 0.75 | {measured.passes:,.0f} | {measured.part:.1%} | " + ", ".join(f"{e}%" for e in early)
    assert row in (ROOT / "docs/statistics.md").read_text(encoding="utf-8")
