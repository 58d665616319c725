"""`train-classifier` and `train-denoiser`, on a few pictures."""

from __future__ import annotations

import json
import signal

import pytest
import torch
from PIL import Image

import core.training.denoiser
from core.commands import train
from core.evaluation.datasets import SHAPES_SIZES
from core.evaluation.shapes import make_shapes
from core.models.storage import read_model
from core.pixels import to_picture
from core.training.objectives import mse

QUICK = ("--epochs", 1, "--batch-size", 50, "--device", "cpu")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """folder/PATH with two classes, 60 pictures each to train on and 50 to measure with."""
    root = tmp_path_factory.mktemp("data")
    for split, count, seed in (("train", 60, 1), ("test", 50, 2)):
        pictures, labels = make_shapes(10 * count, seed)
        for label, name in enumerate(("circle", "square")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number, pixels in enumerate(pictures[labels == label]):
                to_picture(pixels[:, 8:24, 8:24].float() / 255).save(folder / f"{number:03}.png")
    return f"folder/{root}"


@pytest.fixture
def few_shapes(monkeypatch):
    monkeypatch.setitem(SHAPES_SIZES, "train", 150)
    monkeypatch.setitem(SHAPES_SIZES, "test", 120)


def test_a_classifier_and_a_denoiser_for_it(run, few_shapes, tmp_path):
    ran = run(
        "train-classifier", "--dataset", "shapes", "--out", tmp_path / "c", *QUICK, "--widths", "4", "--limit", 130, "--json"
    )
    assert ran.code == 0
    card = ran.document
    assert card == json.loads((tmp_path / "c" / "card.json").read_text())
    assert 0 <= card["test_accuracy"] <= 1
    assert card["test_images"] == 120
    assert card["data"] == "shapes, split train, 130 pictures"
    assert card["stopped_early"] is False
    assert card["recipe"]["epochs"] == 1
    assert card["command"].startswith("python -m core train-classifier --dataset shapes")
    ran = run(
        "train-denoiser", "--dataset", "shapes", "--out", tmp_path / "d", *QUICK, "--widths", "4,8",
        "--objective", "stab", "--classifier", f"local/{tmp_path / 'c'}", "--sigma", "0.1:0.5", "--json",
    )  # fmt: skip
    assert ran.code == 0
    assert set(ran.document["test"]) == {f"{what}_{s}" for what in ("psnr", "one_shot_accuracy") for s in (0.12, 0.25, 0.5)}
    network, config = read_model(tmp_path / "d")
    assert config.sigma_range == (0.1, 0.5)
    assert network(torch.rand(1, 3, 32, 32), 0.2).shape == (1, 3, 32, 32)


def test_resuming_goes_on_from_the_checkpoint(run, data, tmp_path):
    words = ("train-classifier", "--dataset", data, "--out", tmp_path, "--batch-size", 50, "--widths", "4", "--device", "cpu")
    assert run(*words, "--epochs", 2, "--json").code == 0
    ran = run(*words, "--epochs", 2, "--resume", "--json")
    assert [row["epoch"] for row in ran.document["history"]] == [1, 2]
    assert "another epochs" in run(*words, "--epochs", 3, "--resume").one_line()
    (tmp_path / "checkpoint.pt").write_bytes(b"nonsense")
    assert "damaged" in run(*words, "--epochs", 2, "--resume").one_line()


def test_a_checkpoint_of_mse_is_not_resumed_as_stab(run, models, data, tmp_path):
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path, *QUICK, "--widths", "4,8", "--classifier", models.sure)
    assert run(*words).code == 0
    ran = run(*words, "--resume", "--objective", "stab")
    assert ran.code == 2
    assert "another objective (mse, now stab): use the same, or start anew" in ran.err.splitlines()[-1]
    ran = run(*words, "--resume", "--start", f"local/{tmp_path}")
    assert f"another start (none, now local/{tmp_path}): use the same" in ran.err.splitlines()[-1]


def test_where_the_loss_is_no_number_the_last_good_epoch_is_kept(run, data, tmp_path, monkeypatch):
    taken = 0

    def mostly_mse(denoiser, clean, noisy, sigma):
        nonlocal taken
        taken += 1
        return mse(denoiser, clean, noisy, sigma) * (float("nan") if taken == 4 else 1)

    monkeypatch.setattr(core.training.denoiser, "mse", mostly_mse)
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path, "--batch-size", 50, "--widths", "4,8")
    ran = run(*words, "--epochs", 6, "--json")  # two steps an epoch
    assert ran.code == 1
    assert "note: The loss became nan in epoch 2: training ended there and what epoch 1 left is kept" in ran.err
    assert ran.document["stopped_early"] is True
    assert ran.document["trouble"].startswith("The loss became nan in epoch 2")
    assert len(ran.document["history"]) == 1
    assert ran.document["test"]["psnr_0.25"] > 0
    taken = 2
    assert "The loss became nan in epoch 1: start anew with a lower learning rate" in run(*words, "--epochs", 1).err


