"""Runs of a fixed n, replayed under rules that end them early."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy import stats

from core.errors import LabError
from core.smoothing.certify import certify_picture
from core.smoothing.noise import image_seed
from core.smoothing.settings import Settings
from core.smoothing.table import looks
from experiments.replay.__main__ import main
from experiments.replay.savings import VotesAtLooks, read_votes_at_looks, replay, sample_at_looks, saving

SHAPE, N = (3, 4, 4), 2_000
SETTINGS = Settings(sigma=0.25, n0=50, n=N, seed=3)
IN_TABLE = replace(SETTINGS, method="group-sequential", table_radii=(0.2, 0.4))


def classifier_with(share: float):
    """Class 1 for this share of the noisy copies of a grey picture, class 0 for the rest."""
    margin = 0.25 * stats.norm.ppf(share)

    def classifier(pixels):
        side = (pixels - 128 / 255).flatten(1).sum(dim=1) / math.sqrt(pixels[0].numel()) + margin
        return torch.stack([-side, side], dim=1)

    return classifier


GREY = torch.full(SHAPE, 128, dtype=torch.uint8)


@pytest.mark.parametrize("share", [0.99, 0.8])
@pytest.mark.parametrize(
    "asked",
    [
        {"method": "clopper-pearson"},
        {"method": "anytime", "until_radius": 0.4},
        {"method": "anytime", "within": 0.2},
        {"method": "group-sequential", "table_radii": (0.0, 0.2, 0.4)},
    ],
    ids=["fixed", "until", "within", "table"],
)
def test_a_replay_is_the_run_itself(share, asked):
    settings = replace(SETTINGS, **asked)
    kept = sample_at_looks(GREY, classifier_with(share), None, SETTINGS, label=1, index=7, device="cpu")
    found = replay(kept, settings, SHAPE)
    own = replace(settings, seed=image_seed(3, 7))
    c = certify_picture(GREY.float() / 255, classifier_with(share), None, own, device="cpu")
    assert (found.samples, found.radius) == (c.n, c.radius)
    assert found.predict == (-1 if c.prediction is None else c.prediction)
    assert (c.n < N) == settings.may_end_early


def kept(idx: int, label: int, share: float) -> VotesAtLooks:
    return VotesAtLooks(idx, label, 1, tuple(round(at * share) for at in looks(N)))


def test_what_is_saved_and_what_differs():
    runs = [kept(0, 1, 1.0), kept(1, 1, 0.95), kept(2, 0, 1.0), kept(3, 1, 0.4)]
    found = saving(runs, "table", IN_TABLE, radii=(0.2, 0.4, 0.45), shape=SHAPE)
    assert found.fixed == {0.2: 0.5, 0.4: 0.25, 0.45: 0.25}
    assert found.certified == {0.2: 0.5, 0.4: 0.25, 0.45: 0.0}  # which the table did not ask for
    assert found.differing == {0.2: 0, 0.4: 0, 0.45: 1}
    taken = [replay(run, IN_TABLE, SHAPE).samples for run in runs]
    assert found.passes == 50 + sum(taken) / 4
    assert found.part == found.passes / (50 + N)
    assert found.part < 0.4
    with pytest.raises(LabError, match="No image has been sampled"):
        saving([], "table", SETTINGS, radii=(0.2,), shape=SHAPE)


def test_votes_are_written_and_read_and_others_are_named(tmp_path):
    path = tmp_path / "votes.jsonl"
    path.write_text(kept(4, 2, 0.9).to_line() + "\n")
    assert read_votes_at_looks(path) == [kept(4, 2, 0.9)]
    with pytest.raises(LabError, match="Image 4 has votes at"):
        replay(kept(4, 2, 0.9), replace(SETTINGS, n=100), SHAPE)
    path.write_text(kept(4, 2, 0.9).to_line() + "\n{}\n")
    with pytest.raises(LabError, match="line 2 does not hold the votes of an image"):
        read_votes_at_looks(path)
    with pytest.raises(LabError, match="cannot be read"):
        read_votes_at_looks(tmp_path / "none.jsonl")


def test_the_command_goes_on_where_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "votes.jsonl"
    arguments = [
        "--dataset",
        "shapes",
        "--every",
        "500",
        "--denoiser",
        "none",
        "--n",
        "64",
        "--n0",
        "8",
        "--alpha",
        "0.05",
        "--table-radii",
        "0.05,0.1",
        "--device",
        "cpu",
        "--out",
        str(out),
        "--json",
    ]
    assert main(arguments) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["images"] == 2
    assert {rule["rule"] for rule in first["rules"]} >= {"table radii together", "within 0.05", "until radius 0.1"}
    lines = out.read_text()
    out.write_text(lines[: lines.index("\n") + 9])
    assert main([*arguments, "--resume"]) == 0
    assert out.read_text() == lines
    assert json.loads(capsys.readouterr().out) == first
    assert main([*arguments, "--resume", "--sigma", "0.5"]) == 2
    assert "another sigma" in capsys.readouterr().err
    shown = ["--summary", str(out), "--alpha", "0.05", "--table-radii", "0.05,0.1", "--json"]
    assert main(shown) == 0
    assert json.loads(capsys.readouterr().out) == first
    for wrong, says in ((["--out", str(out)], "leave --dataset"), (["--summary", str(tmp_path / "none")], "cannot be read")):
        assert main([*shown, *wrong]) == 2
        assert says in capsys.readouterr().err
    assert main(["--out", str(out)]) == 2
    assert "expected --dataset and --out FILE" in capsys.readouterr().err


def test_a_radius_that_no_run_can_show_is_replayed_too():
    far = replace(SETTINGS, method="anytime", until_radius=9.0)
    found = replay(kept(0, 1, 0.9), far, SHAPE)
    assert (found.samples, found.predict) == (32, 1)  # out of reach at the first look
