"""Repositories of timm, as it, older versions and transformers write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.labels import CIFAR10_LABELS
from tests.models.formats.repositories import Damage, edit, picture, pixels, save_timm, smooth, wanted, without, write

CFG = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3], "input_size": [3, 96, 96], "interpolation": "bicubic"}


def save(folder: Path, arch: str = "test_resnet", config: dict[str, Any] | None = None, **options: Any) -> Any:
    torch.manual_seed(0)
    network = import_library("timm").create_model(arch, pretrained=False, **options).eval()
    said = {"architecture": arch, "num_classes": network.num_classes, "pretrained_cfg": CFG} if config is None else config
    (folder / "config.json").write_text(json.dumps(said))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors")
    return network


def test_outputs_equal_timms_own_transform_with_its_cut(tmp_path: Path) -> None:
    network = save(tmp_path, num_classes=7)
    timm_data, functional = import_library("timm.data"), import_library("torchvision.transforms.functional")
    transform = timm_data.create_transform(**timm_data.resolve_data_config(pretrained_cfg=CFG))
    image = picture(130, 150)
    # The picture as timm scales and cuts it, which is the one that is certified at the network's size.
    cut = functional.center_crop(functional.resize(image, 109, functional.InterpolationMode.BICUBIC), 96)
    with torch.no_grad():
        ours = read_network(tmp_path, "classifier").network(pixels(cut))
        assert torch.allclose(ours, network(transform(image)[None]), atol=1e-4)


def test_a_model_of_timm_that_transformers_saved(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    network = save(tmp_path / "first", num_classes=7)
    transformers = import_library("transformers")
    second = tmp_path / "second"
    transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "first").save_pretrained(second)
    config = json.loads((second / "config.json").read_text())
    assert config["model_type"] == "timm_wrapper"
    assert wanted(sorted(p.name for p in second.iterdir()), config) == ["model.safetensors"]
    loaded = read_network(second, "classifier")
    image = pixels(picture(96, 96))
    mean, std = torch.tensor(CFG["mean"]).view(1, 3, 1, 1), torch.tensor(CFG["std"]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - mean) / std), atol=1e-4)
    assert (loaded.source, loaded.labels, loaded.own_size) == ("timm", None, (96, 96))
    prefixed = {f"timm_model.{name}": value for name, value in load_file(second / "model.safetensors").items()}
    save_file(prefixed, second / "model.safetensors")
    with torch.no_grad():
        assert torch.equal(read_network(second, "classifier").network(image), loaded.network(image))


def test_a_config_that_only_names_library_and_architecture(tmp_path: Path) -> None:
    save(tmp_path, config={"library": "timm", "architecture": "test_resnet"}, num_classes=7)
    loaded = read_network(tmp_path, "classifier")
    with torch.no_grad():
        assert loaded.network(torch.rand(1, 3, 224, 224)).shape == (1, 7)
    assert any("ImageNet's were assumed" in note for note in loaded.notes)


def test_old_names_of_weights_are_read_as_timm_reads_them(tmp_path: Path) -> None:
    """Older Swin files hold buffers that today's network computes for itself."""
    small = {"embed_dim": 12, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1], "img_size": 64, "window_size": 2}
    arch = "swin_tiny_patch4_window7_224"
    config = {"architecture": arch, "num_classes": 5, "model_args": small, "pretrained_cfg": CFG | {"input_size": [3, 64, 64]}}
    network = save(tmp_path, arch, config, num_classes=5, **small)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(tensors | {"layers.0.blocks.0.attn.relative_position_index": torch.zeros(4, 4)}, tmp_path / "model.safetensors")
    image = torch.rand(1, 3, 64, 64)
    mean, std = torch.tensor(CFG["mean"]).view(1, 3, 1, 1), torch.tensor(CFG["std"]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(read_network(tmp_path, "classifier").network(image), network((image - mean) / std), atol=1e-4)


def test_a_densenet_with_a_cifar_stem(tmp_path: Path) -> None:
    from torch import nn

    options = {"num_classes": 10, "growth_rate": 4, "block_config": [1, 1, 1, 1]}
    network = import_library("timm").create_model("densenet121", pretrained=False, **options).eval()
    network.features.conv0 = nn.Conv2d(3, 8, 3, stride=1, padding=1, bias=False)
    network.features.pool0 = nn.Identity()
    args = {"growth_rate": 4, "block_config": [1, 1, 1, 1]}
    cfg = {"mean": [0.5] * 3, "std": [0.25] * 3}
    config = {"architecture": "densenet121", "num_classes": 10, "model_args": args, "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    loaded, image = read_network(tmp_path, "classifier"), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - 0.5) / 0.25), atol=1e-4)
    assert (loaded.input_size, loaded.own_size) == ((32, 32), (32, 32))
    assert any("3x3 stem" in note for note in loaded.notes)
    assert any("in place of 224 x 224" in note for note in loaded.notes)


@pytest.mark.parametrize("way", ["squash", "border"])
def test_ways_of_fitting(tmp_path: Path, way: str) -> None:
    save(
        tmp_path,
        config={"architecture": "test_resnet", "num_classes": 7, "pretrained_cfg": CFG | {"crop_mode": way}},
        num_classes=7,
    )
    loaded = read_network(tmp_path, "classifier", size=(40, 60))
    assert loaded.network.fitting.keeps_shape == (way != "squash")
    assert any("border" in note for note in loaded.notes) == (way == "border")
    with torch.no_grad():
        assert loaded.network(torch.rand(2, 3, 40, 60)).shape == (2, 7)


@pytest.mark.parametrize(
    ("config", "options", "word"),
    [
        ({"num_classes": 10, "model_args": {"num_classes": 7}, "label_names": list("abcdefghij")}, {"num_classes": 7}, None),
        ({"num_classes": 7, "model_args": {"in_chans": 1}}, {"num_classes": 7, "in_chans": 1}, "does not take a picture of 3"),
        ({"num_classes": 7, "pretrained_cfg": ["mean"]}, {"num_classes": 7}, "where a table of settings must stand"),
        ({"num_classes": 7, "pretrained_cfg": {"crop_pct": 0}}, {"num_classes": 7}, "crop_pct is 0"),
        ({"num_classes": 7, "pretrained_cfg": {"mean": ["a", 0, 0]}}, {"num_classes": 7}, "three numbers"),
    ],
)
def test_contradictions_in_a_config(tmp_path: Path, config: dict[str, Any], options: dict[str, Any], word: str | None) -> None:
    save(tmp_path, config={"architecture": "test_resnet", "pretrained_cfg": CFG} | config, **options)
    if word is None:  # timm's model_args have the last word on the number of classes, so ten names do not fit seven
        assert read_network(tmp_path, "classifier").labels is None
        return
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "classifier")
    assert "\n" not in str(caught.value)


def test_a_config_that_blows_the_network_up_is_refused_before_it_takes_memory(tmp_path: Path) -> None:
    config = {"architecture": "vit_tiny_patch16_224", "num_classes": 7, "model_args": {"embed_dim": 19_200, "num_heads": 3}}
    save(tmp_path, config=config, num_classes=7)
    with pytest.raises(LabError, match="do not fit each other"):  # 200 GB of float32
        read_network(tmp_path, "classifier")


def test_weights_that_are_no_numbers_are_damaged(tmp_path: Path) -> None:
    network = save(tmp_path, num_classes=7)
    save_file({name: value * float("nan") for name, value in network.state_dict().items()}, tmp_path / "model.safetensors")
    named = r"^'hub/someone/net' cannot be loaded as a classifier: .* not finite .*expected .*\. Choose another model"
    with pytest.raises(LabError, match=named):
        read_network(tmp_path, "classifier", ref="hub/someone/net")


@pytest.mark.parametrize("flat", [False, True])
def test_timm_gives_what_timm_gives(tmp_path: Path, flat: bool) -> None:
    network = save_timm(tmp_path, flat=flat)
    loaded = read_network(tmp_path, "classifier")
    image = picture(96, 96)
    transform = import_library("timm.data").create_transform(
        input_size=(3, 96, 96), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), interpolation="bicubic", crop_pct=1.0
    )
    with torch.no_grad():
        theirs, ours = network(transform(image)[None]), loaded.network(pixels(image))
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert (loaded.source, loaded.input_size, loaded.own_size) == ("timm", (96, 96), (96, 96))
    assert loaded.labels == tuple(f"thing {i}" for i in range(7))
    assert loaded.weights == ("model.safetensors",)
    assert not loaded.network.training


