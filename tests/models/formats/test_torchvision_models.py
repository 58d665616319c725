"""torchvision's own weights, from its cache, and weights files of its architectures."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.formats.torchvision_models import list_torchvision, load_torchvision
from core.models.labels import names_of
from core.models.load import load_classifier, load_denoiser
from tests.models.formats.repositories import picture, pixels, wanted

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's folder of downloaded weights, empty, and no way to anything but a closed port on loopback."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(urllib.request, "_opener", None)
    for name in ("https_proxy", "http_proxy", "HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_the_real_squeezenet_is_what_torchvision_makes_of_it(lab_data: Path, cache: Path) -> None:
    found = lab_data / "imagenet" / "squeezenet1_0.safetensors"
    if not found.is_file():
        pytest.skip(f"no SqueezeNet at {found}")
    models, functional = import_library("torchvision.models"), import_library("torchvision.transforms.functional")
    weights = models.SqueezeNet1_0_Weights.IMAGENET1K_V1
    torch.save(load_file(found), cache / Path(weights.url).name)
    loaded = load_torchvision("squeezenet1_0")
    network = models.squeezenet1_0(weights=None).eval()
    network.load_state_dict(load_file(found))
    for path in sorted((lab_data / "imagenet" / "images").glob("*.png"))[:3]:
        image = Image.open(path).convert("RGB").resize((300, 280))
        cut = functional.center_crop(functional.resize(image, 256), 224)
        pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            assert torch.allclose(loaded.network(pixels), network(weights.transforms()(image)[None]), atol=1e-4)
    assert loaded.input_size == (224, 224)
    # At another size the library's own scaling and cutting happens inside.
    small = load_torchvision("squeezenet1_0", size=(64, 64))
    tensor = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = network(weights.transforms(antialias=True)(tensor))
        assert torch.allclose(small.network(tensor), theirs, atol=1e-3)
    assert any("middle 88%" in note for note in small.notes)


def test_googlenet_undoes_the_normalisation_as_its_weights_need(cache: Path) -> None:
    models = import_library("torchvision.models")
    torch.manual_seed(0)
    network = models.googlenet(weights=None, init_weights=False, transform_input=True)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all that was seen, so that activations keep their scale
    with torch.no_grad():
        network.train()(torch.rand(8, 3, 64, 64))
    torch.save(network.state_dict(), cache / Path(models.GoogLeNet_Weights.DEFAULT.url).name)
    loaded, image = load_torchvision("googlenet"), torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        theirs = network.eval()((image - MEAN) / STD)
        network.transform_input = False
        without = network((image - MEAN) / STD)
        ours = loaded.network(image)
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert not torch.allclose(ours, without, atol=1e-3)
    save_file(network.state_dict(), cache / "googlenet.safetensors")
    with torch.no_grad():
        assert torch.allclose(read_network(cache / "googlenet.safetensors", "classifier").network(image), theirs, atol=1e-4)


def test_offline_is_one_sentence(cache: Path) -> None:
    with pytest.raises(LabError, match="cannot be downloaded") as caught:
        load_torchvision("squeezenet1_1")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_in_the_cache_is_named(cache: Path) -> None:
    weights = import_library("torchvision.models").SqueezeNet1_1_Weights.DEFAULT
    (cache / Path(weights.url).name).write_bytes(b"half a file")
    with pytest.raises(LabError, match="cache is damaged") as caught:
        load_torchvision("squeezenet1_1")
    assert "\n" not in str(caught.value)


def test_a_network_larger_than_memory_is_not_even_downloaded(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.models.formats.limits.memory_left", lambda: 10_000_000)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: pytest.fail("it was downloaded"))
    with pytest.raises(LabError, match="GB of memory"):
        load_torchvision("resnet50")


def squeezenet(path: Path, classes: int = 12) -> Any:
    torch.manual_seed(0)
    network = import_library("torchvision.models").squeezenet1_1(weights=None, num_classes=classes).eval()
    save_file(network.state_dict(), path)
    return network


@pytest.mark.parametrize(
    "name", ["squeezenet1_1.safetensors", "squeezenet1_1-b8a52dc0.safetensors", "squeezenet1_1_mine.safetensors"]
)
def test_a_file_named_after_its_architecture(tmp_path: Path, name: str) -> None:
    network = squeezenet(tmp_path / name)
    squeezenet(tmp_path / "another.safetensors")  # the file is meant, not its folder
    loaded, image = read_network(tmp_path / name, "classifier"), torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - MEAN) / STD), atol=1e-4)
    assert loaded.weights == (name,)


def test_a_file_described_by_one_beside_it(tmp_path: Path) -> None:
    network = squeezenet(tmp_path / "mine.safetensors")
    settings = {"library": "torchvision", "architecture": "squeezenet1_1", "mean": [0, 0, 0], "std": 1, "input_size": 64}
    (tmp_path / "mine.json").write_text(json.dumps(settings | {"labels": list("abcdefghijkl")}))
    loaded, image = read_network(tmp_path / "mine.safetensors", "classifier"), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network(image), atol=1e-4)
    assert (loaded.input_size, loaded.labels, loaded.notes) == ((64, 64), tuple("abcdefghijkl"), ())


def test_the_real_squeezenet_as_a_file(lab_data: Path) -> None:
    found = lab_data / "imagenet" / "squeezenet1_0.safetensors"
    if not found.is_file():
        pytest.skip(f"no SqueezeNet at {found}")
    loaded = read_network(found, "classifier")
    assert (loaded.architecture, loaded.labels, loaded.input_size) == ("squeezenet1_0", None, (224, 224))
    assert any("mean and standard deviation" in note for note in loaded.notes)


def test_a_file_of_an_architecture_with_another_size_gets_that_size(tmp_path: Path) -> None:
    models = import_library("torchvision.models")
    save_file(models.efficientnet_b1(weights=None, num_classes=12).state_dict(), tmp_path / "efficientnet_b1.safetensors")
    side = models.EfficientNet_B1_Weights.DEFAULT.transforms().crop_size[0]
    assert side != 224
    assert read_network(tmp_path, "classifier").input_size == (side, side)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mean": "abc"}, "three numbers"),
        ({"std": [1, 1, 0]}, "three numbers above 0"),
        ({"input_size": "big"}, "input_size is 'big'"),
        ({"input_size": [1, 64, 64]}, "1 colour channels"),
        ({"architecture": "resnet18"}, "of another architecture|do not fit"),
        ({"architecture": "resnet1"}, "Nothing says of which architecture"),
    ],
)
def test_bad_settings_are_one_sentence(tmp_path: Path, changes: dict[str, Any], word: str) -> None:
    squeezenet(tmp_path / "model.safetensors")
    config = {"library": "torchvision", "architecture": "squeezenet1_1"} | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "classifier")
    assert "\n" not in str(caught.value)


def test_a_repository_that_names_torchvision_is_wanted() -> None:
    config = {"library": "torchvision", "architecture": "resnet18"}
    assert wanted(["config.json", "model.safetensors"], config) == ["model.safetensors"]


def test_a_single_weights_file_is_a_local_model(tmp_path: Path) -> None:
    models = import_library("torchvision.models")
    torch.manual_seed(0)
    save_file(models.squeezenet1_1(weights=None, num_classes=12).state_dict(), tmp_path / "squeezenet1_1.safetensors")
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")  # beside it, and none of its business
    classifier = load_classifier(f"local/{tmp_path / 'squeezenet1_1.safetensors'}")
    with torch.no_grad():
        assert classifier(torch.rand(1, 3, 224, 224)).shape == (1, 12)
    assert classifier.weights_sha256 == hashlib.sha256((tmp_path / "squeezenet1_1.safetensors").read_bytes()).hexdigest()
    for path, word in (("squeezenet1_0.safetensors", "no folder or file"), ("other.safetensors", "architecture")):
        with pytest.raises(LabError, match=word) as caught:
            load_classifier(f"local/{tmp_path / path}")
        assert "\n" not in str(caught.value)
    with pytest.raises(LabError) as caught:
        load_denoiser(f"local/{tmp_path / 'other.safetensors'}")
    assert "\n" not in str(caught.value)


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
    names = names_of("imagenet")
    right = sum(label == int(row[1]) for label, row in zip(found, rows, strict=True))
    assert right >= 15
    assert all(names[int(row[1])].casefold() == row[3].casefold().replace("_", " ") for row in rows[:3])


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


@pytest.mark.parametrize(("name", "first"), [("squeezenet1_1-b8a52dc0", "tench"), ("squeezenet1_1", None)])
def test_a_file_named_after_weights_of_torchvision_has_their_names_and_no_other(
    tmp_path: Path, name: str, first: str | None
) -> None:
    models = import_library("torchvision.models")
    save_file(models.squeezenet1_1(weights=None).state_dict(), tmp_path / f"{name}.safetensors")
    labels = read_network(tmp_path, "classifier").labels
    assert (labels and labels[0]) == first
