"""Programs that compute a pair: the networks' own answers, whoever computes them, and eager where they cannot be had."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from core import LabError, certify, predict
from core.engines import programs
from core.engines.pair import Pair
from core.engines.programs import Program, choose
from core.models.networks import ConvClassifier, UNetDenoiser
from core.pictures.pixels import to_picture
from core.verification.resampling import resample

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
PICTURE = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(3)).mul(255).round() / 255
ASKED = {"sigma": 0.25, "n0": 20, "n": 100, "seed": 1, "device": "cpu"}
needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")


class Alternating(nn.Module):
    """Answers otherwise every third time."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        red = pixels.mean(dim=(2, 3))
        return red if self.calls % 3 else -red


class Branching(nn.Module):
    """Answers otherwise for dark batches, which no trace of a bright one knows."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        mean = pixels.mean(dim=(2, 3))
        return mean if pixels.mean() > 0.4 else -mean


@pytest.fixture
def classifier() -> nn.Module:
    torch.manual_seed(0)
    return ConvClassifier(num_classes=3, widths=(8,)).eval().requires_grad_(False)


@pytest.fixture
def denoiser() -> nn.Module:
    torch.manual_seed(1)
    return UNetDenoiser(widths=(4, 8)).eval().requires_grad_(False)


def pair(classifier: nn.Module, denoiser: nn.Module | None = None, rows: int = 8, sigma: float = 0.25) -> Pair:
    return Pair(classifier, denoiser, sigma=sigma, shape=(3, 16, 16), rows=rows, device=CPU)


def compiled_as(run: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Pair, str], Program]:
    """A compiler whose programs answer so."""
    return lambda pair, precision: Program("compile", precision, run)


@needs_openvino
def test_openvino_gives_the_networks_answers_and_is_named(classifier, denoiser):
    eager, compiled = (certify(PICTURE, classifier, denoiser, engine=engine, **ASKED) for engine in ("eager", "openvino"))
    assert (compiled.engine, compiled.precision) == ("openvino", "float32")
    assert compiled.counts == eager.counts
    assert "openvino" in compiled.versions
    assert "openvino" not in eager.versions
    assert (eager.engine, eager.precision) == ("eager", "float32")
    assert predict(PICTURE, classifier, denoiser, engine="openvino", **ASKED).engine == "openvino"


@needs_openvino
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_answer_does_not_depend_on_the_batch(classifier, denoiser, precision):
    run = choose(pair(classifier, denoiser), "openvino", precision).run
    noisy = torch.rand((21, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    whole = run(noisy)
    assert torch.equal(run(noisy[:5]), whole[:5])
    assert torch.equal(run(noisy[7:8]), whole[7:8])


def test_bfloat16_is_another_network_and_is_named(classifier, denoiser):
    noisy = torch.rand((64, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    rounded = certify(PICTURE, classifier, denoiser, precision="bfloat16", **ASKED)
    assert (rounded.engine, rounded.precision) == ("eager", "bfloat16")
    program = choose(pair(classifier, denoiser), "eager", "bfloat16")
    own, found = classifier(noisy), program.call(classifier, noisy)
    assert found.dtype == torch.float32
    assert 0 < float((own - found).abs().max()) < 0.1


@pytest.mark.parametrize(
    ("model", "engine", "why"),
    [
        (lambda pixels: pixels.mean(dim=(2, 3)), "openvino", "only torch modules can be compiled"),
        (Alternating().eval(), "openvino", "do not answer the same twice"),
        (Branching().eval(), "openvino", "rounding explains"),
    ],
)
@needs_openvino
def test_what_cannot_be_compiled_is_computed_eagerly_and_said_in_a_sentence(model, engine, why):
    program = choose(pair(model), engine, "float32")
    assert (program.engine, program.precision, program.run) == ("eager", "float32", None)
    assert why in program.notice
    assert program.notice.endswith("the networks are computed eagerly.")


def test_a_notice_reaches_who_asked(classifier):
    told: list[str] = []
    certificate = certify(PICTURE, lambda pixels: classifier(pixels), engine="openvino", on_notice=told.append, **ASKED)
    assert (certificate.engine, certificate.precision) == ("eager", "float32")
    (sentence,) = told
    assert "only torch modules can be compiled" in sentence


def test_an_engine_that_is_not_installed_is_said_in_a_sentence(classifier, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    program = choose(pair(classifier), "openvino", "float32")
    assert program.run is None
    assert "pip install -r requirements.txt" in program.notice


def test_a_compiler_that_fails_is_said_in_a_sentence(classifier, monkeypatch):
    def fails(pair: Pair, precision: str) -> None:
        raise RuntimeError("no such operation\nand more")

    monkeypatch.setitem(programs._COMPILERS, "compile", fails)
    program = choose(pair(classifier), "compile", "float32")
    assert program.run is None
    assert "compile does not compute ConvClassifier: it fails (no such operation); the networks" in program.notice


def test_what_torch_compiles_is_kept_where_nobody_else_writes(classifier, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that it is undone
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: module)
    assert choose(pair(classifier), "compile", "float32").run is not None
    kept = Path(os.environ["TORCHINDUCTOR_CACHE_DIR"])
    assert kept == tmp_path / "home" / "compiled"
    assert os.name == "nt" or kept.stat().st_mode & 0o077 == 0


def test_an_answer_that_depends_on_the_others_of_a_batch_is_noticed(classifier, monkeypatch):
    monkeypatch.setitem(programs._COMPILERS, "compile", compiled_as(lambda noisy: classifier(noisy) + 0.01 * noisy.mean()))
    assert "depends on the others of a batch" in choose(pair(classifier), "compile", "bfloat16").notice


def test_wrong_answers_are_noticed(classifier, monkeypatch):
    monkeypatch.setitem(programs._COMPILERS, "compile", compiled_as(lambda noisy: classifier(noisy) * 1.01))
    assert "rounding explains 0.1% at most" in choose(pair(classifier), "compile", "float32").notice
    monkeypatch.setitem(programs._COMPILERS, "compile", compiled_as(lambda noisy: classifier(noisy)[:, :2]))
    assert "instead of (16, 3)" in choose(pair(classifier), "compile", "bfloat16").notice


def test_weights_that_were_changed_are_compiled_anew(classifier, monkeypatch):
    monkeypatch.setitem(
        programs._COMPILERS, "compile", lambda pair, precision: Program("compile", precision, copy.deepcopy(pair.classifier))
    )
    first = choose(pair(classifier), "compile", "float32")
    assert choose(pair(classifier), "compile", "float32") is first
    with torch.no_grad():
        classifier.head.weight.neg_()
    noisy = torch.rand((8, 3, 16, 16))
    with torch.inference_mode():
        assert torch.equal(choose(pair(classifier), "compile", "float32").run(noisy), classifier(noisy))


def test_the_programs_used_last_are_kept_however_many_sigmas_are_asked_for(classifier, monkeypatch):
    compiled = []
    monkeypatch.setitem(
        programs._COMPILERS, "compile", lambda pair, _: compiled.append(pair.sigma) or copy.deepcopy(pair.classifier)
    )
    first = choose(pair(classifier, sigma=0.01), "compile", "float32")
    for number in range(2, 3 * programs.KEPT):
        choose(pair(classifier, sigma=number / 100), "compile", "float32")
        assert choose(pair(classifier, sigma=0.01), "compile", "float32") is first, "it is used again and again"
    assert len(vars(classifier)[programs._ATTRIBUTE]) == programs.KEPT
    assert compiled == [number / 100 for number in range(1, 3 * programs.KEPT)]
    choose(pair(classifier, sigma=0.02), "compile", "float32")
    assert compiled[-1] == 0.02, "it was dropped for others"


def test_programs_are_neither_copied_nor_pickled(classifier, monkeypatch):
    monkeypatch.setitem(
        programs._COMPILERS, "compile", lambda pair, precision: Program("compile", precision, copy.deepcopy(pair.classifier))
    )
    choose(pair(classifier), "compile", "float32")
    for twin in (copy.deepcopy(classifier), pickle.loads(pickle.dumps(classifier))):
        assert vars(twin)[programs._ATTRIBUTE] == {}


@pytest.fixture
def measured_pair(classifier, denoiser, monkeypatch):
    """A pair whose card says that bfloat16 is as good, on a machine that has it."""
    classifier.ref, denoiser.formats = "bundled/it", {"bundled/it": {"bfloat16": (0.12, 0.5)}}
    monkeypatch.setattr(programs, "computes", lambda precision, device: True)
    return classifier, denoiser


def test_auto_rounds_only_what_was_measured(measured_pair, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    classifier, denoiser = measured_pair

    def precision(*models, **asked):
        certificate = certify(PICTURE, *models, **ASKED | asked)
        assert certificate.engine == "eager"
        return certificate.precision

    assert precision(classifier, denoiser) == "bfloat16"
    assert precision(classifier, denoiser, precision="float32") == "float32"
    assert precision(classifier, denoiser, sigma=1.0) == "float32"  # was not measured there
    assert precision(classifier) == "float32"
    classifier.ref = "bundled/other"
    assert precision(classifier, denoiser) == "float32"
    classifier.ref, classifier.own_size, classifier.input_size = "bundled/it", (32, 32), (16, 16)
    assert precision(classifier, denoiser) == "float32"
    monkeypatch.setattr(programs, "computes", lambda precision, device: False)
    assert precision(classifier, denoiser) == "float32"


@needs_openvino
def test_a_compiled_program_takes_over_between_certificates(measured_pair, monkeypatch):
    compiling, may_end = threading.Event(), threading.Event()
    compile_it = programs._COMPILERS["openvino"]

    def slowly(pair: Pair, precision: str):
        compiling.set()
        assert may_end.wait(30)
        return compile_it(pair, precision)

    monkeypatch.setitem(programs._COMPILERS, "openvino", slowly)
    assert certify(PICTURE, *measured_pair, **ASKED).engine == "eager"
    assert not compiling.is_set()  # a pair that is met once is not worth it
    assert certify(PICTURE, *measured_pair, **ASKED).engine == "eager"
    assert compiling.wait(30)
    assert certify(PICTURE, *measured_pair, **ASKED).engine == "eager"
    may_end.set()
    for thread in threading.enumerate():
        if thread.name == "compile":
            thread.join(60)
    taken_over = certify(PICTURE, *measured_pair, **ASKED)
    assert (taken_over.engine, taken_over.precision) == ("openvino", "bfloat16")


@needs_openvino
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_certificate_is_verified_with_what_made_it(classifier, denoiser, precision, monkeypatch):
    made = certify(PICTURE, classifier, denoiser, engine="openvino", precision=precision, **ASKED)
    picture = to_picture(PICTURE)
    (same,) = resample(made, picture, classifier, denoiser, device="cpu")
    assert same.status == "same"
    assert "vote for vote" in same.sentence
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (elsewhere,) = resample(made, picture, classifier, denoiser, device="cpu")
    if precision == "float32":
        assert elsewhere.status == "same"
    else:
        assert elsewhere.status == "not checked"
        assert "openvino in bfloat16, which cannot be had here" in elsewhere.sentence


@pytest.mark.parametrize(("setting", "value"), [("engine", "turbo"), ("precision", "float8")])
def test_an_unknown_engine_or_format_is_a_sentence(classifier, setting, value):
    with pytest.raises(LabError, match=f"Unknown {setting} '{value}': choose one of auto, "):
        certify(PICTURE, classifier, **ASKED, **{setting: value})


@needs_openvino
def test_nothing_is_told_to_the_vendor(tmp_path):
    program = """
