"""No code from a model, in any way a library offers: settings that load, pickles, files, processes, the network."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from loopback_hub import LoopbackHub
from safetensors.torch import save_file

from core.errors import LabError
from core.models.formats.foreign import ForbiddenError, confined, import_library, is_of_network, is_plain
from core.models.formats.registry import read_network
from core.models.formats.transformers_models import _own_settings
from core.models.load import load_classifier, load_denoiser

# Warnings are of strangers' libraries, which the tests call by themselves.
pytestmark = [pytest.mark.lowest, pytest.mark.filterwarnings("ignore")]


class Hostile:
    """What unpickles into a command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The file that is there once somebody's command has run."""
    return tmp_path / "ran"


@pytest.fixture
def hostile(tmp_path: Path, mark: Path) -> Path:
    """A pickle outside every model's folder, as an earlier download might have left one."""
    path = tmp_path / "hostile.pth"
    torch.save({"state_dict": Hostile(mark)}, path)
    return path


def timm_model(**more: Any) -> dict[str, bytes | str]:
    network = import_library("timm").create_model("test_resnet", pretrained=False, num_classes=3)
    cfg = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 32, 32]}
    config = {"architecture": "test_resnet", "num_classes": 3, "pretrained_cfg": cfg} | more
    return {"config.json": json.dumps(config), "model.safetensors": _bytes(network)}


def _bytes(network: torch.nn.Module) -> bytes:
    from safetensors.torch import save

    return save({name: value.contiguous() for name, value in network.state_dict().items()})


WRAPPED = {"model_type": "timm_wrapper", "architectures": ["TimmWrapperForImageClassification"]}


@pytest.mark.parametrize("about", [{}, WRAPPED, WRAPPED | {"library": "another"}, WRAPPED | {"pretrained_cfg": {}}])
def test_a_repository_whose_model_args_name_a_pickle_runs_nothing(
    hub: LoopbackHub, hostile: Path, mark: Path, about: dict[str, Any]
) -> None:
    """timm opens ``checkpoint_path`` by itself, and versions before 1.0.26 unpickle whatever is in it."""
    hub.add("lab/evil", timm_model(model_args={"checkpoint_path": str(hostile)}, **about), library_name="timm")
    with pytest.raises(LabError) as told:
        load_classifier("hub/lab/evil")
    assert "\n" not in str(told.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("checkpoint_path", "weights"),
        ("pretrained", True),
        ("pretrained_cfg", {"file": "weights"}),
        ("pretrained_cfg_overlay", {"url": "http://127.0.0.1"}),
        ("pretrained_strict", False),
        ("pretrained_custom_load", True),
        ("pretrained_filter_fn", "eval"),
        ("kwargs_filter", "eval"),
        ("features_only", True),
        ("cache_dir", "cache"),
        ("scriptable", True),
        ("device", "cuda"),
        ("dtype", "float64"),
        ("act_layer", "/etc/passwd"),
        ("act_layer", "https://127.0.0.1/code.py"),
        ("act_layer", ["os", "../os"]),
        ("in_chans", 10**12),
        ("in_chans", {"a": {"b": {"c": {"d": {"e": 1}}}}}),
        ("drop_rate", float("nan")),
    ],
)
def test_what_loads_a_network_is_no_setting_of_it(hub: LoopbackHub, name: str, value: Any) -> None:
    hub.add("lab/evil", timm_model(model_args={name: value}), library_name="timm")
    with pytest.raises(LabError, match=f"The model's model_args are no plain settings of its network: '{name}'"):
        load_classifier("hub/lab/evil")


def test_what_describes_a_network_still_loads(hub: LoopbackHub) -> None:
    hub.add(
        "lab/good", timm_model(model_args={"global_pool": "avg", "drop_rate": 0.1, "output_stride": 32}), library_name="timm"
    )
    assert load_classifier("hub/lab/good").source == "timm"


