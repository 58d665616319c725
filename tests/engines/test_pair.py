"""Graphs of int8: made from noisy pictures, kept, found by what they were made of, named, and never taken for another's."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from core import LabError, certify
from core.__main__ import main
from core.engines import pair as pairs
from core.engines.pair import Pair, quantised, quantised_folder, read_quantised, store_quantised
from core.engines.programs import choose
from core.models.networks import ConvClassifier, UNetDenoiser
from core.pictures.pixels import to_picture
from core.smoothing.document import certificate_of
from core.verification.resampling import resample

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="NNCF is not installed"),
]
PICTURE = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(3)).mul(255).round() / 255
ASKED = {"sigma": 0.25, "n0": 20, "n": 100, "seed": 1, "device": "cpu", "batch_size": 8}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Lab's folder of this test, with nothing in it."""
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def pair() -> Pair:
    torch.manual_seed(0)
    classifier = ConvClassifier(num_classes=3, widths=(8,)).eval().requires_grad_(False)
    denoiser = UNetDenoiser(widths=(4, 8)).eval().requires_grad_(False)
    classifier.weights_sha256, denoiser.weights_sha256 = "ab" * 32, "cd" * 32
    return Pair(classifier, denoiser, sigma=0.25, shape=(3, 16, 16), rows=8, device=torch.device("cpu"))


GRAPHS: list[Any] = []


def keep(pair: Pair) -> Path:
    """Keep the graph of the pair, which is the same in every test, and made once."""
    if not GRAPHS:
        generator = torch.Generator().manual_seed(0)
        with torch.inference_mode():
            GRAPHS.append(quantised(pair, [torch.rand((8, 3, 16, 16), generator=generator) for _ in range(4)]))
    return store_quantised(pair, GRAPHS[0], {"about": "a test"})


