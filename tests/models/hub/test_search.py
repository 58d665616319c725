"""Search, details before download, and the judgement of what loads."""

from __future__ import annotations

import json
import re

import pytest
from loopback_hub import LoopbackHub

from core.errors import LabError
from core.models.formats.listing import Listing
from core.models.formats.registry import judge
from core.models.hub.cached import cached
from core.models.hub.download import fetch_files
from core.models.hub.repository import look_up
from core.models.hub.search import curated, details, search
from core.models.references import parse_reference

VIT = json.dumps({"architectures": ["ViTForImageClassification"], "model_type": "vit"})
SAFE = {"model.safetensors": b"1" * 64}


@pytest.fixture
def shelf(hub: LoopbackHub) -> LoopbackHub:
    task = "image-classification"
    hub.add(
        "lab/vit-pets",
        SAFE | {"config.json": VIT},
        pipeline_tag=task,
        library_name="transformers",
        downloads=50,
        likes=5,
        license="apache-2.0",
        parameters=1000,
    )
    hub.add(
        "lab/resnet-pets",
        SAFE | {"config.json": '{"architecture": "resnet18"}'},
        pipeline_tag=task,
        library_name="timm",
        downloads=90,
    )
    hub.add("lab/keras-pets", {"model.keras": b"k"}, pipeline_tag=task, library_name="keras", downloads=70)
    hub.add("lab/odd-pets", SAFE | {"config.json": '{"auto_map": {"AutoModel": "x.Y"}}'}, pipeline_tag=task, downloads=10)
    hub.add("lab/chat-pets", SAFE | {"config.json": "{}"}, pipeline_tag="text-generation", downloads=999)
    hub.add(
        "lab/ddpm-pets",
        SAFE | {"config.json": '{"_class_name": "UNet2DModel"}'},
        library_name="diffusers",
        tags=["diffusers"],
        pipeline_tag="unconditional-image-generation",
        downloads=3,
    )
    hub.add("deepinv/drunet", {"drunet_color.pth": b"p"}, library_name="deepinv", downloads=4)
    hub.add("lab/broom", SAFE | {"config.json": '{"kind": "denoiser"}'}, tags=["denoised-smoothing-lab"], downloads=1)
    return hub


def test_classifiers_come_with_their_numbers(shelf: LoopbackHub) -> None:
    found = search("pets")
    assert [entry.name for entry in found] == ["lab/resnet-pets", "lab/keras-pets", "lab/vit-pets", "lab/odd-pets"]
    vit = found[2]
    assert (vit.ref, vit.downloads, vit.likes, vit.license, vit.bytes) == ("hub/lab/vit-pets", 50, 5, "apache-2.0", 4000)
    assert (vit.library, vit.task, vit.loadable, vit.cached) == ("transformers", "image-classification", True, False)
    assert [entry.loadable for entry in found] == [True, False, True, False]
    assert "code of its own" in found[3].reason
    assert [entry.name for entry in search("pets", limit=1)] == ["lab/resnet-pets"]


def test_only_what_loads(shelf: LoopbackHub) -> None:
    assert [entry.name for entry in search("pets", only_loadable=True)] == ["lab/resnet-pets", "lab/vit-pets"]
    assert [entry.name for entry in search("pets", only_loadable=True, limit=1)] == ["lab/resnet-pets"]
    assert search("no such thing") == []


def test_denoisers_are_gathered_from_three_places(shelf: LoopbackHub) -> None:
    assert [entry.name for entry in search(task="denoiser")] == ["deepinv/drunet", "lab/ddpm-pets", "lab/broom"]
    assert [entry.loadable for entry in search(task="denoiser")] == [None, True, None]


def test_mistakes_in_a_search(shelf: LoopbackHub) -> None:
    with pytest.raises(LabError, match="Unknown task 'text': choose one of image-classification, denoiser"):
        search("x", "text")
    with pytest.raises(LabError, match="The limit 0 is out of range: expected 1 to 100"):
        search("x", limit=0)
    shelf.status, shelf.headers = 429, {"Retry-After": "90"}
    with pytest.raises(LabError, match="try again in 90 s"):
        search("x")


