"""Published classifiers: what comes out is what their own library computes, and every mistake is one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.formats.torchvision_models import list_torchvision, load_torchvision
from tests.models.formats.listings import wanted


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def smooth(height: int, width: int) -> Image.Image:
    """A picture without edges, which no way of scaling overshoots."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(y / 7 + c) * np.cos(x / 9 - c) for c in range(3)]
    return Image.fromarray(np.stack(waves, axis=-1).round().astype(np.uint8))


def save_timm(folder: Path, arch: str = "test_resnet", classes: int = 7, flat: bool = False, **settings: Any) -> Any:
    """A repository as timm's ``save_for_hf`` writes it; ``flat`` as older versions did."""
    timm = import_library("timm")
    torch.manual_seed(0)
    network = timm.create_model(arch, pretrained=False, num_classes=classes).eval()
    cfg = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3], "input_size": [3, 96, 96], "interpolation": "bicubic"} | settings
    head = {"architecture": arch, "num_classes": classes}
    names = {"label_names": [f"thing {i}" for i in range(classes)]}
    config = head | cfg | names if flat else head | {"pretrained_cfg": cfg} | names
    (folder / "config.json").write_text(json.dumps(config))
    save_file(network.state_dict(), folder / "model.safetensors")
    return network


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
    assert loaded.labels is not None
    assert (loaded.labels[0], loaded.labels_assumed, loaded.input_size) == ("airplane", "CIFAR-10", (32, 32))
    assert any("3x3 stem" in note for note in loaded.notes)


def test_a_cifar_classifier_that_scales_up_is_certified_at_32(tmp_path: Path) -> None:
    network = save_timm(tmp_path, classes=10, input_size=[3, 96, 96])
    config = json.loads((tmp_path / "config.json").read_text())
    del config["label_names"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = read_network(tmp_path, "classifier")
    assert (loaded.input_size, loaded.own_size, loaded.labels_assumed) == ((32, 32), (96, 96), "CIFAR-10")
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


def save_vit(folder: Path, classes: int = 5, named: bool = True, **changes: Any) -> Any:
    transformers = import_library("transformers")
    torch.manual_seed(0)
    names = {i: f"thing {i}" for i in range(classes)} if named else {i: f"LABEL_{i}" for i in range(classes)}
    config = transformers.ViTConfig(
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=64,
        patch_size=16,
        id2label=names,
        label2id={v: k for k, v in names.items()},
    )
    network = transformers.ViTForImageClassification(config).eval()
    network.save_pretrained(folder)
    settings = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.4, 0.3],
        "resample": 2,
        "image_std": [0.5, 0.6, 0.7],
        "rescale_factor": 1 / 255,
        "size": {"height": 64, "width": 64},
        "image_processor_type": "ViTImageProcessor",
    } | changes
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return network


def test_transformers_gives_what_transformers_gives(tmp_path: Path) -> None:
    network = save_vit(tmp_path)
    processor = import_library("transformers").AutoImageProcessor.from_pretrained(tmp_path)
    image = picture(64, 64)
    loaded = read_network(tmp_path, "classifier")
    with torch.no_grad():
        theirs = network(**processor(image, return_tensors="pt")).logits
        assert torch.allclose(loaded.network(pixels(image)), theirs, atol=1e-4)
    assert (loaded.source, loaded.input_size, loaded.labels) == (
        "transformers",
        (64, 64),
        tuple(f"thing {i}" for i in range(5)),
    )


@pytest.mark.parametrize(
    "changes", [{"do_normalize": False}, {"rescale_factor": 1 / 127.5}, {"size": {"shortest_edge": 64}}, {"size": 64}]
)
def test_processors_of_every_kind(tmp_path: Path, changes: dict[str, Any]) -> None:
    network = save_vit(tmp_path, **changes)
    image = picture(64, 64)
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() * changes.get("rescale_factor", 1 / 255)
    if changes.get("do_normalize", True):
        x = (x - torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)) / torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(read_network(tmp_path, "classifier").network(pixels(image)), network(x).logits, atol=1e-4)


def test_placeholder_names_are_missing_names(tmp_path: Path) -> None:
    save_vit(tmp_path, classes=5, named=False)
    loaded = read_network(tmp_path, "classifier")
    assert (loaded.labels, loaded.labels_assumed) == (None, None)


def test_torchvision_weights_files_by_their_name(tmp_path: Path) -> None:
    models = import_library("torchvision.models")
    network = models.squeezenet1_1(weights=None, num_classes=12).eval()
    save_file(network.state_dict(), tmp_path / "squeezenet1_1.safetensors")
    loaded = read_network(tmp_path, "classifier")
    image = pixels(picture(224, 224))
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - mean) / std), atol=1e-4)
    assert (loaded.architecture, loaded.input_size, loaded.labels) == ("squeezenet1_1", (224, 224), None)
    assert any("ImageNet's were assumed" in note for note in loaded.notes)