def press_ctrl_c_at(monkeypatch, step: int) -> None:
    class Presser:
        def __call__(self, progress) -> None:
            if progress.step == step:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train, "_Printer", Presser)


def test_ctrl_c_keeps_the_averaged_network(run, data, tmp_path, monkeypatch):
    press_ctrl_c_at(monkeypatch, step=3)  # two steps an epoch
    ran = run(
        "train-denoiser", "--dataset", data, "--out", tmp_path, "--epochs", 50, "--batch-size", 50, "--widths", "4,8", "--json"
    )
    assert ran.code == 130
    assert ran.document["stopped_early"] is True
    assert len(ran.document["history"]) == 1
    assert ran.document["test"]["psnr_0.25"] > 0
    assert "stopped after 1 of 50 epochs" in ran.err
    assert read_model(tmp_path)[1].kind == "denoiser"


def test_ctrl_c_at_once_spares_the_model_that_was_there(run, data, tmp_path, monkeypatch):
    words = ("train-classifier", "--dataset", data, "--out", tmp_path, "--widths", "4", "--batch-size", 50)
    run(*words, "--epochs", 1)
    before = (tmp_path / "model.safetensors").read_bytes()
    press_ctrl_c_at(monkeypatch, step=1)
    ran = run(*words, "--epochs", 9)
    assert ran.code == 130
    assert "left as it was" in ran.err
    assert (tmp_path / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", 0), "at least 1"),
        (("--batch-size", 0), "at least 1"),
        (("--widths", "a,b"), "list of channels"),
        (("--widths", "4,4,4,4,4"), "too many for pictures of 16 pixels"),
        (("--learning-rate", "nan"), "--learning-rate is nan"),
        (("--warmup", 1), "--warmup is 1"),
        (("--ema", 2), "--ema is 2"),
        (("--seed", -1), "seed is -1"),
        (("--limit", 3), "--limit is 3"),
        (("--label-smoothing", 1), "--label-smoothing"),
        (("--dataset", "nothing"), "Unknown data set 'nothing'"),
        (("--dataset", "parquet/none"), "no file or folder"),
        (("--device", "abacus"), "Unknown device"),
    ],
)
def test_mistakes_of_train_classifier(run, data, tmp_path, options, words):
    line = run("train-classifier", "--dataset", data, "--out", tmp_path / "c", "--epochs", 1, *options).one_line()
    assert words in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--objective", "stab"), "needs a classifier"),
        (("--classifier", "bundled/nothing"), "no bundled model"),
        (("--classifier", "none"), "expected bundled/NAME or local/PATH"),
        (("--start", "classical/tv"), "expected bundled/NAME or local/PATH"),
        (("--sigma", "loud"), "no sigma"),
        (("--sigma", "0.5:0.1"), "not usable"),
        (("--sigma", "nan"), "not usable"),
        (("--sigma-power", 0), "--sigma-power is 0"),
        (("--architecture", "dncnn", "--widths", "4"), "does not take these options"),
    ],
)
def test_mistakes_of_train_denoiser(run, data, tmp_path, options, words):
    assert words in run("train-denoiser", "--dataset", data, "--out", tmp_path / "d", "--epochs", 1, *options).one_line()


def test_models_of_the_wrong_kind(run, models, data, tmp_path):
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path)
    assert "is a denoiser" in run(*words, "--classifier", models.denoiser).one_line()
    assert "is a classifier" in run(*words, "--start", models.sure).one_line()


def test_the_folder_is_tried_before_training(run, data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = run("train-classifier", "--dataset", data, "--out", tmp_path / "file", "--epochs", 1000).one_line()
    assert "not a folder" in line


def test_a_data_set_without_test_pictures_is_refused(run, tmp_path):
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(60):
            Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / "data" / label / f"{number}.png")
    line = run("train-classifier", "--dataset", f"folder/{tmp_path / 'data'}", "--out", tmp_path / "c").one_line()
    assert "no test pictures of its own" in line
