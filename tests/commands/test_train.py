"""`train-classifier` and `train-denoiser`, on a few pictures."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from PIL import Image

import core.training.objectives
from core.commands import train
from core.data.datasets import SHAPES_SIZES
from core.data.shapes import make_shapes
from core.models.load import load_classifier, load_denoiser
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig, read_model, save_model
from core.pictures.pixels import to_picture
from core.training.objectives import mse

QUICK = ("--epochs", 1, "--batch-size", 50, "--device", "cpu")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """folder/PATH with three classes, 40 pictures each to train on and 30 to measure with."""
    root = tmp_path_factory.mktemp("data")
    for split, count, seed in (("train", 40, 1), ("test", 30, 2)):
        pictures, labels = make_shapes(10 * count, seed)
        for label, name in enumerate(("circle", "cross", "square")):
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
        "train-denoiser",
        "--dataset",
        "shapes",
        "--out",
        tmp_path / "d",
        *QUICK,
        "--widths",
        "4,8",
        "--objective",
        "stab",
        "--classifier",
        f"local/{tmp_path / 'c'}",
        "--sigma",
        "0.1:0.5",
        "--json",
    )
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


def test_a_checkpoint_of_mse_is_not_resumed_as_stab(run, classifiers, data, tmp_path):
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path, *QUICK, "--widths", "4,8", "--classifier", classifiers[0])
    assert run(*words).code == 0
    ran = run(*words, "--resume", "--objective", "stab")
    assert ran.code == 2
    assert "another objective (mse, now stab): use the same, or start anew" in ran.err.splitlines()[-1]
    ran = run(*words, "--resume", "--start", f"local/{tmp_path}")
    assert f"another start (none, now local/{tmp_path}): use the same" in ran.err.splitlines()[-1]


def test_where_the_loss_is_no_number_the_last_good_epoch_is_kept(run, data, tmp_path, monkeypatch):
    taken = 0

    def mostly_mse(denoiser, clean, noisy, sigma, generator):
        nonlocal taken
        taken += 1
        return mse(denoiser, clean, noisy, sigma) * (float("nan") if taken == 4 else 1)

    monkeypatch.setattr(core.training.objectives, "mse", mostly_mse)
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


WORDS = ("--batch-size", 50, "--widths", "4,8", "--device", "cpu")
NAMES = ("circle", "cross", "square")


@pytest.fixture(scope="session")
def classifiers(tmp_path_factory):
    """References of classifiers of the data's classes, but for the third, which has one more; untrained."""
    root, saved = tmp_path_factory.mktemp("classifiers"), []
    for seed, names in ((1, NAMES), (2, NAMES), (3, (*NAMES, "star")), (4, NAMES)):
        torch.manual_seed(seed)
        network = ConvClassifier(len(names), (4,)).eval()
        options = {"num_classes": len(names), "widths": [4]}
        save_model(root / str(seed), network, ModelConfig("classifier", "conv", options, (16, 16), names), {})
        saved.append(f"local/{root / str(seed)}")
    return saved


