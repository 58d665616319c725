"""Loading by reference from every place: the Hub, folders, the bundled models."""

from __future__ import annotations

import hashlib
import json
import re
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from loopback_hub import LoopbackHub
from torch import nn

from core import device
from core.errors import LabError
from core.models import load
from core.models.formats import limits, timm_models, torchvision_models
from core.models.formats.listing import Listing
from core.models.formats.weights import weights_digest
from core.models.hub.access import DownloadStoppedError
from core.models.hub.cached import delete_cached
from core.models.hub.download import DownloadProgress
from core.models.labels import CIFAR10_LABELS
from core.models.load import load_classifier, load_denoiser
from core.models.network import LoadedNetwork
from core.models.networks import ConvClassifier, UNetDenoiser
from core.models.references import pinned
from core.models.storage import ModelConfig, save_model
from tests.models.formats.repositories import save_timm

OPTIONS = {"num_classes": 3, "widths": [4, 8], "mean": [0.4, 0.5, 0.6]}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = ConvClassifier(3, (4, 8), mean=(0.4, 0.5, 0.6))
    network(torch.rand(8, 3, 16, 20))
    save_model(tmp_path / "pets", network, ModelConfig("classifier", "conv", OPTIONS, (16, 20), ("a", "b", "c")), {})
    broom = ModelConfig("denoiser", "unet", {"widths": [8, 8]}, sigma_range=(0.1, 0.5))
    save_model(tmp_path / "broom", UNetDenoiser((8, 8)), broom, {})
    return tmp_path