def test_the_real_squeezenet_names_real_pictures(lab_data: Path) -> None:
    folder = lab_data / "imagenet"
    if not folder.is_dir():
        pytest.skip(f"no ImageNet pictures at {folder}")
    loaded = read_network(folder, "classifier")
    rows = [line.split("\t") for line in (folder / "labels.tsv").read_text().splitlines()[1:]]
    batch = torch.cat([pixels(Image.open(folder / "images" / row[0]).convert("RGB")) for row in rows])
    with torch.no_grad():
        found = loaded.network(batch).argmax(dim=1).tolist()
    assert loaded.labels is not None
    assert len(loaded.labels) == 1000
    right = sum(label == int(row[1]) for label, row in zip(found, rows, strict=True))
    assert right >= 15
    assert all(loaded.labels[int(row[1])].casefold() == row[3].casefold().replace("_", " ") for row in rows[:3])


def test_torchvision_knows_its_architectures() -> None:
    assert {"resnet18", "squeezenet1_0", "vit_b_16"} <= set(list_torchvision())
    with pytest.raises(LabError, match="did you mean resnet18"):
        load_torchvision("resnet-18")
    with pytest.raises(LabError, match="IMAGENET1K_V1"):
        load_torchvision("resnet18", "IMAGENET2K")


def test_torchvision_weights_that_cannot_be_downloaded_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from urllib.error import URLError

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    with pytest.raises(LabError, match="cannot be downloaded"):
        load_torchvision("resnet18")


def test_torchvision_with_downloaded_weights_is_as_torchvision_says(monkeypatch: pytest.MonkeyPatch) -> None:
    models = import_library("torchvision.models")
    torch.manual_seed(0)
    network = models.squeezenet1_1(weights=None).eval()
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *args, **kwargs: network.state_dict())
    loaded = load_torchvision("squeezenet1_1", "IMAGENET1K_V1")
    image = picture(224, 224)
    preset = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms(resize_size=224)
    with torch.no_grad():
        assert torch.allclose(loaded.network(pixels(image)), network(preset(image)[None]), atol=1e-4)
    assert loaded.labels is not None
    assert loaded.labels[0] == "tench"
    assert loaded.labels_assumed is None


Damage = Callable[[Path], None]


def _edit(**changes: Any) -> Damage:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return edit


def _without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def _write(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data) and None  # type: ignore[func-returns-value]


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_without("model.safetensors"), "no weights"),
        (_write("model.safetensors", b"not tensors"), "damaged"),
        (_write("config.json", b"{"), "damaged"),
        (_write("config.json", b"[]"), "expected a JSON object"),
        (_edit(architecture="no_such_net"), "no architecture 'no_such_net'"),
        (_edit(num_classes=0), "0 classes"),
        (_edit(num_classes=9), "do not fit"),
        (_edit(pretrained_cfg={"input_size": [1, 28, 28]}), "1 colour channels"),
        (_edit(pretrained_cfg={"mean": [0.1, 0.2]}), "three numbers"),
        (_edit(pretrained_cfg={"std": [0.0, 0.2, 0.2]}), "usable numbers"),
        (_edit(model_args={"f": {"code": 1}}), "no plain settings"),
        (_edit(model_args={"nonsense": 1}), "no plain settings of its network: 'nonsense'"),
        (_edit(model_args={"stem_width": "deep"}), "cannot build"),
    ],
)
def test_damaged_timm_repositories_are_told_in_one_sentence(tmp_path: Path, damage: Damage, word: str) -> None:
    save_timm(tmp_path)
    damage(tmp_path)
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "classifier")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_edit(architectures=["BertForMaskedLM"]), "it is no image classifier but BertForMaskedLM"),
        (_edit(auto_map={"AutoModel": "code.Net"}), "needs code of its own from the Hub"),
        (_edit(quantization_config={"bits": 4}), "quantised"),
        (_without("model.safetensors"), "no weights"),
        (_write("preprocessor_config.json", b"{"), "damaged"),
        (_edit(hidden_size=32), "cannot load|do not fit|missing"),
    ],
)
def test_damaged_transformers_repositories_are_told_in_one_sentence(tmp_path: Path, damage: Damage, word: str) -> None:
    save_vit(tmp_path)
    damage(tmp_path)
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "classifier")
    assert "\n" not in str(caught.value)


def test_a_bare_file_of_no_known_architecture_is_told(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(2, 2)}, tmp_path / "mine.safetensors")
    with pytest.raises(LabError, match="Nothing says of which architecture"):
        read_network(tmp_path, "classifier")


@pytest.mark.parametrize(
    ("names", "config", "expected"),
    [
        (
            ["config.json", "model.safetensors", "pytorch_model.bin"],
            {"architecture": "a", "num_classes": 2},
            ["model.safetensors"],
        ),
        (["config.json", "pytorch_model.bin", "README.md"], {"architecture": "a", "pretrained_cfg": {}}, ["pytorch_model.bin"]),
        (
            ["config.json", "preprocessor_config.json", "model.safetensors"],
            {"model_type": "vit", "architectures": ["ViTForImageClassification"]},
            ["model.safetensors"],
        ),
    ],
)
def test_wanted_files(names: list[str], config: dict[str, Any], expected: list[str]) -> None:
    assert wanted(names, config) == expected


