"""A small file never costs a big machine: what a config describes is counted before anything of it is allocated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors import LabError
from core.models.formats import limits, registry, weights
from core.models.formats.foreign import import_library
from core.models.formats.limits import UnplannedError, check_size, plan, unplanned
from core.models.formats.listing import MAX_CLASSES, Listing, misfit
from core.models.formats.registry import judge, read_network
from core.models.formats.weights import read_weights
from tests.models.formats import bombs

pytestmark = [pytest.mark.lowest, pytest.mark.filterwarnings("ignore")]  # of strangers' libraries
ROOT = Path(__file__).resolve().parents[3]
SENTENCES = (
    "do not fit each other",
    "no plain settings of its network",
    "must stand",
    "no side of a picture is above",
    "levels: expected",
    "levels for",
    "can't allocate memory",
    "does not take a picture of",
    "unpacks to",
    "larger than the numbers in it",
    "no tensors by name",
)


@pytest.fixture(scope="module")
def told() -> dict[str, tuple[str, float, int]]:
    """What each bomb was told, the seconds and the megabytes it took, in processes under a limit."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.formats.bombs"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=500, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr
    return {name: (said, seconds, megabytes) for name, said, seconds, megabytes in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_bomb_is_told_in_a_sentence_before_it_goes_off(told: dict[str, tuple[str, float, int]], name: str) -> None:
    said, seconds, megabytes = told[name]
    assert any(sentence in said for sentence in SENTENCES), said
    assert "\n" not in said
    assert seconds < bombs.SECONDS
    assert megabytes < 300


def test_files_beyond_the_limit_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(limits.MAX_WEIGHTS_BYTES + 1)  # a hole: takes no disk
    monkeypatch.setattr(weights, "load_file", lambda *args: pytest.fail("it was opened"))
    with pytest.raises(LabError, match="the limit is 16 GB"):
        read_weights(path)


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        check_size(tmp_path / "no.safetensors")


def test_weights_as_torch_writes_them_pass(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100, 100)}, tmp_path / "new.pth")
    torch.save({"a": torch.zeros(100, 100)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert check_size(tmp_path / "new.pth", tmp_path / "old.pth") > 80_000
    assert read_weights(tmp_path / "new.pth")["a"].shape == read_weights(tmp_path / "old.pth")["a"].shape == (100, 100)


def test_a_network_far_larger_than_its_weights_is_never_built() -> None:
    with pytest.raises(LabError, match="do not fit each other"):
        plan(lambda: nn.Linear(1000, 1000), 900_000)
    with pytest.raises(LabError, match=r"of 4,000\.0 GB in one tensor"):
        plan(lambda: nn.Linear(1_000_000, 1_000_000), 1000)
    plan(lambda: nn.Linear(10, 10), 440, (1, 10))


class Calls(nn.Module):
    """Does something when it is called."""

    def __init__(self, does: Any) -> None:
        super().__init__()
        self.layer, self.does = nn.Linear(4, 4), does

    def forward(self, x: torch.Tensor) -> Any:
        return self.does(self.layer(x))


@pytest.mark.parametrize(
    ("does", "what"),
    [
        (lambda x: x.repeat(10**6, 100), r"1\.6 GB in one tensor"),
        (lambda x: [x + 1 for _ in range(30_000)], "more than 20,000 steps"),
        (lambda x: x.new_zeros(5000, 5000) @ x.new_zeros(5000, 5000), "billion operations"),
        (lambda x: list(torch.zeros(20_000)), "more than 10,000 parts of one tensor"),
        (lambda x: torch.zeros(10**9, device="cpu"), r"4\.0 GB in one tensor"),
        (lambda x: nn.Sequential(*(nn.Identity() for _ in range(11_000))), "more than 10,000 layers"),
    ],
)
def test_what_a_network_would_take_to_answer_is_counted_too(does: Any, what: str) -> None:
    with pytest.raises(LabError, match=what):
        plan(lambda: Calls(does), 1000, (1, 4))


def test_what_happens_in_other_threads_is_not_counted() -> None:
    def elsewhere(x: torch.Tensor) -> torch.Tensor:
        made: list[nn.Module] = []
        thread = threading.Thread(target=lambda: made.append(nn.Sequential(*(nn.Linear(500, 500) for _ in range(3)))))
        thread.start()
        thread.join()
        assert made
        assert next(made[0].parameters()).device.type == "cpu"
        return x

    plan(lambda: Calls(elsewhere), 1000, (1, 4))


@pytest.mark.parametrize("arch", ["regnety_002", "regnetv_040", "test_efficientnet"])
def test_networks_that_compute_small_things_while_they_are_built_can_be_planned(arch: str) -> None:
    timm = import_library("timm")
    plan(lambda: timm.create_model(arch, pretrained=False), 90_000_000, (1, 3, 224, 224))
    plan(lambda: import_library("torchvision.models").regnet_y_400mf(weights=None), 20_000_000, (1, 3, 224, 224))


def test_a_failure_is_the_library_s_own_or_that_of_the_plan() -> None:
    def fails(x: torch.Tensor) -> None:
        raise ValueError("seven is odd")

    with pytest.raises(LabError, match=r"does not take a picture of 4: seven is odd"):
        plan(lambda: Calls(fails), 1000, (1, 4))
    with pytest.raises(ValueError, match="seven is odd"):
        plan(lambda: fails(torch.zeros(1)), 1000)  # type: ignore[func-returns-value, arg-type, return-value]
    with pytest.raises(UnplannedError):
        plan(lambda: Calls(lambda x: x.new_zeros(5000).sum().item()), 1000, (1, 4))
    with unplanned():
        plan(lambda: pytest.fail("it was built"), 1000)


@pytest.mark.parametrize(
    "asks",
    [
        lambda x: x.sum().item(),
        lambda x: 1 if x.sum() > 0 else 0,
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
        torch.unique,
        lambda x: x[x > 0],
        lambda x: torch.equal(x, x + 1),
    ],
)
def test_what_only_numbers_tell_is_not_planned_where_there_are_none(asks: Callable[[torch.Tensor], object]) -> None:
    with pytest.raises(UnplannedError):
        plan(lambda: Calls(lambda x: asks(x.new_ones(5000))), 1000, (1, 4))
    plan(lambda: Calls(asks), 1000, (1, 4))  # few numbers are there
    with pytest.raises(UnplannedError):
        plan(lambda: Calls(lambda x: torch.repeat_interleave(x.long().flatten())), 1000, (1, 4))
    with pytest.raises(LabError, match="lists of more than 4,096 numbers"):
        plan(lambda: Calls(lambda x: x.new_ones(5000).tolist()), 1000, (1, 4))


def scunet(folder: Path, **options: Any) -> None:
    network = import_library("deepinv.models").SCUNet(pretrained=None, device=torch.device("cpu"), **options)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    about = {"library": "deepinv", "architecture": "SCUNet", "options": options}
    (folder / "config.json").write_text(json.dumps(about))


def test_what_cannot_be_planned_is_read_apart_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        if limits._apart.planned:
            raise UnplannedError("It asks for a number.")

    monkeypatch.setattr("core.models.formats.deepinv_models.plan", cannot)
    scunet(tmp_path, config=[1] * 7, dim=16)
    assert read_network(tmp_path, "denoiser").architecture == "SCUNet"
    about = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(about | {"options": {"dim": 9000}}))
    with pytest.raises(LabError, match=r"can't allocate memory|takes over"):
        read_network(tmp_path, "denoiser")
    monkeypatch.setattr(registry, "_SECONDS", 0.2)
    with pytest.raises(LabError, match=r"takes over 2\.0 GB of memory or 0 seconds"):
        read_network(tmp_path, "denoiser")


WRONG: list[dict[str, Any]] = [
    {"architecture": ["resnet18"]},
    {"architectures": 5},
    {"architectures": "ViTForImageClassification"},
    {"model_type": {"a": 1}},
    {"library": 3},
    {"_class_name": ["UNet2DModel"]},
    {"kind": [1]},
    {"labels": [1, 2]},
    {"labels": "abc"},
    {"label_names": {"a": 1}},
    {"id2label": ["a"]},
    {"id2label": {"0": 7}},
    {"num_classes": "7"},
    {"num_classes": 7.0},
    {"num_classes": MAX_CLASSES + 1},
    {"num_labels": -1},
    {"std": 0},
    {"std": [1, 1, 0]},
    {"mean": "0.5"},
    {"mean": [0.5, 0.5]},
    {"input_size": "224"},
    {"input_size": [3, 224, 20_000]},
    {"input_size": [224]},
    {"sample_size": 0},
    {"pretrained_cfg": []},
    {"pretrained_cfg": {"input_size": "huge"}},
    {"model_args": "depth"},
    {"options": [1]},
    {"in_channels": "3"},
    {"sigma_range": [0]},
    {"sigma_range": [0, float("nan")]},
]


@pytest.mark.parametrize("config", WRONG, ids=str)
@pytest.mark.parametrize("kind", ["classifier", "denoiser"])
def test_values_of_other_types_are_refused_at_the_door(tmp_path: Path, kind: str, config: dict[str, Any]) -> None:
    wrong = misfit(config)
    assert wrong is not None
    assert judge(Listing(("config.json", "model.safetensors"), config), kind).loadable is False
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(LabError, match=rf"cannot be loaded as a {kind}: its .*, where .* must stand"):
        read_network(tmp_path, kind)
