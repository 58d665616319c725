"""`certify --save --report` and `verify`: the way of a certificate from who makes it to who checks it."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.commands.terminal import ProgressLine
from core.pictures.reading import data_uri
from core.smoothing.document import read_certificate


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, models, picture: Path) -> Path:
    """A certificate of the torn model, which one vote in two is for."""
    from core.__main__ import main

    path = tmp_path_factory.mktemp("certificates") / "certificate.json"
    words = ("--classifier", models.torn, "--denoiser", "none", "--n", "300", "--seed", "5", "--save", str(path))
    assert main(["certify", str(picture), *words]) == 0
    return path


def altered(path: Path, folder: Path, **changes: Any) -> Path:
    document = json.loads(path.read_text())
    assert changes.keys() <= document.keys()
    other = folder / "altered.json"
    other.write_text(json.dumps(document | changes))
    return other


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["status"] for check in document["checks"]}


def test_saved_printed_and_reported_are_one_certificate(run, models, picture, tmp_path) -> None:
    save, page = tmp_path / "c.json", tmp_path / "r.html"
    ran = run(
        "certify",
        picture,
        "--classifier",
        models.sure,
        "--denoiser",
        models.denoiser,
        "--n",
        100,
        "--json",
        "--save",
        save,
        "--report",
        page,
    )
    assert ran.code == 0
    assert json.loads(save.read_text()) == ran.document
    text = page.read_text(encoding="utf-8")
    assert ran.document["image"]["sha256"] in text
    assert f"python -m core verify c.json --image {picture.name} --resample" in text
    assert text.count("data:image/png;base64,") == 3
    assert data_uri(Image.open(picture).convert("RGB")) in text
    printed = tmp_path / "printed.json"
    printed.write_text(ran.out)
    assert run("verify", printed, "--image", picture, "--resample").code == 0


def test_each_noise_can_be_reported(run, models, picture, tmp_path) -> None:
    for options in (("--noise", "laplace"), ("--sound",), ("--two-sided", "--norm", "linf")):
        page = tmp_path / "r.html"
        ran = run("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 100, "--report", page, *options)
        assert ran.code == 0, ran.err
        assert page.read_text().count("data:image/png;base64,") == 2


def test_files_are_refused_before_the_work(run, models, picture, tmp_path) -> None:
    words = ("--classifier", models.sure, "--denoiser", "none", "--n", 100)
    assert "takes one picture" in run("certify", picture, picture, "--save", tmp_path / "c.json", *words).one_line()
    assert "cannot be written" in run("certify", picture, "--report", tmp_path / "none" / "r.html", *words).one_line()
    assert "cannot be written" in run("certify", picture, "--save", tmp_path, *words).one_line()
    remote = run("certify", picture, "--classifier", "api/demo", "--budget", 1, "--save", tmp_path / "c.json")
    assert "not for APIs" in remote.one_line()


def test_without_the_picture_arithmetic_and_models_are_checked(run, saved) -> None:
    ran = run("verify", saved, "--json")
    assert ran.code == 0
    assert ran.document["verdict"] == "same"
    found = statuses(ran.document)
    assert {found.pop(name) for name in ("picture", "as stated", "counts")} == {"not checked"}
    assert set(found.values()) == {"same"}
    assert {"schema", "settings", "p_lower", "radius", "classifier.weights", "denoiser", "labels"} <= found.keys()
    assert set(ran.document["checks"][0]) == {"name", "status", "sentence", "stated", "found", "p_value"}


def test_sampling_again_and_afresh(run, saved, picture) -> None:
    both = ("--resample", "--fresh-seed", 6, "--fresh-n", 300)
    ran = run("verify", saved, "--image", picture, *both, "--batch-size", 13, "--json")
    assert ran.code == 0
    found = statuses(ran.document)
    assert (found["picture"], found["counts, same seed"], found["counts, fresh seed"]) == ("same", "same", "same")
    fresh, radius = ran.document["checks"][-2:]
    assert fresh["p_value"] > 0.001
    assert fresh["stated"] != fresh["found"]
    assert sum(fresh["found"]) == 300
    assert (radius["name"], radius["status"]) == ("radius, fresh seed", "same")
    assert "by themselves certify l2 radius" in radius["sentence"]
    only = run("verify", saved, "--image", picture, "--fresh-n", 400, "--json")
    assert "counts, same seed" not in statuses(only.document)
    assert "fresh seed 0 on" in only.document["checks"][-2]["sentence"], "drawn, since none was given"
    assert sum(only.document["checks"][-2]["found"]) == 400


def test_what_stands_beside_a_certificate_is_named_as_not_checked(run, saved, tmp_path) -> None:
    document = json.loads(saved.read_text())
    document["versions"]["proof"] = "complete"
    other = tmp_path / "beside.json"
    other.write_text(json.dumps(document | {"path": "cat.png", "api": {"proven": True}}))
    ran = run("verify", other)
    assert ran.code == 0
    assert ran.out.splitlines()[0].endswith("Not checked: picture, as stated, path, api, counts.")
    assert "add --image with --resample or --fresh-n" in ran.out
    assert "proof complete" in ran.out
    assert "'api' stands beside the certificate and is no part of it: nothing in it is checked." in ran.out


def test_text_tells_what_differs_first(run, saved, tmp_path) -> None:
    ran = run("verify", altered(saved, tmp_path, radius=0.7))
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert "1 of " in lines[0]
    assert "radius" in lines[0]
    assert lines[1].split()[:2] == ["DIFFERS", "radius:"]
    assert "stated as 0.7" in lines[1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 6}, "counts, same seed"),
        ({"counts": [0, 299, 1]}, "counts, same seed"),
        ({"image": {"sha256": "0" * 64, "height": 32, "width": 32}}, "picture"),
        ({"labels": ["dog", "cat", "frog"]}, "labels"),
    ],
)
def test_what_only_the_picture_and_the_models_tell(changes, named, run, saved, picture, tmp_path) -> None:
    ran = run("verify", altered(saved, tmp_path, **changes), "--image", picture, "--resample", "--json")
    assert ran.code == 1
    assert statuses(ran.document)[named] == "differs"


def test_another_picture_is_not_sampled_for(run, saved, tmp_path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (32, 32)).save(other)
    ran = run("verify", saved, "--image", other, "--resample", "--json")
    assert ran.code == 1
    assert statuses(ran.document)["picture"] == "differs"
    assert statuses(ran.document)["counts"] == "not checked"


def test_a_model_that_moved_is_named_and_one_that_changed_is_caught(run, models, saved, picture, tmp_path) -> None:
    document = json.loads(saved.read_text())
    away = altered(saved, tmp_path, classifier=document["classifier"] | {"ref": f"local/{tmp_path / 'away'}"})
    ran = run("verify", away, "--image", picture, "--resample", "--json")
    assert ran.code == 0
    assert statuses(ran.document)["models"] == "not checked"
    assert statuses(ran.document)["counts"] == "not checked"
    ran = run("verify", away, "--image", picture, "--resample", "--classifier", models.torn, "--json")
    assert statuses(ran.document)["counts, same seed"] == "same"
    ran = run("verify", away, "--classifier", models.sure, "--json")
    assert ran.code == 1
    assert statuses(ran.document)["classifier.weights"] == "differs"
    assert "There is no folder" in run("verify", saved, "--classifier", f"local/{tmp_path / 'away'}").one_line()


@pytest.mark.parametrize("ref", ["hub/somebody/model", "torchvision/resnet18", "api/demo", "python/Brightness"])
def test_nothing_is_fetched_unless_sampling_is_asked_for(ref, run, saved, tmp_path) -> None:
    record = {"ref": ref, "revision": None, "weights": None}
    ran = run("verify", altered(saved, tmp_path, classifier=record), "--json")
    assert statuses(ran.document)["models"] == "not checked"


def test_mistakes_are_one_line(run, saved, picture, tmp_path) -> None:
    assert "add --image" in run("verify", saved, "--resample").one_line()
    assert "not fresh" in run("verify", saved, "--image", picture, "--fresh-seed", 5).one_line()
    for asked in (("--fresh-n", 0), ("--fresh-seed", 6, "--fresh-n", 0)):
        words = run("verify", saved, "--image", picture, *asked).one_line()
        assert "0 fresh samples are asked for: expected 10 to 1,000,000, since fewer can certify nothing." in words
    assert "There is no file" in run("verify", tmp_path / "none.json").one_line()
    assert "no text" in run("verify", picture).one_line()
    assert "There is no file" in run("verify", saved, "--image", tmp_path / "none.png").one_line()
    assert "Unknown device" in run("verify", saved, "--device", "gpu").one_line()
    cut = tmp_path / "cut.json"
    cut.write_text(saved.read_text()[:500])
    assert "cut short" in run("verify", cut).one_line()


def test_ctrl_c_leaves_the_other_checks(run, models, picture, tmp_path, monkeypatch) -> None:
    save = tmp_path / "c.json"
    run("certify", picture, "--classifier", models.sure, "--denoiser", "none", "--n", 3_000, "--save", save)
    assert read_certificate(save).n == 3_000
    show = ProgressLine.show

    def show_and_press(self: ProgressLine, text: str) -> None:
        show(self, text)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ProgressLine, "show", show_and_press)
    ran = run("verify", save, "--image", picture, "--resample", "--batch-size", 50, "--json")
    assert ran.code == 130
    assert statuses(ran.document)["counts, same seed"] == "not checked"
    assert statuses(ran.document)["radius"] == "same"
