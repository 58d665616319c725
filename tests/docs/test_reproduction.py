"""docs/reproduction.md and the README's table say what the stored logs give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
LOGS = sorted(map(str, (ROOT / "assets" / "evaluations").glob("cifar10-*.tsv")))
ROWS = {
    "no denoiser": "no denoiser",
    "MSE": "`bundled/cifar10-mse`, trained without any classifier",
    "STAB": "`bundled/cifar10-stab`",
    "black-box": "`bundled/cifar10-black-box`",
    "noise-trained": "noise-trained",
}


@pytest.mark.parametrize("options", [("--by-models", "--published", "cifar10-salman"), ()])
def test_the_page_has_the_tables(capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    assert main(["curve", *LOGS, *options, "--format", "markdown"]) == 0
    table = capsys.readouterr().out.split("\n\n")[0]
    assert len(table.splitlines()) >= 2 + 4
    assert table in (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("title", ROWS)
def test_the_readme_has_the_best_of_each(capsys: pytest.CaptureFixture[str], title: str) -> None:
    assert main(["curve", *LOGS, "--by-models", "--radii", "0.25,0.5,0.75,1", "--json"]) == 0
    best = json.loads(capsys.readouterr().out)["models"][title]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = (line for line in readme.splitlines() if line.startswith(f"| {ROWS[title]}"))
    cells = [cell.strip() for cell in row.strip("|").split("|")[1:]]
    expected = [
        f"{100 * b['certified']:.1f} [{100 * b['interval'][0]:.0f}, {100 * b['interval'][1]:.0f}]" for b in best.values()
    ]
    assert cells == expected
