"""Small repositories of each format, made by the libraries themselves, damage to them, and what is asked of their listings."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from core.models.formats.foreign import import_library
from core.models.formats.listing import Listing
from core.models.formats.registry import files_to_load


def wanted(names: Sequence[str], config: dict[str, Any] | None, kind: str = "classifier") -> list[str]:
    """The files that loading takes, beside those that describe it; or LabError."""
    return files_to_load(Listing(tuple(names), config or {}), kind, "hub/someone/something")


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


def save_squeezenet(folder: Path) -> None:
    network = import_library("torchvision.models").squeezenet1_1(weights=None, num_classes=5)
    save_file(network.state_dict(), folder / "squeezenet1_1.safetensors")


Damage = Callable[[Path], None]


def edit(**changes: Any) -> Damage:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))

    return edit


def without(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def write(name: str, data: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(data) and None  # type: ignore[func-returns-value]