def test_a_graph_of_int8_votes_and_is_named(pair, home):
    folder = keep(pair)
    assert home in folder.parents
    assert json.loads((folder / "about.json").read_text())["about"] == "a test"
    certificate = certify(PICTURE, pair.classifier, pair.denoiser, precision="int8", **ASKED)
    assert (certificate.engine, certificate.precision) == ("openvino", "int8")
    assert certificate.versions["int8"] == read_quantised(folder, pair).sha256
    assert certificate_of(json.loads(json.dumps(certificate.to_dict()))) == certificate
    noisy = torch.rand((21, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    program = choose(pair, "openvino", "int8")
    with torch.inference_mode():
        own = pairs.PairModule(pair)(noisy)
    off = float((program.run(noisy) - own).abs().max() / (own.amax(1) - own.amin(1)).mean())
    assert 1e-4 < off < 0.6, "it rounds, and is near"
    assert torch.equal(program.run(noisy[:5]), program.run(noisy)[:5])


def test_a_certificate_of_int8_is_verified_by_the_same_graph_alone(pair):
    folder = keep(pair)
    made, picture = certify(PICTURE, pair.classifier, pair.denoiser, precision="int8", **ASKED), to_picture(PICTURE)
    (same,) = resample(made, picture, pair.classifier, pair.denoiser, device="cpu", batch_size=8)
    assert (same.status, "vote for vote" in same.sentence) == ("same", True)
    other = dataclasses.replace(made, versions=made.versions | {"int8": "0" * 64})
    (elsewhere,) = resample(other, picture, pair.classifier, pair.denoiser, device="cpu", batch_size=8)
    assert elsewhere.status == "not checked"
    assert "graph of int8 with sha256 0000" in elsewhere.sentence
    for file in folder.iterdir():
        file.unlink()
    (gone,) = resample(made, picture, pair.classifier, pair.denoiser, device="cpu", batch_size=8)
    assert gone.status == "not checked"
    assert "openvino in int8, which cannot be had here: computed by eager in float32" in gone.sentence


def test_a_graph_is_found_by_weights_sigma_and_size(pair):
    keep(pair)
    assert quantised_folder(pair) is not None
    assert quantised_folder(dataclasses.replace(pair, rows=64)) is not None
    for other in ({"sigma": 0.5}, {"shape": (3, 32, 32)}, {"denoiser": None}):
        assert quantised_folder(dataclasses.replace(pair, **other)) is None
    pair.classifier.weights_sha256 = "ef" * 32
    assert quantised_folder(pair) is None
    program = choose(pair, "auto", "int8")
    assert (program.engine, program.precision) == ("eager", "float32")
    assert "there is no graph of int8 of UNetDenoiser and ConvClassifier at sigma 0.25 for 16 x 16 pixels" in program.notice
    assert program.notice.endswith("the networks are computed eagerly, in float32.")


def test_a_graph_that_was_damaged_is_not_used(pair):
    folder = keep(pair)
    data = bytearray((folder / "graph.bin").read_bytes())
    data[100] ^= 1
    (folder / "graph.bin").write_bytes(data)
    program = choose(pair, "openvino", "int8")
    assert (program.engine, program.precision) == ("eager", "float32")
    assert "is not the one that was stored" in program.notice


def test_weights_that_were_changed_are_not_computed_by_the_graph_of_what_they_were(pair):
    keep(pair)
    with torch.no_grad():
        pair.classifier.head.weight.mul_(1.001)
    program = choose(pair, "openvino", "int8")
    assert (program.engine, program.precision) == ("eager", "float32")
    assert "were changed since they were read" in program.notice


def test_what_certificates_may_name_is_not_written_over(pair):
    keep(pair)
    with pytest.raises(LabError, match=r"There is a graph of int8 .* remove .* first"):
        keep(pair)


def test_weights_without_a_file_cannot_be_found_again(pair):
    pair.denoiser.weights_sha256 = None
    with pytest.raises(LabError, match="in no file by whose hash"):
        keep(pair)


def test_int8_is_openvinos_alone(pair):
    keep(pair)
    program = choose(pair, "eager", "int8")
    assert program.precision == "float32"
    assert program.notice == "int8 is computed by OpenVINO alone; the networks are computed eagerly, in float32."


def test_auto_takes_int8_where_the_card_says_so_and_rounds_less_meanwhile(pair, monkeypatch):
    keep(pair)
    monkeypatch.setattr("core.engines.programs.computes", lambda precision, device: True)
    pair.classifier.ref, pair.denoiser.formats = "bundled/it", {"bundled/it": {"int8": (0.25, 0.25)}}
    assert choose(pair, "auto", "auto").precision == "float32"
    assert choose(pair, "auto", "auto", wait=True).precision == "int8"
    assert choose(pair, "eager", "auto").precision == "float32"
    pair.denoiser.formats["bundled/it"]["bfloat16"] = (0.12, 0.5)
    assert choose(dataclasses.replace(pair, rows=4), "auto", "auto").precision == "bfloat16"


@pytest.mark.slow
def test_the_command_makes_what_certify_takes(capsys, home):
    pair = ["--classifier", "bundled/shapes", "--denoiser", "bundled/shapes-stab"]
    asked = ["quantize", *pair, "--dataset", "shapes", "--pictures", "128", "--json"]
    assert main(asked) == 0
    made = json.loads(capsys.readouterr().out)
    assert Path(made["folder"]).parent == home / "int8"
    assert made["bytes"] == sum(file.stat().st_size for file in Path(made["folder"]).iterdir())
    assert made["same_class"] > 0.9
    assert main([*asked]) == 2
    assert "remove" in capsys.readouterr().err
    picture = Path(__file__).resolve().parents[2] / "assets" / "samples" / "frog.png"
    assert main(["certify", str(picture), *pair, "--n", "200", "--precision", "int8", "--seed", "0", "--json"]) == 0
    certificate = json.loads(capsys.readouterr().out)
    assert (certificate["precision"], certificate["versions"]["int8"]) == ("int8", made["sha256"])


def test_bad_numbers_and_models_without_weights_are_sentences(capsys):
    assert main(["quantize", "--dataset", "shapes", "--pictures", "5"]) == 2
    assert "--pictures is 5: expected 32 to" in capsys.readouterr().err
    pair = ["--classifier", "bundled/shapes", "--denoiser", "classical/tv"]
    assert main(["quantize", *pair, "--dataset", "shapes"]) == 2
    assert "cannot be rounded" in capsys.readouterr().err