def test_a_run_that_is_killed_and_resumed_ends_as_an_unbroken_one(run, data, tmp_path):
    words = ("train-denoiser", "--dataset", data, *WORDS, "--epochs", 4, "--checkpoint-minutes", 0)
    assert run(*words, "--out", tmp_path / "unbroken").code == 0
    killed = tmp_path / "killed"
    code = (
        "import os, signal, torch\n"
        "torch.set_num_threads(1)\n"  # as in this process: with other threads, sums end in other digits
        "from core.commands import train\n"
        "from core.__main__ import main\n"
        "class Printer:\n"
        "    def __call__(self, progress):\n"
        "        if progress.step == 6:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "train.Printer = Printer\n"
        f"main({[str(word) for word in (*words, '--out', killed)]!r})\n"
    )
    root = Path(__file__).parents[2]
    died = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=240)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert torch.load(killed / "checkpoint.pt", weights_only=True)["row"] == 1  # in the middle of the third epoch
    assert not (killed / "model.safetensors").exists()
    ran = run(*words, "--out", killed, "--resume")
    assert ran.code == 0
    assert "step 6/8" in ran.err
    assert (killed / "model.safetensors").read_bytes() == (tmp_path / "unbroken" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("command", ["train-denoiser", "train-classifier"])
def test_half_weights_are_asked_for_after_training_too(run, data, tmp_path, monkeypatch, command):
    measured = []
    name = command.replace("train", "measure").replace("-", "_")
    honest = getattr(train, name)
    monkeypatch.setattr(
        train, name, lambda network, *rest, **more: measured.append(network.state_dict()) or honest(network, *rest, **more)
    )
    words = [*WORDS, "--sigma", "0.25"] if command == "train-denoiser" else ["--widths", "4", "--batch-size", 50]
    words = [command, "--dataset", data, "--out", tmp_path, *words, "--epochs", 1]
    assert run(*words).code == 0
    whole = (tmp_path / "model.safetensors").stat().st_size
    ran = run(*words, "--resume", "--half-weights", "--json")
    assert ran.code == 0
    assert ran.document["weights"] == "float16"
    assert (tmp_path / "model.safetensors").stat().st_size < 0.75 * whole  # names and counters are not halved
    kept = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert {value.dtype for value in kept.values() if value.is_floating_point()} == {torch.float16}
    assert all(torch.equal(kept[name].to(value.dtype), value) for name, value in measured[-1].items())
    assert not all(torch.equal(kept[name].to(value.dtype), value) for name, value in measured[0].items())
    assert "| weights | float16 |" in (tmp_path / "README.md").read_text()


def test_from_mse_to_stab_white_box(run, data, classifiers, tmp_path):
    mse_out, stab_out = tmp_path / "mse", tmp_path / "stab"
    assert run("train-denoiser", "--dataset", data, "--out", mse_out, *WORDS, "--epochs", 1).code == 0
    ran = run(
        "train-denoiser",
        "--dataset",
        data,
        "--out",
        stab_out,
        "--batch-size",
        50,
        "--epochs",
        2,
        "--sigma",
        "0.25",
        "--objective",
        "stab",
        "--classifier",
        classifiers[0],
        "--start-from",
        f"local/{mse_out}",
        "--json",
    )
    assert ran.code == 0
    assert ran.document["trained_through"] == [classifiers[0]]
    assert ran.document["start"] == f"local/{mse_out}"
    assert set(ran.document["test"]) == {"psnr_0.25", "one_shot_accuracy_0.25"}
    first, second = (safetensors.torch.load_file(folder / "model.safetensors") for folder in (mse_out, stab_out))
    assert first.keys() == second.keys()
    moved = [float((second[name] - first[name]).norm() / first[name].norm()) for name in first if first[name].ndim > 1]
    assert 0 < max(moved) < 0.5  # gone on from there, not from new random weights
    text = (stab_out / "README.md").read_text()
    assert f"| started from | local/{mse_out} |" in text
    assert load_denoiser(f"local/{stab_out}").sigma_range == (0.25, 0.25)


def test_an_encoder_first_and_stab_from_there(run, data, classifiers, tmp_path):
    words = ("train-denoiser", "--dataset", data, "--batch-size", 50, "--classifier", classifiers[0], "--sigma", "0.25")
    encoder = tmp_path / "encoder"
    ran = run(
        *words, "--out", encoder, "--objective", "encoder", "--widths", "4,6", "--epochs", 2, "--optimizer", "muon", "--json"
    )
    assert ran.code == 0
    assert set(ran.document["test"]) == {"helper_accuracy_0.25"} == set(ran.document["history"][-1]) - {"epoch", "loss"}
    assert ran.document["measured_on"] == "held-out pictures of the training split"
    text = (encoder / "README.md").read_text()
    assert "The first half of a denoiser to start `--objective stab` from. It does not denoise yet." in text
    assert "On held-out pictures of the training split. They are no certificates" in text
    ran = run(
        *words, "--out", tmp_path / "stab", "--objective", "stab", "--start-from", f"local/{encoder}", "--epochs", 1, "--json"
    )
    assert ran.code == 0
    assert set(ran.document["test"]) == {"psnr_0.25", "one_shot_accuracy_0.25"}
    first, second = (safetensors.torch.load_file(tmp_path / name / "model.safetensors") for name in ("encoder", "stab"))
    moved = {name: float((second[name] - first[name]).norm() / first[name].norm()) for name in first}
    assert 0 < moved["head.weight"] < 0.5  # gone on from there
    line = run(*words[:5], "--out", tmp_path / "x", "--objective", "encoder").one_line()
    assert "The objective encoder learns a classifier's answers: name one with --classifier." in line


def test_consistency_shows_two_draws_of_each_picture_and_the_card_says_so(run, data, classifiers, tmp_path):
    words = ("train-denoiser", "--dataset", data, *WORDS, "--epochs", 1, "--objective", "stab", "--classifier", classifiers[0])
    out = {}
    for name, more in (("plain", ()), ("two", ("--consistency", 5)), ("three", ("--consistency", 5, "--draws", 3))):
        out[name] = run(*words, "--out", tmp_path / name, *more, "--json").document
    assert not out["plain"].keys() & {"consistency", "draws"}
    assert [(out[name]["consistency"], out[name]["draws"]) for name in ("two", "three")] == [(5, 2), (5, 3)]
    losses = [one["history"][0]["loss"] for one in out.values()]
    assert losses[0] < min(losses[1:])
    assert "| beside the objective | consistency 5, draws 2 |" in (tmp_path / "two" / "README.md").read_text()


def test_black_box_with_two_surrogates(run, data, classifiers, models, tmp_path):
    target = classifiers[3]
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path, *WORDS, "--epochs", 1, "--objective", "stab")
    ran = run(*words, "--classifier", target, "--surrogate", classifiers[0], "--surrogate", classifiers[1], "--json")
    assert ran.code == 0
    assert ran.document["trained_through"] == classifiers[:2]
    assert ran.document["classifier"] == target
    assert "one_shot_accuracy_0.25" in ran.document["test"]
    line = run(*words, "--classifier", models.sure, "--surrogate", classifiers[0]).one_line()
    assert "classes (circle, cross, square) are not the classifier's (cat, dog, frog)" in line  # accuracy of nothing
    line = run(*words, "--classifier", classifiers[0], "--surrogate", classifiers[0]).one_line()
    assert "is the classifier itself, which black-box training never looks into" in line


