"""What the README and docs/statistics.md say of ending early is what the stored votes give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.smoothing.settings import Settings
from core.smoothing.table import limits
from experiments.replay.savings import Saving, VotesAtLooks, read_votes_at_looks, replay, saving

ROOT = Path(__file__).resolve().parents[2]
RADII = (0.25, 0.5, 0.75)


SETTINGS = Settings(sigma=0.25, norm="l2")
TABLE = replace(SETTINGS, method="group-sequential", table_radii=RADII)
ANYTIME = replace(SETTINGS, method="anytime")


@pytest.fixture(scope="module")
def runs() -> list[VotesAtLooks]:
    found = read_votes_at_looks(ROOT / "assets/evaluations/sequential/cifar10-stab-0.25.jsonl")
    assert sorted(run.idx for run in found) == list(range(0, 5_000, 20))
    return found


def replayed(runs: list[VotesAtLooks], settings: Settings, *radii: float) -> tuple[Saving, str]:
    """What it saves, and the cells of its row."""
    found = saving(runs, "asked", settings, radii=radii, shape=(3, 32, 32))
    early, fixed = (", ".join(f"{shares[r]:.1%}" for r in radii) for shares in (found.certified, found.fixed))
    return found, f"{found.passes:,.0f} | {found.part:.1%} | {{}}{early} and {fixed} |"


def test_a_fifth_of_the_passes_for_the_same_accuracy(runs: list[VotesAtLooks]) -> None:
    measured, _ = replayed(runs, TABLE, *RADII)
    assert measured.part <= 0.2
    assert all(abs(measured.certified[radius] - measured.fixed[radius]) <= 0.01 for radius in RADII)
    early, fixed = ([f"{100 * shares[radius]:.1f}" for radius in RADII] for shares in (measured.certified, measured.fixed))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"takes {measured.part:.0%} of the passes of a fixed n = 10,000 on the same 250 images" in readme
    assert f"{early[0]}, {early[1]} and {early[2]}% against {fixed[0]}, {fixed[1]} and {fixed[2]}%" in readme


@pytest.mark.parametrize(
    ("question", "settings", "radii"),
    [
        *((f"{radius:g} alone", replace(TABLE, table_radii=(radius,)), (radius,)) for radius in RADII),
        ("0.25, 0.5 and 0.75", TABLE, RADII),
        ("0, 0.25, 0.5 and 0.75", replace(TABLE, table_radii=(0.0, *RADII)), (0.0, *RADII)),
        ("until radius 0.25, by the anytime bound", replace(ANYTIME, until_radius=0.25), (0.25,)),
        pytest.param("within 5%", replace(ANYTIME, within=0.05), RADII, marks=pytest.mark.slow),
    ],
)
def test_the_table_of_the_statistics(
    runs: list[VotesAtLooks], question: str, settings: Settings, radii: tuple[float, ...]
) -> None:
    _, cells = replayed(runs, settings, *radii)
    row = f"| {question} | {cells.format('any radius; at these ' if settings.within else '')}\n"
    assert row in (ROOT / "docs/statistics.md").read_text(encoding="utf-8")


def test_one_picture_was_given_up_that_the_test_would_have_certified(runs: list[VotesAtLooks]) -> None:
    lost = []
    for radius in RADII:
        alone = replace(TABLE, table_radii=(radius,))
        limit = limits(TABLE.terms((3, 32, 32)).share_needed(radius), TABLE.n, TABLE.alpha)[-1]
        lost += [radius for run in runs if TABLE.n - run.votes[-1] <= limit and replay(run, alone, (3, 32, 32)).radius < radius]
    assert lost == [0.5]
    page = " ".join((ROOT / "docs/statistics.md").read_text(encoding="utf-8").split())
    assert f"In the runs below it was one picture of {len(runs)}, at 0.5." in page
