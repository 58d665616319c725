"""Float noise is no proof, sound mode is: the program of docs/floating-point.md, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from core import certify
from core.pictures.pixels import to_pixels
from core.smoothing.noise import NoiseStream

ROOT = Path(__file__).parents[2]


def program_and_output() -> tuple[str, str]:
    page = (ROOT / "docs" / "floating-point.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```\s+(?:<!--[^>]*-->\s+)?```text\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1], found[2]


@pytest.fixture
def leak() -> dict:
    """The names that the program defines: x, changed, spy, SIGMA."""
    names: dict = {}
    exec(compile(program_and_output()[0].replace("print(", "str("), "floating-point.md", "exec"), names)
    return names


def test_the_program_prints_what_the_page_says(capsys):
    program, output = program_and_output()
    exec(compile(program, "floating-point.md", "exec"), {})
    assert capsys.readouterr().out == output


def test_float_certificates_contradict_each_other(leak):
    first, second = (certify(leak[name], leak["spy"], sigma=0.25, n=1_000, device="cpu") for name in ("x", "changed"))
    distance = float((leak["x"] - leak["changed"]).norm())
    assert first.prediction != second.prediction
    assert distance < min(first.radius, second.radius) / 20


def test_sound_certificates_do_not(leak):
    first, second = (
        certify(leak[name], leak["spy"], sigma=0.25, n=1_000, sound=True, device="cpu") for name in ("x", "changed")
    )
    assert first.prediction == second.prediction == 1
    assert first.radius == second.radius > 0.6


@pytest.mark.parametrize("sigma", [0.12, 0.25, 0.3, 1.0])
def test_the_spy_works_around_a_photograph_and_at_any_sigma(leak, sigma):
    picture = to_pixels(ROOT / "assets" / "samples" / "red-car.png", (32, 32))
    levels = (picture * 255).round()
    changed = torch.where(levels > 0, levels - 1, levels + 1) / 255
    assert abs(float((picture - changed).norm()) - 0.2174) < 1e-3
    leak.update(x=picture, SIGMA=sigma)
    noise = NoiseStream(tuple(picture.shape), 0, "estimate", torch.device("cpu"))(0, 200)
    assert leak["spy"](torch.add(picture, noise, alpha=sigma)).sum(0).tolist() == [200, 0]
    assert leak["spy"](torch.add(changed, noise, alpha=sigma)).sum(0).tolist() == [0, 200]