def test_a_classifier_with_noise(run, data, tmp_path):
    words = ("--batch-size", 50, "--widths", "4", "--noise-sigma", "0.5", "--schedule", "steps", "--precision", "bf16")
    ran = run("train-classifier", "--dataset", data, "--out", tmp_path, *words, "--epochs", 1, "--no-channels-last", "--json")
    assert ran.code == 0
    assert set(ran.document) >= {"test_accuracy", "test_accuracy_0.5", "noise_sigma"}
    assert ran.document["objective"] == "cross-entropy on pictures with noise of sigma 0.5"
    assert ran.document["recipe"]["precision"] == "bf16"
    assert ran.document["recipe"]["channels_last"] is False
    assert load_classifier(f"local/{tmp_path}").labels == NAMES
    assert load_classifier(f"local/{tmp_path}").sigma_range == (0.5, 0.5)
    assert "sigma, in [0, 1] pixel units" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("arch", "options"),
    [
        ("memnet", ("blocks=1", "units=1", "width=4", "shared=true")),
        ("dncnn-wide", ("depth=3", "width=4")),
        ("ffdnet", ("depth=3", "width=4")),
    ],
)
def test_other_architectures(run, data, tmp_path, arch, options):
    named = [word for option in options for word in ("--option", option)]
    words = ("--batch-size", 50, "--epochs", 1, "--arch", arch, "--sigma", "0.25")
    ran = run("train-denoiser", "--dataset", data, "--out", tmp_path, *words, *named, "--json")
    assert ran.code == 0
    assert load_denoiser(f"local/{tmp_path}").architecture == arch
    ran = run("train-denoiser", "--dataset", data, "--out", tmp_path, *words[:4], *WORDS, "--sigma", "0.25", "--resume")
    assert ran.code == 2
    assert f"another architecture ({arch}, now unet)" in ran.err


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client library's own
def test_a_model_is_pushed_to_the_hub_and_loads_from_there(run, hub, data, tmp_path, monkeypatch):
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path / "m", *WORDS, "--epochs", 1, "--push-to-hub", "me/mine")
    assert "set HF_TOKEN" in run(*words).one_line()
    monkeypatch.setenv("HF_TOKEN", "hf_write")
    assert "'mine' names no repository" in run(*words[:-1], "mine").one_line()
    ran = run(*words)  # before the Hub knows the token: hours of training must not be lost by that
    assert ran.code == 2
    assert "does not let your token write" in ran.err
    assert f"The model is kept in '{tmp_path / 'm'}': the same command with --resume tries again." in ran.err
    hub.writers.add("hf_write")
    ran = run(*words, "--resume", "--json")
    assert ran.code == 0
    commit = ran.document["pushed"]["commit"]
    there, here = load_denoiser("hub/me/mine"), load_denoiser(f"local/{tmp_path / 'm'}")
    assert there.revision == commit
    assert there.weights_sha256 == here.weights_sha256
    assert 'load_denoiser("hub/me/mine")' in (tmp_path / "m" / "README.md").read_text()
    ran = run("train-denoiser", "--dataset", data, "--out", tmp_path / "n", *WORDS[:2], "--start", "hub/me/mine", "--epochs", 1)
    assert ran.code == 0


