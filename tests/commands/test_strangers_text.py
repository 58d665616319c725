"""Labels, names of files and folders, cards and certificates of an attacker, as every verb prints and writes them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import threading
from pathlib import Path

import pytest

from core.apis.demo import DemoServer
from core.models.references import parse_reference
from tests.strangers_text import INVISIBLE, POLYGLOT

ON_DISK = POLYGLOT.replace("/", "_")
"""As the name of a file may be."""
HEAD = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"
MODELS = ("--denoiser", "none", "--sigma", 0.25)


@pytest.fixture
def stranger(models, tmp_path: Path) -> str:
    """A classifier whose labels attack."""
    folder = tmp_path / "stranger"
    shutil.copytree(parse_reference(models.sure).name, folder)
    config = json.loads((folder / "config.json").read_text())
    config["labels"] = [f"{POLYGLOT}{number}{'A' * 400}" for number in range(3)]
    (folder / "config.json").write_text(json.dumps(config))
    return f"local/{folder}"


@pytest.fixture
def odd(picture: Path, tmp_path: Path) -> Path:
    """A picture whose name attacks."""
    path = tmp_path / f"{ON_DISK}.png"
    shutil.copy(picture, path)
    return path


def is_shown_as_text(ran) -> bool:
    """Whether nothing of the attack moves a cursor, turns a text, begins a line or floods the terminal."""
    for line in (ran.out + ran.err).split("\n"):
        assert not INVISIBLE.search(line), line[:300]
        assert not line.lstrip().startswith("*b*"), line[:300]
        assert "A" * 200 not in line, line[:300]
    return "e.example" in ran.out + ran.err


def test_certify_predict_attack_and_denoise(run, stranger, odd) -> None:
    certified = run("certify", odd, "--classifier", stranger, *MODELS, "--n", 200)
    assert certified.code == 0
    assert "certified within" in certified.out
    predicted = run("predict", odd, "--classifier", stranger, *MODELS, "--n", 50)
    attacked = run("attack", odd, "--classifier", stranger, *MODELS, "--n", 50, "--steps", 1, "--draws", 1)
    denoised = run("denoise", odd, "--denoiser", "none", "--out", odd.parent / "out")
    for ran in (certified, predicted, attacked, denoised):
        assert ran.code == 0, ran.err
        assert is_shown_as_text(ran)
    for verb in ("certify", "predict", "attack"):
        told = run(verb, odd, "--classifier", stranger, *MODELS, "--n", 50, "--json")
        assert not INVISIBLE.search(told.out)
        assert json.dumps(POLYGLOT)[1:-1] in told.out  # whole, for programs


def test_a_bad_picture_among_several_and_alone(run, stranger, odd) -> None:
    bad = odd.parent / f"{ON_DISK}bad.png"
    bad.write_bytes(b"no picture")
    several = run("certify", odd, bad, "--classifier", stranger, *MODELS, "--n", 50)
    assert several.code == 2
    assert is_shown_as_text(several)
    for words in ((bad,), (odd.parent / f"{ON_DISK}gone.png",), (odd.parent,)):
        alone = run("certify", *words, "--classifier", stranger, *MODELS, "--n", 50)
        assert "\n" not in alone.one_line().rstrip("\n")
        assert is_shown_as_text(alone) or words == (odd.parent,)


def test_mistakes_that_quote_what_was_asked(run, picture, models) -> None:
    words = ("--classifier", models.sure, *MODELS)
    for asked in (
        ("certify", picture, "--classifier", f"hub/{POLYGLOT}"),
        ("certify", picture, "--classifier", f"local/{POLYGLOT}"),
        ("certify", picture, "--classifier", POLYGLOT),
        ("certify", picture, *words, "--noise", POLYGLOT),
        ("certify", picture, *words, "--n", POLYGLOT),
        ("evaluate", "--dataset", POLYGLOT, *words, "--out", "x.tsv"),
        (POLYGLOT,),
    ):
        ran = run(*asked)
        ran.one_line()
        assert is_shown_as_text(ran)


def test_a_certificate_of_a_stranger(run, stranger, odd) -> None:
    saved, report = odd.parent / f"{ON_DISK}.json", odd.parent / "report.html"
    kept = run("certify", odd, "--classifier", stranger, *MODELS, "--n", 100, "--save", saved, "--report", report)
    assert kept.code == 0
    page = report.read_text()
    assert "<a href" not in page
    assert not INVISIBLE.search(page)
    assert "A" * 200 not in page
    checked = run("verify", saved, "--image", odd, "--resample")
    assert is_shown_as_text(checked)
    model = {"ref": f"hub/{POLYGLOT}", "revision": POLYGLOT, "weights": None}
    document = json.loads(saved.read_text()) | {"classifier": model, "denoiser": model, "device": POLYGLOT}
    document["labels"] = [f"{POLYGLOT}{number}" for number in range(3)]
    document["prediction"]["label"] = document["labels"][document["prediction"]["index"]]
    saved.write_text(json.dumps(document))
    assert is_shown_as_text(run("verify", saved))
    saved.write_text(json.dumps(document | {POLYGLOT: 1}))
    ran = run("verify", saved)
    ran.one_line()
    assert is_shown_as_text(ran)


def test_tables_of_logs(run, tmp_path: Path) -> None:
    made = {"sigma": 0.25, "n": 1000, "n0": 100, "alpha": 0.001, "norm": "l2", "dataset": POLYGLOT, "device": POLYGLOT}
    made |= {"classifier": {"ref": POLYGLOT}, "denoiser": {"ref": POLYGLOT}}
    logs = []
    for number in range(2):
        log = tmp_path / f"{ON_DISK}{number}.tsv"
        log.write_text(HEAD + "".join(f"{i}\t{i % 3}\t{i % 2}\t0.3\t1\t1.0\n" for i in range(12)))
        log.with_suffix(".json").write_text(json.dumps(made | {"sigma": 0.25 * (number + 1)}))
        logs.append(log)
    for options in ((), ("--by-models",)):
        forms = ("table", "csv", "markdown", "latex")
        shown = {form: run("curve", *logs, "--radii", "0.1", "--format", form, *options) for form in forms}
        for ran in shown.values():
            assert ran.code == 0, ran.err
            assert is_shown_as_text(ran)
        for row in csv.reader(io.StringIO(shown["csv"].out)):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row)
        assert "\\x" not in shown["latex"].out
        assert r"\textbackslash{}x" in shown["latex"].out
        for line in shown["markdown"].out.splitlines():
            assert "[i](http" not in line.replace(r"\[i\]", "")
    broken = tmp_path / f"{ON_DISK}broken.tsv"
    broken.write_text(f"{POLYGLOT}\n")
    ran = run("curve", broken)
    ran.one_line()
    assert is_shown_as_text(ran)


def test_a_repository_of_the_hub(run, hub, stranger, tmp_path: Path) -> None:
    hub.add(
        "someone/odd",
        Path(parse_reference(stranger).name),
        license=POLYGLOT,
        pipeline_tag="image-classification",
        tags=[POLYGLOT],
    )
    told = run("models", "--details", "hub/someone/odd")
    assert told.code == 0, told.err
    assert is_shown_as_text(told)
    is_shown_as_text(run("models", "--search", "odd"))
    is_shown_as_text(run("models", "--cached"))


def test_a_folder_of_classes(run, models, picture, tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / "data" / "test" / f"{ON_DISK}{number}"
        folder.mkdir(parents=True)
        for copy in range(3):
            shutil.copy(picture, folder / f"{ON_DISK}{copy}.png")
        (folder / f"{ON_DISK}bad.png").write_bytes(b"no picture")
    out = tmp_path / "log.tsv"
    words = ("--classifier", models.sure, *MODELS, "--n", 20, "--n0", 5)
    assert is_shown_as_text(run("evaluate", "--dataset", f"folder/{tmp_path / 'data'}", *words, "--out", out))


def test_what_an_api_answers(run, stranger, odd) -> None:
    server = DemoServer(stranger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    described = odd.parent / "stranger.toml"
    described.write_text(f'url = "{server.url}"\nprice = 0.001\n')
    words = ("--classifier", f"api/http/{described}", "--denoiser", "none", "--n", 20, "--n0", 5, "--budget", 1)
    ran = run("certify", odd, *words, "--answers", odd.parent / "answers.sqlite")
    server.shutdown()
    server.server_close()
    assert ran.code == 0, ran.err
    assert is_shown_as_text(ran)
