"""Zips of pictures and folders of models for the fuzzer."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import save_file

from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network
from core.models.networks import build
from core.models.storage import ModelConfig, save_model
from core.training.pictures import read_uploaded
from tests.fuzz import pictures
from tests.fuzz.mutations import NAMES, altered, damaged, dumped
from tests.models.formats.repositories import save_squeezenet, save_timm, save_vit

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
PLACES = (
    "",
    "cat/",
    "top/dog/",
    "../",
    "/",
    "C:\\",
    "./",
    "a\\b/",
    "__MACOSX/",
    ".",
    "two\nlines/",
    "\u202e/",
    "x" * 300 + "/",
)
ENDS = ("", ".png", ".JPG", ".webp", ".txt", "/", ".zip")
DEFLATE_BOMB = 100 * 2**20

Files = dict[str, bytes]


def make_zip(random: Random) -> tuple[str, bytes]:
    """A zip's name and content: pictures under all sorts of names, packed in all ways, then damaged."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for _ in range(random.randint(1, 8)):
            entry = zipfile.ZipInfo()
            entry.filename = (
                (random.choice(PLACES) + random.choice(NAMES) + random.choice(ENDS)).encode("utf-8", "replace").decode()
            )
            entry.compress_type = random.choice(PACKED)
            content = pictures.small(random) if random.random() < 0.9 else random.randbytes(500)
            if random.random() < 0.005:
                content, entry.compress_type = bytes(DEFLATE_BOMB), zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                file.write(content)
    data = out.getvalue()
    return random.choice(NAMES) + ".zip", damaged(data, random) if random.random() < 0.6 else data


def use_zip(made: tuple[str, bytes], folder: Path) -> Iterator[str]:
    """Read it as an upload to train on."""
    yield from read_uploaded([made], (32, 32)).notes


def make_model(random: Random) -> tuple[str, Files]:
    """What kind of model is asked for, and the files of its folder."""
    kind, files = random.choice(_models())
    files = dict(files)
    for _ in range(random.randint(1, 2)):
        name = random.choice(sorted(files))
        if name.endswith(".json") and random.random() < 0.9:
            files[name] = dumped(altered(json.loads(files[name]), random), random) if _is_json(files[name]) else b"{}"
        else:
            match random.randrange(4):
                case 0:
                    del files[name]
                    files = files or {"config.json": b"{}"}
                case 1:
                    files[f"{random.choice(('a', 'model', 'resnet18', 'drunet_color'))}{Path(name).suffix}"] = files.pop(name)
                case _:
                    # The head of a weights file says where everything is.
                    head = files[name][:2_000]
                    files[name] = damaged(head, random) + files[name][2_000:]
    return kind, files


def use_model(made: tuple[str, Files], folder: Path) -> Iterator[str]:
    """Load it, as from the Hub or a folder."""
    kind, files = made
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        for name, data in files.items():
            (place / name).parent.mkdir(exist_ok=True, parents=True)
            (place / name).write_bytes(data)
        yield from read_network(place, kind, ref="local/fuzz").notes
    finally:
        shutil.rmtree(place)


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


@cache
def _models() -> list[tuple[str, Files]]:
    """A small model of each format, made by the library itself."""
    makers: list[tuple[str, Any]] = [
        ("classifier", save_timm),
        ("classifier", lambda folder: save_timm(folder, flat=True)),
        ("classifier", save_vit),
        ("classifier", save_squeezenet),
        ("classifier", lambda folder: _save_own(folder, "classifier")),
        ("denoiser", lambda folder: _save_own(folder, "denoiser")),
        ("denoiser", _save_drunet),
        ("denoiser", _save_unet),
        ("denoiser", _save_pickle),
    ]
    found = []
    for kind, save in makers:
        with tempfile.TemporaryDirectory() as place:
            save(Path(place))
            files = {
                path.relative_to(place).as_posix(): path.read_bytes()
                for path in sorted(Path(place).rglob("*"))
                if path.is_file()
            }
        found.append((kind, files))
    return found


def _save_own(folder: Path, kind: str) -> None:
    architecture, options = (
        ("conv", {"num_classes": 3, "widths": [4, 8]}) if kind == "classifier" else ("dncnn", {"depth": 3, "width": 8})
    )
    labels = ("cat", "dog", "frog") if kind == "classifier" else None
    config = ModelConfig(kind, architecture, options, labels=labels, sigma_range=(0.0, 0.5))
    save_model(folder, build(kind, architecture, options), config, {"name": "fuzz"})


def _save_drunet(folder: Path) -> None:
    options: dict[str, Any] = {"nc": [4, 8, 16, 32], "nb": 1}
    network = import_library("deepinv.models").DRUNet(pretrained=None, nc=(4, 8, 16, 32), nb=1)
    save_file(network.state_dict(), folder / "mine.safetensors")
    config = {"library": "deepinv", "architecture": "DRUNet", "options": options, "sigma_range": [0, 0.5]}
    (folder / "config.json").write_text(json.dumps(config))


def _save_pickle(folder: Path) -> None:
    network = import_library("deepinv.models").DnCNN(pretrained=None, depth=4, nf=8)
    torch.save(network.state_dict(), folder / "mine.pth")
    config = {"library": "deepinv", "architecture": "DnCNN", "options": {"depth": 4, "nf": 8}}
    (folder / "config.json").write_text(json.dumps(config))


def _save_unet(folder: Path) -> None:
    network = import_library("diffusers").UNet2DModel(
        sample_size=32,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        add_attention=False,
    )
    network.save_pretrained(folder / "unet")
    (folder / "scheduler").mkdir()
    schedule = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": 1000}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({"_class_name": "DDPMScheduler"} | schedule))