@pytest.fixture
def pets(hub: LoopbackHub, saved: Path) -> str:
    return hub.add("lab/pets", saved / "pets", library_name="denoised-smoothing-lab")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_classifier_from_the_hub(hub: LoopbackHub, pets: str, saved: Path) -> None:
    told: list[DownloadProgress] = []
    model = load_classifier("hub/lab/pets", on_progress=told.append)
    assert (model.ref, model.revision) == ("hub/lab/pets", pets)
    assert model.weights_sha256 == sha256(saved / "pets" / "model.safetensors")
    assert (model.labels, model.input_size, model.own_size) == (("a", "b", "c"), (16, 20), (16, 20))
    assert (model.source, model.architecture, model.notes) == ("the Lab", "conv", ())
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert told[-1].done == told[-1].total > 0
    local = load_classifier(f"local/{saved}/pets")
    pictures = torch.rand(2, 3, 16, 20)
    assert torch.equal(model(pictures), local(pictures))
    assert local.revision == local.weights_sha256 == model.weights_sha256
    assert load_classifier(pinned(model.ref, model.revision)).revision == pets


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Ten classes that nothing names, in a repository of timm's at 96 x 96."""
    save_timm(tmp_path, classes=10)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["label_names"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_ten_classes_without_names_are_no_data_sets(hub: LoopbackHub, digits: Path) -> None:
    hub.add("someone/digits", digits)
    model = load_classifier("hub/someone/digits")
    assert (model.labels, model.input_size) == (None, (96, 96))
    assert (
        "Nothing names its 10 classes: they are told by number, from 0 on. If they are CIFAR-10's, say so: :cifar10 behind its"
        " reference." in model.notes
    )


def test_who_chooses_a_model_may_say_what_its_classes_are(hub: LoopbackHub, digits: Path) -> None:
    hub.add("someone/digits", digits)
    model = load_classifier("hub/someone/digits:cifar10")
    assert (model.labels, model.input_size, model.own_size) == (CIFAR10_LABELS, (32, 32), (96, 96))
    assert not any("Nothing names" in note for note in model.notes)
    assert any("That its classes are CIFAR-10's was said by who chose it" in note for note in model.notes)
    assert pinned(model.ref, model.revision) == f"hub/someone/digits@{model.revision}:cifar10"
    assert load_classifier(f"local/{digits}:cifar10", size=(64, 64)).input_size == (64, 64)
    with pytest.raises(LabError, match=r"tells 10 classes apart, and ImageNet has 1,000: leave :imagenet out"):
        load_classifier("hub/someone/digits:imagenet")
    with pytest.raises(LabError, match=r"names its classes itself \(airplane, automobile, bird, ...\): leave :cifar10 out"):
        load_classifier("bundled/cifar10:cifar10")
    with pytest.raises(LabError, match=r"bundled/cifar10-mse:cifar10 is to be a denoiser, which has no classes"):
        load_denoiser("bundled/cifar10-mse:cifar10")
    with pytest.raises(LabError, match=r"'none' is no network: it has no classes. Leave :cifar10 out."):
        load_denoiser("none:cifar10")


def test_a_denoiser_from_the_hub(hub: LoopbackHub, saved: Path) -> None:
    commit = hub.add("lab/broom", saved / "broom")
    model = load_denoiser("hub/lab/broom@main")
    assert (model.ref, model.revision, model.sigma_range) == ("hub/lab/broom", commit, (0.1, 0.5))
    assert model(torch.rand(1, 3, 16, 16), 0.25).shape == (1, 3, 16, 16)
    with pytest.raises(LabError, match="'hub/lab/broom' cannot be loaded as a classifier: it is a denoiser of the Lab"):
        load_classifier("hub/lab/broom")


def test_only_wanted_files_are_fetched(hub: LoopbackHub, saved: Path) -> None:
    extra = {"training_args.bin": b"t" * 99, "tf_model.h5": b"h" * 99, "README.md": "r"}
    files = {path.name: path.read_bytes() for path in (saved / "pets").iterdir()}
    hub.add("lab/pets", files | extra)
    load_classifier("hub/lab/pets")
    fetched = {request.path.rpartition("/")[2] for request in hub.asked("*/resolve/*")}
    assert fetched == {"config.json", "card.json", "model.safetensors"}


def test_a_renamed_repository_is_noted(hub: LoopbackHub, pets: str) -> None:
    hub.renamed["old/pets"] = "lab/pets"
    model = load_classifier("hub/old/pets")
    assert model.ref == "hub/lab/pets"
    assert model.notes == ("old/pets was renamed: it is called lab/pets now.",)


def test_offline_the_cached_commit_loads(hub: LoopbackHub, pets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LabError, match="'lab/pets' is not in the cache, and HF_HUB_OFFLINE=1"):
        load_classifier("hub/lab/pets")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    load_classifier("hub/lab/pets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(hub.requests)
    assert load_classifier("hub/lab/pets").revision == pets
    assert load_classifier(f"hub/lab/pets@{pets}").revision == pets
    assert len(hub.requests) == asked
    delete_cached("lab/pets")
    with pytest.raises(LabError, match="is not in the cache"):
        load_classifier("hub/lab/pets")


def test_a_stopped_download_loads_nothing_and_then_resumes(hub: LoopbackHub, pets: str) -> None:
    hub.stall_after = 2000
    with pytest.raises(DownloadStoppedError):
        load_classifier("hub/lab/pets", should_stop=lambda: bool(hub.asked("/storage/*")))
    hub.clear_faults()
    assert load_classifier("hub/lab/pets").revision == pets


def test_damaged_weights_on_the_hub_are_told(hub: LoopbackHub, saved: Path) -> None:
    files = {path.name: path.read_bytes() for path in (saved / "pets").iterdir()}
    hub.add("lab/pets", files | {"model.safetensors": files["model.safetensors"][:200]})
    with pytest.raises(LabError, match="cannot be loaded into 'conv'"):
        load_classifier("hub/lab/pets")


def test_code_from_the_hub_never_runs(hub: LoopbackHub, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'ran')!r}, 'w')"
    config = {"architectures": ["EvilForImageClassification"], "auto_map": {"AutoModelForImageClassification": "evil.Evil"}}
    hub.add("lab/evil", {"config.json": json.dumps(config), "evil.py": code, "model.safetensors": b"1"})
    with pytest.raises(LabError, match="needs code of its own from the Hub, which the Lab never runs"):
        load_classifier("hub/lab/evil")
    assert not (tmp_path / "ran").exists()
    assert hub.asked("*/evil.py") == []


def test_what_does_not_fit_into_memory_is_told_before_it_is_fetched(
    hub: LoopbackHub, pets: str, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "memory_left", lambda: 1000)
    for reference in ("hub/lab/pets", f"local/{saved}/pets"):
        with pytest.raises(LabError, match=r"needs 0\.0 GB of memory to load and 0\.0 GB are free: choose a smaller model"):
            load_classifier(reference)
    assert hub.asked("/storage/*") == []


def test_memory_is_known_here() -> None:
    free = device.memory_left()
    assert free is None or 0 < free < 10**13


def test_another_size_is_scaled_inside(saved: Path) -> None:
    own, other = load_classifier(f"local/{saved}/pets"), load_classifier(f"local/{saved}/pets", size=(8, 10))
    assert (other.input_size, other.own_size) == ((8, 10), (16, 20))
    pictures = torch.rand(2, 3, 8, 10, requires_grad=True)
    scaled = nn.functional.interpolate(pictures, size=(16, 20), mode="bilinear", antialias=True)
    assert torch.allclose(other(pictures), own(scaled))
    other(pictures).sum().backward()
    assert pictures.grad.abs().sum() > 0
    assert load_classifier(f"local/{saved}/pets", size=(16, 20)).network.__class__ is ConvClassifier
    for size in ((0, 8), (8, 5000), (8,), (8.0, 8)):
        with pytest.raises(LabError, match="is no picture size"):
            load_classifier(f"local/{saved}/pets", size=size)