import torch
from core.engines.pair import Pair
from core.engines.programs import choose
found = choose(Pair(torch.nn.Flatten().eval(), None, 0.25, (3, 4, 4), 2, torch.device("cpu")), "openvino", "float32")
assert found.run is not None, found.notice
"""
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ | home, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []  # its report's number and counters would lie here


@pytest.mark.parametrize(("there", "kept"), [(57.4, {"bfloat16": (0.25, 0.5)}), (57.3, None)])
def test_a_card_says_where_a_format_was_measured(there, kept, tmp_path):
    from core.models.storage import measured_formats

    measured = {"0.25": {"0.25": [58.4, there], "0.5": [43.6, 44.0]}, "0.5": {"0.25": [50.0, 50.0]}}
    (tmp_path / "card.json").write_text(json.dumps({"formats": {"bundled/it": {"bfloat16": measured}}}))
    assert measured_formats(tmp_path).get("bundled/it") == kept


@needs_openvino
def test_the_graph_of_the_usual_pair_is_that_which_was_measured():
    from core import load_classifier, load_denoiser

    classifier, denoiser = load_classifier("bundled/cifar10"), load_denoiser("bundled/cifar10-stab")
    usual = Pair(classifier, denoiser, sigma=0.25, shape=(3, 32, 32), rows=64, device=CPU)
    program = choose(usual, "auto", "int8")
    assert (program.engine, program.precision, program.notice) == ("openvino", "int8", None)
    assert program.versions["int8"] == "6812c89ea102f1d385f8961bdba8fcd6e43c8552d283a9ab0ab83bc599f76beb"


def test_the_card_of_the_usual_pair_holds_what_auto_takes():
    from core import load_classifier, load_denoiser

    classifier, denoiser = load_classifier("bundled/cifar10"), load_denoiser("bundled/cifar10-stab")
    assert programs.measured(classifier, denoiser, 0.25) == ("bfloat16", "int8")
    assert programs.measured(classifier, denoiser, 1.5) == ()
    assert programs.measured(classifier, None, 0.25) == ()
    assert programs.measured(load_classifier("bundled/cifar10", size=(64, 64)), denoiser, 0.25) == ()