def test_timm_weights_may_be_an_old_pickle_of_tensors(tmp_path: Path) -> None:
    network = save_timm(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "pytorch_model.bin")
    loaded = read_network(tmp_path, "classifier")
    assert torch.equal(loaded.network.network.state_dict()["conv1.0.weight"], network.state_dict()["conv1.0.weight"])


def test_a_pickle_that_holds_code_is_refused_with_the_reason(tmp_path: Path) -> None:
    save_timm(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"weights": print}, tmp_path / "pytorch_model.bin")
    with pytest.raises(LabError, match="could run code"):
        read_network(tmp_path, "classifier")


def test_contradicting_settings_are_told_and_the_nested_ones_win(tmp_path: Path) -> None:
    save_timm(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"mean": [0.0, 0.0, 0.0]}))
    loaded = read_network(tmp_path, "classifier")
    assert any("two values of mean" in note for note in loaded.notes)
    assert loaded.network.mean.flatten().tolist() == pytest.approx([0.4, 0.5, 0.6])


@pytest.mark.parametrize(
    ("classes", "tag", "first"),
    [
        (1000, "a1_in1k", "tench"),
        (1000, "augreg_in21k_ft_in1k", "tench"),
        (1000, "ours", None),
        (11_821, None, "benthos"),
        (21_843, "in21k", "organism"),
        (10, "a1_in1k", None),
    ],
)
def test_weights_of_timm_have_the_names_of_their_tag(tmp_path: Path, classes: int, tag: str | None, first: str | None) -> None:
    """Its files leave them out; a thousand classes of anybody else's are no ImageNet."""
    save_timm(tmp_path, classes=classes)
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("label_names")
    config["pretrained_cfg"] |= {"tag": tag}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = read_network(tmp_path, "classifier")
    assert (loaded.labels and loaded.labels[0].split(",")[0]) == first
    assert first is None or len(loaded.labels or ()) == classes
    assert any("Nothing names its" in note for note in loaded.notes) is (first is None)