@pytest.mark.parametrize(
    ("options", "name"),
    [({"pretrained": "weights.pth"}, "pretrained"), ({"device": "cuda"}, "device"), ({"act_mode": "/tmp/x"}, "act_mode")],
)
def test_options_of_deepinv_are_those_of_its_networks(tmp_path: Path, options: dict[str, Any], name: str) -> None:
    save_file({"m_head.weight": torch.zeros(2, 2)}, tmp_path / "mine.safetensors")
    config = {"library": "deepinv", "architecture": "DRUNet", "options": options}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(LabError, match=f"The model's options are no plain settings of its network: '{name}'"):
        load_denoiser(f"local/{tmp_path}")


def test_settings_of_a_diffusion_model_are_plain(tmp_path: Path) -> None:
    config = {"_class_name": "UNet2DModel", "down_block_types": ["../DownBlock2D"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"a": torch.zeros(1)}, tmp_path / "diffusion_pytorch_model.safetensors")
    with pytest.raises(LabError, match="no plain settings of its network: 'down_block_types'"):
        read_network(tmp_path, "denoiser")


def test_of_a_transformers_config_only_what_describes_the_network_is_used(tmp_path: Path, hostile: Path, mark: Path) -> None:
    transformers = import_library("transformers")
    config = transformers.ViTConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, image_size=32
    )
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    said = json.loads((tmp_path / "config.json").read_text())
    evil = {
        "transformers_weights": f"../{hostile.name}",
        "attn_implementation": "someone/kernel",
        "_attn_implementation": "someone/kernel",
        "_name_or_path": "someone/else",
        "use_pretrained_backbone": True,
        "backbone_config": {"model_type": "timm_wrapper", "model_args": {"checkpoint_path": str(hostile)}},
    }
    (tmp_path / "config.json").write_text(json.dumps(said | evil))
    assert read_network(tmp_path, "classifier").architecture == "ViTForImageClassification"
    assert not mark.exists()
    (tmp_path / "config.json").write_text(json.dumps(said | {"hidden_act": "../../gelu"}))
    with pytest.raises(LabError, match="no plain settings of its network: 'hidden_act'"):
        read_network(tmp_path, "classifier")


def test_a_part_of_a_transformers_config_wraps_no_other_library(hostile: Path) -> None:
    transformers = import_library("transformers")
    part = {"model_type": "timm_wrapper", "architecture": "test_resnet", "model_args": {"checkpoint_path": str(hostile)}}
    maker = transformers.CONFIG_MAPPING["shieldgemma2"]
    with pytest.raises(LabError, match="'timm_wrapper' is no model type"):
        _own_settings(transformers, maker, {"vision_config": part})


def test_the_settings_of_every_image_classifier_of_transformers_pass() -> None:
    transformers = import_library("transformers")
    names = import_library("transformers.models.auto.modeling_auto").MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
    kinds = [kind for kind in names if not kind.startswith("timm")]
    assert len(kinds) > 30
    said = {"transformers_version", "dtype", "architectures", "_name_or_path", "label2id"}
    for kind in kinds:
        maker = transformers.CONFIG_MAPPING[kind]
        asked = json.loads(maker().to_json_string(use_diff=False))
        got = json.loads(maker.from_dict(_own_settings(transformers, maker, asked)).to_json_string(use_diff=False))
        assert without(said, got) == without(said, asked), kind