def test_a_full_disk_at_the_end_says_how_to_go_on(run, data, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train, "save_model", full)
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path, *WORDS, "--epochs", 1)
    ran = run(*words)
    assert ran.code == 2
    assert "cannot be written to" in ran.err
    assert "(No space left on device): make room there, then run the same command with --resume" in ran.err
    monkeypatch.undo()
    ran = run(*words, "--resume", "--json")
    assert ran.code == 0
    assert len(ran.document["history"]) == 1


def test_an_answer_without_gradients_cannot_be_trained_through(run, data, classifiers, tmp_path, monkeypatch):
    monkeypatch.setattr(ConvClassifier, "forward", lambda self, x: self.head(torch.ones(len(x), 4)) + x.mean().round())
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path, *WORDS, "--epochs", 1)
    line = run(*words, "--objective", "stab", "--classifier", classifiers[0]).one_line()
    assert "gives no gradients, which training through it (white-box) needs" in line
    assert run(*words, "--objective", "mse", "--classifier", classifiers[0]).code == 0


def test_unreadable_mixed_or_too_few_pictures(run, data, tmp_path):
    def ran(change):
        root = tmp_path / change.__name__
        shutil.copytree(data.partition("/")[2], root)
        change(root)
        return run("train-denoiser", "--dataset", f"folder/{root}", "--out", tmp_path / "d", *WORDS, "--epochs", 1)

    def damaged(root):
        (root / "train" / "cross" / "003.png").write_bytes(b"no picture")

    def mixed(root):
        Image.new("RGB", (20, 16)).save(root / "train" / "cross" / "003.png")

    def splits(root):
        for path in (root / "test").glob("*/*.png"):
            Image.new("RGB", (20, 20), (1, 2, len(path.name))).save(path)

    def few(root):
        for path in (root / "train").glob("*/*[1-9].png"):
            path.unlink()

    assert "003.png" in ran(damaged).err
    assert "different sizes (16x16, 20x16)" in ran(mixed).one_line()
    assert "have pictures of different sizes" in ran(splits).one_line()
    assert "Only 12 pictures to train on: at least 100 are needed" in ran(few).one_line()


def test_curves_for_tensorboard(run, data, tmp_path):
    pytest.importorskip("tensorboard", reason="the optional package tensorboard is not installed")
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path / "m", *WORDS, "--epochs", 2)
    assert run(*words, "--tensorboard", tmp_path / "curves").code == 0
    assert [p.name.split(".")[0] for p in (tmp_path / "curves").iterdir()] == ["events"]


def press_ctrl_c_at(monkeypatch, step: int) -> None:
    class Presser:
        def __call__(self, progress) -> None:
            if progress.step == step:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(train, "Printer", Presser)


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
        (("--precision", "fp16", "--device", "cpu"), "fp16 is for CUDA devices"),
        (("--noise-sigma", -1), "--noise-sigma is -1"),
        (("--crop", 16), "--crop is 16: pictures of 16 pixels can be shifted by at most 15"),
        (("--checkpoint-minutes", "nan"), "--checkpoint-minutes is nan"),
        (("--devices", 0), "--devices is 0"),
        (("--devices", 3), "--batch-size 256 cannot be shared among 3 devices"),
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
        (("--sigma-power", -1), "--sigma-power is -1"),
        (("--sigma-power", 0), "give a range that begins above 0"),
        (("--architecture", "dncnn", "--widths", "4"), "does not take these options"),
        (("--objective", "stab", "--classifier", "api/google"), "answers with labels and gives no gradients"),
        (("--classifier", "bundled/shapes"), "numbers its classes in another order than bundled/shapes"),
        (("--surrogate", "bundled/nothing"), "no bundled model"),
        (("--option", "depth"), "expected NAME=VALUE"),
        (("--sigma", "all"), "has no greatest sigma of its own"),
        (("--consistency", -1), "--consistency is -1: expected a weight of at least 0"),
        (("--consistency", 5), "Leave --helper, --closeness, --features and --consistency out, or choose stab"),
        (("--features", "inf"), "--features is inf: expected a weight of at least 0"),
        (("--draws", 0), "--draws is 0: expected 1 to 64"),
        (("--objective", "stab", "--classifier", "CLASSIFIER", "--consistency", 5, "--draws", 1), "expected at least 2"),
        (("--start", "bundled/shapes"), "is a classifier"),
        (("--start", "bundled/shapes-mse", "--arch", "dncnn"), "bundled/shapes-mse is a unet with"),
        (("--start", "bundled/shapes-mse", "--widths", "4,8"), "leave out --arch, --widths and --option"),
        (("--start", "torchvision/resnet18"), "expected bundled/NAME or local/PATH"),
    ],
)
def test_mistakes_of_train_denoiser(run, data, classifiers, tmp_path, options, words):
    options = [classifiers[0] if option == "CLASSIFIER" else option for option in options]
    assert words in run("train-denoiser", "--dataset", data, "--out", tmp_path / "d", "--epochs", 1, *options).one_line()