@pytest.mark.parametrize(
    ("names", "config", "word"),
    [
        (["README.md"], None, "it has no weights"),
        (["weights.pth"], None, "Nothing says of which architecture 'weights.pth' is"),
        (["config.json", "model.gguf"], {"architecture": "a", "num_classes": 2}, "GGUF"),
        (["config.json", "a.pth", "b.pth"], {"architecture": "a", "num_classes": 2}, "2 files of weights"),
        (["config.json", "model.safetensors"], {"model_type": "bert", "architectures": ["BertModel"]}, "BertModel"),
    ],
)
def test_unwanted_repositories(names: list[str], config: dict[str, Any] | None, word: str) -> None:
    with pytest.raises(LabError, match=word):
        wanted(names, config)


def save_squeezenet(folder: Path) -> None:
    network = import_library("torchvision.models").squeezenet1_1(weights=None, num_classes=5)
    save_file(network.state_dict(), folder / "squeezenet1_1.safetensors")


@pytest.mark.parametrize("make", [save_timm, save_vit, save_squeezenet])
def test_gradients_reach_the_picture_through_every_format(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    make(tmp_path)
    for size in (None, (40, 40)):
        loaded = read_network(tmp_path, "classifier", size=size)
        assert loaded.input_size is not None
        given = torch.rand(2, 3, *loaded.input_size, generator=torch.Generator().manual_seed(0), requires_grad=True)
        before = given.detach().clone()
        loaded.network(given).sum().backward()
        assert given.grad is not None
        assert bool(given.grad.abs().amax(dim=(1, 2, 3)).gt(0).all())
        assert torch.equal(given.detach(), before)
        assert not loaded.network.training
        assert not any(p.requires_grad for p in loaded.network.parameters())
        assert {p.dtype for p in loaded.network.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [save_timm, save_vit, save_squeezenet])
def test_reading_warns_of_nothing_and_prints_nothing(
    tmp_path: Path, make: Callable[[Path], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path)
    capfd.readouterr()
    read_network(tmp_path, "classifier")
    assert capfd.readouterr() == ("", "")


def test_shapes_that_contradict_a_transformers_config_are_named(tmp_path: Path) -> None:
    save_vit(tmp_path)
    _edit(hidden_size=32)(tmp_path)
    with pytest.raises(LabError, match=r"is \(.*\) instead of \(.*such places"):
        read_network(tmp_path, "classifier")


def test_a_transformers_config_that_blows_the_network_up_is_refused(tmp_path: Path) -> None:
    save_vit(tmp_path)
    _edit(intermediate_size=2_000_000)(tmp_path)
    with pytest.raises(LabError, match="do not fit each other"):
        read_network(tmp_path, "classifier")


def test_several_labels_at_once_are_told(tmp_path: Path) -> None:
    save_vit(tmp_path)
    _edit(problem_type="multi_label_classification")(tmp_path)
    assert any("several labels at once" in note for note in read_network(tmp_path, "classifier").notes)


def test_what_training_leaves_behind_is_not_taken_for_weights() -> None:
    config = {"architecture": "a", "num_classes": 2}
    names = ["config.json", "best.pth", "optimizer.pt", "training_args.bin", "rng_state.pth"]
    assert wanted(names, config) == ["best.pth"]


def test_weights_in_several_files_load_where_the_format_has_them(tmp_path: Path) -> None:
    network = save_vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    network.save_pretrained(tmp_path, max_shard_size="20KB")
    shards = sorted(path.name for path in tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    loaded, image = read_network(tmp_path, "classifier"), pixels(picture(64, 64))
    assert loaded.weights == tuple(shards)
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1), torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - mean) / std).logits, atol=1e-4)
    config = json.loads((tmp_path / "config.json").read_text())
    names = [path.name for path in tmp_path.iterdir()]
    assert set(shards) < set(wanted(names, config))
    with pytest.raises(LabError, match=f"{len(shards)} files of weights"):
        wanted(names, {"architecture": "a", "num_classes": 2})


@pytest.mark.parametrize(
    ("names", "word"),
    [(["adapter_config.json", "adapter_model.safetensors", "config.json"], "adapter"), (["config.json"], "no weights")],
)
def test_what_is_no_whole_model(names: list[str], word: str) -> None:
    with pytest.raises(LabError, match=word):
        wanted(names, {"architecture": "a", "num_classes": 2})


def test_one_colour_is_too_few_for_transformers(tmp_path: Path) -> None:
    save_vit(tmp_path)
    _edit(num_channels=1)(tmp_path)
    with pytest.raises(LabError, match="1 colour channels"):
        read_network(tmp_path, "classifier")


@pytest.mark.parametrize("name", ["notes.txt", "nowhere"])
def test_what_is_no_model_at_all(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(LabError, match=r"no weights file|cannot be read"):
        read_network(tmp_path / name, "classifier")