def without(names: set[str], settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {name: without(names, value) for name, value in settings.items() if name not in names}


def test_words_and_numbers_are_plain_and_names_of_loaders_are_not() -> None:
    assert all(map(is_plain, [None, True, 3, -0.5, "gelu_new", "swish", "avg", [1, [2, "a"]], {"a": 1}]))
    assert not any(
        map(is_plain, ["", "a/b", "..", "a b", "http://x", "x" * 65, 1e12, float("inf"), b"x", print, [print], {"a/b": 1}])
    )
    assert all(map(is_of_network, ["drop_path_rate", "kernel_size", "token_mixer", "weight_init", "img_size"]))
    assert not any(map(is_of_network, ["pretrained", "checkpoint_path", "image_url", "device", "hf_token", "_x", "weights", 3]))


def unsafe_load(path: Path) -> object:
    return torch.load(path, weights_only=False)


ACTIONS: dict[str, Callable[[Path], object]] = {
    "torch.load": unsafe_load,
    "pickle": lambda path: pickle.loads(pickle.dumps(Hostile(path))),
    "another folder's file": lambda path: path.read_bytes(),
    "a file of the system": lambda path: Path("/etc/hostname").read_text(),
    "a descriptor": lambda path: os.open(path, os.O_RDONLY),
    "writing": lambda path: (path.parent / "model" / "new").write_text("x"),
    "removing": lambda path: path.unlink(),
    "renaming": lambda path: path.rename(path.parent / "other"),
    "making a folder": lambda path: (path.parent / "model" / "folder").mkdir(),
    "removing a folder": lambda path: shutil.rmtree(path.parent),
    "a link": lambda path: (path.parent / "model" / "link").symlink_to(path),
    "a command": lambda path: os.system("true"),
    "a process": lambda path: subprocess.run(["true"], check=True),
    "a fork": lambda path: os.fork(),
    "an address": lambda path: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "a name": lambda path: socket.getaddrinfo("example.org", 80),
    "a page": lambda path: urllib.request.urlopen("http://127.0.0.1:9/", timeout=1),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_refused_while_a_model_is_read(tmp_path: Path, hostile: Path, mark: Path, action: str) -> None:
    (tmp_path / "model").mkdir()
    with confined(tmp_path / "model"), pytest.raises(ForbiddenError) as told:
        ACTIONS[action](hostile)
    assert str(told.value).startswith("The model wants to ")
    assert hostile.exists()
    assert not mark.exists()
    assert list((tmp_path / "model").iterdir()) == []


def test_a_link_out_of_the_folder_is_followed_before_it_is_judged(tmp_path: Path, hostile: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.pth").symlink_to(hostile)
    with confined(tmp_path / "model"), pytest.raises(ForbiddenError, match=r"hostile\.pth"):
        (tmp_path / "model" / "weights.pth").read_bytes()


def test_what_a_model_needs_is_let_through(tmp_path: Path) -> None:
    folder = tmp_path / "models--a--b" / "snapshots" / ("0" * 40)
    (tmp_path / "models--a--b" / "blobs").mkdir(parents=True)
    folder.mkdir(parents=True)
    blob = tmp_path / "models--a--b" / "blobs" / "weights"
    torch.save({"weight": torch.ones(2)}, blob)
    (folder / "weights.pth").symlink_to(blob)
    with confined(folder):
        assert torch.load(folder / "weights.pth", weights_only=True)["weight"].sum() == 2
        assert Path(json.__file__).read_text()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(lambda: (folder / "weights.pth").read_bytes()).result() == blob.read_bytes()
    assert Path("/etc/hostname").exists() or sys.platform != "linux"


def test_threads_that_a_library_starts_are_confined_too_and_others_are_not(tmp_path: Path, hostile: Path) -> None:
    seen: dict[str, object] = {}
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        go.wait()
        seen["other"] = hostile.read_bytes()
        done.set()

    threading.Thread(target=other).start()
    with confined(tmp_path / "model"):
        go.set()
        assert done.wait(10)
        with ThreadPoolExecutor(1) as pool:
            seen["started"] = pool.submit(hostile.read_bytes).exception()
    assert seen["other"] == hostile.read_bytes()
    assert isinstance(seen["started"], ForbiddenError)


def test_importing_a_library_is_free(tmp_path: Path, hostile: Path) -> None:
    """What is imported is trusted; what a model makes of it is not."""
    with confined(tmp_path):
        assert import_library("timm").__name__ == "timm"
        with pytest.raises(ForbiddenError):
            os.system("true")