def test_models_of_the_wrong_kind(run, models, data, tmp_path):
    words = ("train-denoiser", "--dataset", data, "--out", tmp_path)
    assert "is a denoiser" in run(*words, "--classifier", models.denoiser).one_line()
    assert "is a classifier" in run(*words, "--start", models.sure).one_line()


def test_the_folder_is_tried_before_training(run, data, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = run("train-classifier", "--dataset", data, "--out", tmp_path / "file", "--epochs", 1000).one_line()
    assert "not a folder" in line


@pytest.fixture
def photographs(tmp_path):
    """pictures/PATH: 100 pictures of several sizes in two folders, some smaller than a crop of 24, and a file that is none."""
    made, _ = make_shapes(100, seed=6)
    for number, pixels in enumerate(made):
        folder = tmp_path / "photographs" / ("a" if number % 2 else "b/deeper")
        folder.mkdir(parents=True, exist_ok=True)
        to_picture(pixels.float() / 255).resize((20 + number % 30, 22 + number % 7)).save(folder / f"{number:03}.png")
    (tmp_path / "photographs" / "broken.jpg").write_bytes(b"no picture")
    return f"pictures/{tmp_path / 'photographs'}"


CROPS = ("--crop-size", 24, "--crops", 2, "--sigma", "0.04:1", "--sigma-power", 0)


def test_photographs_of_any_size_without_classes(run, photographs, tmp_path):
    out = tmp_path / "photo"
    words = (
        "--dataset",
        photographs,
        "--out",
        out,
        *CROPS,
        "--option",
        "fold=4",
        "--option",
        "blocks_up=2",
        "--widths",
        "8,12",
    )
    ran = run("train-denoiser", *words, *QUICK, "--batch-size", 12, "--half-weights", "--json")
    assert ran.code == 0
    assert "1 of 101 pictures left out: " in ran.err
    card = ran.document
    assert card["data"].endswith("photographs, 97 photographs, crops of 24 pixels")
    assert card["test_images"] == 3  # numbers 1, 48 and 95, in the order of their paths
    assert "step 15/15" in ran.err  # 95 are learnt from, two crops of each
    assert set(card["test"]) == {"psnr_0.12", "psnr_0.25", "psnr_0.5", "psnr_1"}
    denoiser = load_denoiser(f"local/{out}")
    assert denoiser.sigma_range == (0.04, 1.0)
    assert denoiser(torch.rand(2, 3, 37, 50), 0.2).shape == (2, 3, 37, 50)


def test_stab_on_photographs_is_measured_by_the_classifiers_own_answers(run, photographs, models, tmp_path):
    words = ("--dataset", photographs, "--out", tmp_path / "stab", *CROPS, "--widths", "4,8", "--objective", "stab")
    ran = run("train-denoiser", *words, *QUICK, "--classifier", "bundled/shapes", "--features", 1, "--json")
    assert ran.code == 0
    assert {"agreement_0.25", "psnr_0.25"} < set(ran.document["test"])
    assert not any("accuracy" in name for name in ran.document["test"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--objective", "encoder", "--classifier", "bundled/shapes"), "which photographs have none of"),
        (("--crop-size", 8), "--crop-size is 8"),
        (("--crops", 0), "--crops 0"),
    ],
)
def test_mistakes_with_photographs(run, photographs, tmp_path, options, words):
    ran = run("train-denoiser", "--dataset", photographs, "--out", tmp_path / "d", *CROPS, *options)
    assert ran.code == 2
    assert words in ran.err.splitlines()[-1]


def test_a_data_set_without_test_pictures_is_refused(run, tmp_path):
    for label in ("a", "b"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(60):
            Image.new("RGB", (16, 16), (number, 0, 0)).save(tmp_path / "data" / label / f"{number}.png")
    line = run("train-classifier", "--dataset", f"folder/{tmp_path / 'data'}", "--out", tmp_path / "c").one_line()
    assert "no test pictures of its own" in line
