"""No radius is written larger than it is certified, wherever it stands; what a log holds is read back exactly."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from core.__main__ import main
from core.commands.results import certificate_lines
from core.data.datasets import LabelledImages
from core.evaluation.evaluate import evaluate
from core.evaluation.log import LogLine, log_text, parse_log
from core.figures.certificate import radius_bar
from core.report.notation import radius_text, read_number, read_numbers
from core.report.words import NamedRadius, headline
from core.smoothing.bounds import clopper_pearson_lower
from core.smoothing.certify import certify
from core.smoothing.radius import asked_text, floored, l2_radius, raised
from core.smoothing.settings import Settings

ROOT = Path(__file__).parents[2]
POSSIBLE = [l2_radius(clopper_pearson_lower(k, 1_000, 0.001), sigma) for sigma in (0.25, 1.0) for k in range(560, 1_001)]
PROVEN = {"radius", "radius_ceiling", "p_lower", "certified", "acr"}
"""Names of what is proven: written by :func:`floored`. Sizes of attacks are none of them, though they be called radius."""
ATTACKS = {"search", "now", "shown", "progress", "curve.steps", "share", "best"}


def test_no_possible_radius_is_shown_larger_than_it_is() -> None:
    assert len({round(radius, 9) for radius in POSSIBLE}) > 800
    for form in (".2f", ".3f", ".4f", ".2g", ".3g", ".4g", ".6g"):
        assert all(float(floored(radius, form)) <= radius <= float(raised(radius, form)) for radius in POSSIBLE)
        for radius in POSSIBLE:  # and never by more than a unit of the last place
            assert radius - float(floored(radius, form)) < 10.0 ** (-int(form[1]) + (1 if form[2] == "g" else 0)) * max(
                1, radius
            )
    assert sum(float(f"{radius:.3f}") > radius for radius in POSSIBLE) > 200, "as rounding would"
    linf = [radius / 3_072**0.5 for radius in POSSIBLE]
    assert all(float(radius_text(radius)) <= radius for radius in POSSIBLE + linf)
    # What was asked for as a decimal number stays as it was typed, though the float nearest to it be smaller.
    assert [asked_text(radius) for radius in (0.1, 0.3, 0.7, 1.0, 2 / 255)] == ["0.1", "0.3", "0.7", "1", "0.00784313"]
    assert (floored(0.0, ".3f"), floored(1e-5, ".3g"), floored(0.99999, ".2f")) == ("0.000", "1e-05", "0.99")


def leaning(pixels: torch.Tensor) -> torch.Tensor:
    side = (pixels - 0.5).flatten(1).sum(dim=1) / pixels[0].numel() ** 0.5 + 0.35
    return torch.stack([side, -side], dim=1)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("seed", range(4))
def test_every_text_and_figure_of_a_certificate_rounds_down(seed: int, norm: str) -> None:
    c = certify(torch.full((3, 4, 4), 0.5), leaning, sigma=0.25, n=500, seed=seed, norm=norm, device="cpu")
    assert c.radius > 0
    told = re.search(r"certified within .* radius ([\d.]+)", "\n".join(certificate_lines("a.png", c)))
    assert told is not None
    assert c.radius - 1e-4 < float(told[1]) <= c.radius
    distance = re.search(r"distance ([\d.]+)", headline(c))
    assert distance is not None
    assert c.radius - 1e-3 < float(distance[1]) <= c.radius
    bar = radius_bar(NamedRadius("one", c.radius), c.radius_ceiling).data[1]
    assert max(float(bar.text[0]), float(bar.customdata[0])) <= c.radius


def test_nothing_proven_is_formatted_but_by_the_one_that_rounds_down() -> None:
    found = []
    for path in sorted((ROOT / "core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FormattedValue) and node.format_spec is not None and isinstance(node.value, ast.Attribute):
                rounds = re.search(r"\.\d[fg]", ast.unparse(node.format_spec))
                if rounds and node.value.attr in PROVEN and ast.unparse(node.value.value) not in ATTACKS:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node.value)}")
    assert found == []


def test_a_log_is_read_back_exactly() -> None:
    radii = [*POSSIBLE, 8 / 255, 2 / 255, 1e-9, 0.0]
    lines = [LogLine(i, 0, 0, radius, True, 0.5) for i, radius in enumerate(radii)]
    assert parse_log(log_text(lines).encode(), "a.tsv")[0].radius.tolist() == radii


def test_an_evaluation_in_l_infinity_and_its_curve_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sure(pixels: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0]]).repeat(len(pixels), 1)

    radius = read_number("8/255")
    settings = Settings(1.0, n=1_000, norm="linf", method="group-sequential", table_radii=(radius,))
    data = LabelledImages(torch.full((2, 3, 16, 16), 128, dtype=torch.uint8), torch.tensor([0, 1]), torch.arange(2), None)
    out = tmp_path / "log.tsv"
    lines = [line for line, _ in evaluate(data, sure, None, settings, device="cpu")]
    out.write_text(log_text(lines))
    out.with_suffix(".json").write_text(json.dumps(asdict(replace(settings, norm="linf"))))
    assert [line.radius for line in lines] == [radius, radius]
    assert main(["curve", str(out), "--radii", "2/255,8/255", "--json"]) == 0
    certified = json.loads(capsys.readouterr().out)["logs"][0]["certified"]
    assert certified == {"0.00784313": 0.5, "0.0313725": 0.5}


def test_radii_are_typed_as_fractions_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_numbers("2/255, 0.5/255,1/0,8/,/2,a/b,4/8/2") == ([2 / 255, 0.5 / 255], ["1/0", "8/", "/2", "a/b", "4/8/2"])
    for option, text in (("--until-radius", "8/0"), ("--until-radius", "8/x"), ("--table-radii", "1/0")):
        assert main(["certify", "nowhere.png", option, text]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "8/255" in told
    assert main(["curve", "nowhere.tsv", "--radii", "8/0"]) == 2
    assert "is no list of" in capsys.readouterr().err
