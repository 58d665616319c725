"""Model references."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core import certify
from core.data.shapes import make_shapes
from core.errors import LabError
from core.models import references
from core.models.load import load_classifier, load_denoiser
from core.models.references import Reference, bundled_names, model_folder, parse_reference, pinned

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("bundled/cifar10", "bundled", "cifar10"),
        (" bundled/shapes ", "bundled", "shapes"),
        ("local/runs/a/b", "local", "runs/a/b"),
        ("local//tmp/model", "local", "/tmp/model"),
        ("classical/median", "classical", "median"),
        ("none", "none", ""),
        ("package/ffdnet-color", "package", "ffdnet-color"),
        ("hub/timm/resnet18.a1_in1k", "hub", "timm/resnet18.a1_in1k"),
        ("torchvision/vit_b_16", "torchvision", "vit_b_16"),
    ],
)
def test_references_are_taken_apart_and_put_together(text, kind, name):
    reference = parse_reference(text)
    assert reference == Reference(kind, name)
    assert str(reference) == text.strip()


@pytest.mark.parametrize(
    ("text", "name", "revision"),
    [
        ("hub/a/b@main", "a/b", "main"),
        ("hub/a/b@refs/pr/1", "a/b", "refs/pr/1"),
        ("hub/a/b@v1.0-rc_2", "a/b", "v1.0-rc_2"),
        (f"hub/a/b@{COMMIT}", "a/b", COMMIT),
        ("torchvision/resnet50@IMAGENET1K_V2", "resnet50", "IMAGENET1K_V2"),
        ("torchvision/resnet50@ResNet50_Weights.DEFAULT", "resnet50", "ResNet50_Weights.DEFAULT"),
    ],
)
def test_revisions(text, name, revision):
    reference = parse_reference(text)
    assert (reference.name, reference.revision) == (name, revision)
    assert str(reference) == text


@pytest.mark.parametrize(
    ("text", "plain", "revision"),
    [
        ("bundled/cifar10:bf16", "bundled/cifar10", None),
        ("hub/a/b:bf16", "hub/a/b", None),
        ("hub/a/b@v1:bf16", "hub/a/b@v1", "v1"),
        ("local//tmp/model:bf16", "local//tmp/model", None),
        ("torchvision/resnet50@DEFAULT:bf16", "torchvision/resnet50@DEFAULT", "DEFAULT"),
    ],
)
def test_a_precision_stands_behind_a_colon(text, plain, revision):
    reference = parse_reference(text)
    assert (reference.precision, reference.revision) == ("bf16", revision)
    assert str(reference) == text
    assert replace(reference, precision=None) == parse_reference(plain)
    assert pinned("hub/a/b:bf16", COMMIT) == f"hub/a/b@{COMMIT}:bf16"
    assert pinned("bundled/cifar10:bf16", "93d2") == "bundled/cifar10:bf16"


@pytest.mark.parametrize("text", ["none:bf16", "classical/median:bf16", "bundled/cifar10:fp8"])
def test_what_has_no_precision_is_told(text):
    with pytest.raises(LabError, match=r"has no precision|no bundled model"):
        load_denoiser(text)


def test_a_network_in_bfloat16_is_another_one_and_says_so():
    plain, rounded = load_classifier("bundled/shapes"), load_classifier("bundled/shapes:bf16")
    assert (rounded.ref, rounded.weights_sha256) == ("bundled/shapes:bf16", plain.weights_sha256)
    pixels = torch.rand((8, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    exact, close = plain(pixels), rounded(pixels)
    assert close.dtype == torch.float32
    assert not torch.equal(close, exact)
    assert torch.allclose(close, exact, atol=0.3)
    denoised = load_denoiser("bundled/shapes-mse:bf16")(pixels, 0.25)
    assert denoised.dtype == torch.float32
    assert torch.allclose(denoised, load_denoiser("bundled/shapes-mse")(pixels, 0.25), atol=0.03)
    pixels.requires_grad_(True)
    rounded(pixels).sum().backward()
    assert bool(pixels.grad.any()), "it can be trained and attacked through"


def test_a_certificate_in_bfloat16_names_it():
    image = make_shapes(1, seed=3)[0][0].float() / 255
    found = certify(
        image,
        load_classifier("bundled/shapes:bf16"),
        load_denoiser("bundled/shapes-mse:bf16"),
        sigma=0.1,
        n0=10,
        n=50,
        device="cpu",
    )
    document = found.to_dict()
    assert (document["classifier"]["ref"], document["denoiser"]["ref"]) == ("bundled/shapes:bf16", "bundled/shapes-mse:bf16")


@pytest.mark.parametrize(
    "text",
    [
        "hub/a",
        "hub/a/b/c",
        "hub/../b",
        "hub/a/..",
        "hub/a/../../etc",
        "hub//a",
        "hub/a/",
        "hub/a\\b/c",
        "hub/a b/c",
        "hub/a/b.git",
        "hub/a/b--c",
        "hub/ä/b",
        "hub/.a/b",
        "hub/a/-b",
        "hub/a/b.",
        "hub/https://x/a",
        "hub/a/b%2e",
        "hub/" + "a" * 97 + "/b",
        "hub/a/b@",
        "hub/a/b@../c",
        "hub/a/b@/etc",
        "hub/a/b@a b",
        "hub/a/b@a\\b",
        "hub/a/b@main@main",
        "hub/a/b@" + "c" * 200,
    ],
)
def test_path_tricks_are_refused_on_the_hub(text):
    with pytest.raises(LabError, match=r"names no repository of the Hub|is no revision"):
        parse_reference(text)


@pytest.mark.parametrize(
    "text", ["torchvision/a/b", "torchvision/../x", "torchvision/res net", "torchvision/a@", "torchvision/a@b/c"]
)
def test_path_tricks_are_refused_for_torchvision(text):
    with pytest.raises(LabError, match="names no model of torchvision"):
        parse_reference(text)


@pytest.mark.parametrize("text", ["local/" + "a" * 2000, "local/a\0b", "local/a\nb"])
def test_too_long_or_odd(text):
    with pytest.raises(LabError, match="too long or holds control characters") as told:
        parse_reference(text)
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "text", ["", "cifar10", "bundled", "bundled/", "none/", "none/x", "magic/cifar10", "/cifar10", "Bundled/x"]
)
def test_unknown_references_are_told(text):
    with pytest.raises(LabError, match=r"Unknown model reference .*expected bundled/NAME or local/PATH"):
        parse_reference(text)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LabError, match="There is no folder"):
        model_folder(parse_reference(f"local/{tmp_path}/nothing"))
    assert model_folder(parse_reference(f"local/{tmp_path}")) == tmp_path


def test_bundled_models_are_found_by_their_config(monkeypatch, tmp_path):
    monkeypatch.setattr(references, "BUNDLED_FOLDER", tmp_path)
    for name in ("beta", "alpha"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "half-made").mkdir()
    assert bundled_names() == ["alpha", "beta"]
    assert model_folder(Reference("bundled", "alpha")) == tmp_path / "alpha"
    for name in ("gamma", "half-made", "../alpha"):
        with pytest.raises(LabError, match=r"There is no bundled model .*: choose one of alpha, beta"):
            model_folder(Reference("bundled", name))


def test_what_is_no_classifier_is_refused():
    for text in ("none", "classical/median"):
        with pytest.raises(LabError, match="is no classifier: expected bundled/NAME or local/PATH"):
            load_classifier(text)


def test_denoisers_without_weights():
    assert load_denoiser("none") is None
    assert load_denoiser("classical/median").ref == "classical/median"
    with pytest.raises(LabError, match="There is no classical denoiser 'mean': choose one of median, wavelet, tv, nlm"):
        load_denoiser("classical/mean")