def test_offline_a_search_lists_the_cache(shelf: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_files(look_up("lab/vit-pets"), ["config.json", "model.safetensors"])
    fetch_files(look_up("lab/resnet-pets"), ["config.json"])
    assert {entry.name: entry.cached for entry in search("pets")}["lab/vit-pets"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(shelf.requests)
    found = {entry.name: (entry.loadable, entry.reason) for entry in search("pets")}
    assert found == {"lab/vit-pets": (None, "cached"), "lab/resnet-pets": (False, "only a part of it is cached")}
    assert [entry.name for entry in search("vit")] == ["lab/vit-pets"]
    assert len(shelf.requests) == asked


def test_details_of_a_model_of_the_lab(hub: LoopbackHub, pets: str) -> None:
    found = details("hub/lab/pets")
    assert found.repository.commit == pets
    assert found.labels == ("a", "b", "c")
    assert set(found.needed) == {"config.json", "card.json", "model.safetensors"}
    assert found.bytes == sum(file.size for file in found.repository.files)
    assert found.problem is None
    assert hub.asked("/storage/*") == []  # no weights yet
    assert cached()[0].name == "lab/pets"


@pytest.mark.parametrize(
    ("files", "about", "kind", "words"),
    [
        ({"config.json": '{"auto_map": {"AutoModel": "m.M"}}'} | SAFE, {}, "classifier", "needs code of its own from the Hub"),
        ({"config.json": "{}"}, {}, "classifier", "it has no weights"),
        ({"config.json": "{}", "m.gguf": b"g"}, {}, "classifier", "GGUF, a quantised format"),
        ({"config.json": '{"quantization_config": {"bits": 4}}'} | SAFE, {}, "classifier", "weights are quantised"),
        ({"config.json": '{"architectures": ["LlamaForCausalLM"]}'} | SAFE, {}, "classifier", "no image classifier but Llama"),
        ({"config.json": "{}"} | SAFE, {"pipeline_tag": "text-generation"}, "classifier", "its task is text-generation"),
        (
            {"config.json": '{"kind": "denoiser", "architecture": "unet"}'} | SAFE,
            {},
            "classifier",
            "it is a denoiser of the Lab",
        ),
        ({"config.json": '{"_class_name": "AutoencoderKL"}'} | SAFE, {}, "denoiser", "AutoencoderKL is no denoiser of pixels"),
        ({"config.json": "no json"} | SAFE, {}, "classifier", r"'config\.json' of 'lab/thing' does not describe a model \("),
        ({"config.json": "[1]"} | SAFE, {}, "classifier", "does not describe a model: expected a JSON object"),
        ({"config.json": VIT} | SAFE, {"gated": "auto"}, "classifier", "is gated: ask for access"),
    ],
)
def test_details_name_what_stands_against_a_model(hub: LoopbackHub, files, about, kind, words) -> None:
    hub.add("lab/thing", files, **about)
    found = details("hub/lab/thing", kind)
    assert found.problem is not None
    assert re.search(words, found.problem), found.problem
    assert found.needed == ()


def test_details_want_a_hub_reference(hub: LoopbackHub) -> None:
    with pytest.raises(LabError, match="'bundled/cifar10' is not on the Hub"):
        details("bundled/cifar10")


@pytest.mark.parametrize(
    ("kind", "names", "config", "about", "loadable"),
    [
        ("classifier", ["pytorch_model.bin"], {"architecture": "resnet18"}, {"library": "timm"}, True),
        ("classifier", ["model.safetensors"], {}, {"library": "timm", "task": "image-feature-extraction"}, False),
        ("classifier", ["training_args.bin"], {}, {}, False),
        ("classifier", ["model.safetensors"], {"_class_name": "UNet2DModel"}, {}, False),
        ("classifier", ["model.safetensors"], {}, {"library": "ultralytics"}, False),
        ("classifier", ["model.safetensors"], {}, {"tags": ("custom_code",)}, False),
        ("classifier", ["weights.pth"], None, {}, None),
        ("classifier", ["m.safetensors"], {"kind": "classifier"}, {}, True),
        ("denoiser", ["unet/diffusion_pytorch_model.bin", "unet/config.json"], {}, {"library": "diffusers"}, True),
        ("denoiser", ["vae/a.bin", "unet/config.json"], {}, {"library": "diffusers"}, False),
        # Where there were several judgements, which did not agree, this is the one:
        ("denoiser", ["vae/a.bin", "unet/config.json"], {"_class_name": "UNet2DModel"}, {}, False),
        ("denoiser", ["a.bin", "config.json"], {"_class_name": "UNet2DModel", "in_channels": 4}, {}, False),
        ("classifier", ["model.safetensors"], {"model_type": "vit"}, {}, False),
        ("classifier", ["model.safetensors"], {"architectures": ["ViTForImageClassification"], "num_channels": 1}, {}, False),
        (
            "classifier",
            ["adapter_config.json", "adapter_model.safetensors"],
            {"architecture": "a", "num_classes": 2},
            {},
            False,
        ),
        ("denoiser", ["dncnn.pth"], None, {"library": "deepinv"}, None),
        ("denoiser", ["model.safetensors"], {"architectures": ["ViTForImageClassification"]}, {}, False),
    ],
)
def test_judgement(kind, names, config, about, loadable) -> None:
    assert judge(Listing(tuple(names), config or {}, **about), kind).loadable is loadable


def test_the_known_repositories_are_references() -> None:
    known = curated("classifier") + curated("denoiser")
    assert len({entry.ref for entry in known}) == len(known)
    for entry in known:
        assert parse_reference(entry.ref).kind == "hub"
    assert "hub/timm/resnet18.a1_in1k" in [entry.ref for entry in curated("classifier")]
    assert "hub/google/ddpm-cifar10-32" in [entry.ref for entry in curated("denoiser")]