def test_a_cifar_stem_under_an_imagenet_name_loads(tmp_path: Path) -> None:
    timm = import_library("timm")
    network = timm.create_model("resnet18", pretrained=False, num_classes=10).eval()
    network.conv1 = torch.nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
    network.maxpool = torch.nn.Identity()
    cfg = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 32, 32]}
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "resnet18", "num_classes": 10, "pretrained_cfg": cfg}))
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    loaded = read_network(tmp_path, "classifier")
    image = pixels(picture(32, 32))
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - 0.5) / 0.25), atol=1e-4)
    assert (loaded.labels, loaded.input_size) == (None, (32, 32))
    assert any("3x3 stem" in note for note in loaded.notes)


def test_a_cifar_classifier_that_scales_up_is_certified_at_32(tmp_path: Path) -> None:
    network = save_timm(tmp_path, classes=10, input_size=[3, 96, 96])
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"label_names": CIFAR10_LABELS}))
    loaded = read_network(tmp_path, "classifier")
    assert (loaded.input_size, loaded.own_size, loaded.labels) == ((32, 32), (96, 96), CIFAR10_LABELS)
    assert any("32 x 32" in note for note in loaded.notes)
    # What timm itself makes of the small picture: 96 / 0.875 pixels, of which the middle 96 are cut out.
    image = smooth(32, 32)
    transform = import_library("timm.data").create_transform(
        input_size=(3, 96, 96), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), interpolation="bicubic", crop_pct=0.875
    )
    x = pixels(image).requires_grad_(True)
    out = loaded.network(x)
    with torch.no_grad():
        # timm rounds the scaled picture to 8 bits, as Pillow does: half a grey level.
        assert torch.allclose(out, network(transform(image)[None]), atol=0.01)
    assert any("middle 88%" in note for note in loaded.notes)
    out.sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0, "no gradient reaches the picture"
    assert read_network(tmp_path, "classifier", size=(48, 48)).input_size == (48, 48)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (without("model.safetensors"), "no weights"),
        (write("model.safetensors", b"not tensors"), "damaged"),
        (write("config.json", b"{"), "damaged"),
        (write("config.json", b"[]"), "expected a JSON object"),
        (edit(architecture="no_such_net"), "no architecture 'no_such_net'"),
        (edit(num_classes=0), "0 classes"),
        (edit(num_classes=9), "do not fit"),
        (edit(pretrained_cfg={"input_size": [1, 28, 28]}), "1 colour channels"),
        (edit(pretrained_cfg={"mean": [0.1, 0.2]}), "three numbers"),
        (edit(pretrained_cfg={"std": [0.0, 0.2, 0.2]}), "three numbers above 0"),
        (edit(model_args={"f": {"code": 1}}), "no plain settings"),
        (edit(model_args={"nonsense": 1}), "no plain settings of its network: 'nonsense'"),
        (edit(model_args={"stem_width": "deep"}), "cannot build"),
    ],
)
def test_damaged_timm_repositories_are_told_in_one_sentence(tmp_path: Path, damage: Damage, word: str) -> None:
    save_timm(tmp_path)
    damage(tmp_path)
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "classifier")
    assert "\n" not in str(caught.value)