def test_a_hash_covers_every_file(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).write_bytes(content)
    assert weights_digest(tmp_path, ()) is None
    assert weights_digest(tmp_path, ("a",)) == sha256(tmp_path / "a")
    both = weights_digest(tmp_path, ("a", "b"))
    assert both == weights_digest(tmp_path, ("b", "a"))
    (tmp_path / "b").write_bytes(b"3")
    assert weights_digest(tmp_path, ("a", "b")) != both


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Readers of foreign formats that note what they are given, to see what load hands them."""
    seen = types.SimpleNamespace(timm=[], torchvision=[], downloaded=[], error=None)

    def reader(name: str) -> Callable[..., LoadedNetwork]:
        def read(folder: Path, listing: Listing, size: tuple[int, int] | None) -> LoadedNetwork:
            getattr(seen, name).append((folder.name, size, sorted(p.name for p in folder.iterdir())))
            if seen.error:
                raise seen.error
            return LoadedNetwork(nn.Flatten(), name, "flat", (4, 4), notes=("scaled.",), weights=("model.safetensors",))

        return read

    def load_torchvision(architecture: str, weights: str | None, *, size: tuple[int, int] | None = None) -> LoadedNetwork:
        seen.downloaded.append((architecture, weights, size))
        return LoadedNetwork(nn.Flatten(), "torchvision", architecture, size or (224, 224), (224, 224))

    monkeypatch.setattr(timm_models, "read", reader("timm"))
    monkeypatch.setattr(torchvision_models, "read", reader("torchvision"))
    monkeypatch.setattr(load, "load_torchvision", load_torchvision)
    return seen


def test_foreign_formats_go_to_their_readers(hub: LoopbackHub, readers: types.SimpleNamespace, tmp_path: Path) -> None:
    """A config that names an architecture and no library is timm's where the Hub says so; elsewhere torchvision's."""
    files = {"config.json": '{"architecture": "resnet18"}', "model.safetensors": b"12", "README.md": "x"}
    commit = hub.add("lab/net", files, library_name="timm")
    model = load_classifier("hub/lab/net", size=(2, 2))
    assert readers.timm == [(commit, (2, 2), ["config.json", "model.safetensors"])]
    assert (model.revision, model.notes, model.labels) == (commit, ("scaled.",), None)
    assert model.weights_sha256 == hashlib.sha256(b"12").hexdigest()
    (tmp_path / "net").mkdir()
    for name, content in files.items():
        (tmp_path / "net" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert load_classifier(f"local/{tmp_path}/net").revision == model.weights_sha256
    assert readers.torchvision == [("net", None, sorted(files))]
    hub.add("lab/two", {"config.json": files["config.json"], "a.safetensors": b"1", "b.safetensors": b"2"})
    with pytest.raises(LabError, match=r"There are 2 files of weights \(a.safetensors, b.safetensors\)"):
        load_classifier("hub/lab/two")


def test_what_a_library_raises_becomes_a_sentence(hub: LoopbackHub, readers: types.SimpleNamespace) -> None:
    hub.add("lab/net", {"config.json": '{"architecture": "resnet18"}', "model.safetensors": b"12"})
    readers.error = RuntimeError("size mismatch for fc.weight\nand a hundred lines more")
    with pytest.raises(LabError) as told:
        load_classifier("hub/lab/net")
    assert re.search(r"'hub/lab/net' cannot be loaded as a classifier: .* \(size mismatch for fc\.weight\)\.", str(told.value))
    assert "\n" not in str(told.value)
    readers.error = MemoryError()
    with pytest.raises(MemoryError):
        load_classifier("hub/lab/net")


def test_torchvision(readers: types.SimpleNamespace) -> None:
    model = load_classifier("torchvision/resnet18@IMAGENET1K_V1", size=(64, 64))
    assert readers.downloaded == [("resnet18", "IMAGENET1K_V1", (64, 64))]
    assert (model.ref, model.input_size, model.own_size) == ("torchvision/resnet18@IMAGENET1K_V1", (64, 64), (224, 224))
    with pytest.raises(LabError, match="is no denoiser: torchvision has classifiers"):
        load_denoiser("torchvision/resnet18")
