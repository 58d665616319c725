"""Model folders of a megabyte or so whose configs or weights ask for gigabytes, hours or endless loops, in every format.

Run as a program it reads each in a process under a limit of memory, and prints what it was told, and the seconds and megabytes
that it took: python -m tests.models.formats.bombs [NAME ...]
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.registry import read_network

MEMORY = 700_000_000
"""What each may take beyond the libraries."""
SECONDS = 10.0
"""What each may take; what can only be tried in a process of its own has that one's limits."""

Bomb = Callable[[Path], None]
BOMBS: dict[str, tuple[str, Bomb]] = {}


def weights(folder: Path, name: str = "model.safetensors", **tensors: torch.Tensor) -> None:
    save_file(tensors or {"a.weight": torch.zeros(512, 512)}, folder / name)


def bomb(name: str, of: str = "classifier", file: str = "model.safetensors", **config: Any) -> None:
    def write(folder: Path) -> None:
        (folder / file).parent.mkdir(exist_ok=True)
        weights(folder, file)
        (folder / "config.json").write_text(json.dumps(config))

    BOMBS[name] = of, write


def timm_bomb(name: str, arch: str, **more: Any) -> None:
    bomb(f"timm {name}", **{"architecture": arch, "num_classes": 7, "pretrained_cfg": {"input_size": [3, 224, 224]}} | more)


timm_bomb("layers", "resnet18", model_args={"layers": [70_000] * 4})
timm_bomb("more layers", "resnet18", model_args={"layers": [10_000_000] * 4})
timm_bomb("depth", "vit_tiny_patch16_224", model_args={"depth": 250_000})
timm_bomb("width", "vit_tiny_patch16_224", model_args={"embed_dim": 240_000})
timm_bomb("image", "vit_tiny_patch16_224", model_args={"img_size": 20_000})
timm_bomb("window", "swin_tiny_patch4_window7_224", model_args={"window_size": 900, "img_size": 7200})
timm_bomb("classes", "resnet18", num_classes=100_000_000)
timm_bomb("input", "resnet18", pretrained_cfg={"input_size": [3, 20_000, 20_000]})
timm_bomb("cut", "resnet18", pretrained_cfg={"input_size": [3, 2000, 2000], "crop_pct": 0.1})


def transformers_bomb(name: str, kind: str, processor: dict[str, Any] | None = None, **settings: Any) -> None:
    made = {"vit": "ViT", "resnet": "ResNet", "swinv2": "Swinv2", "perceiver": "Perceiver", "convnext": "ConvNext"}[kind]

    def write(folder: Path) -> None:
        weights(folder)
        config = {"model_type": kind, "architectures": [f"{made}ForImageClassification"]} | settings
        (folder / "config.json").write_text(json.dumps(config))
        if processor is not None:
            (folder / "preprocessor_config.json").write_text(
                json.dumps({"image_processor_type": "ViTImageProcessor"} | processor)
            )

    BOMBS[f"transformers {name}"] = "classifier", write


transformers_bomb("layers", "vit", num_hidden_layers=250_000)
transformers_bomb("width", "vit", hidden_size=240_000)
transformers_bomb("heads", "vit", intermediate_size=1_000_000)
transformers_bomb("image", "vit", image_size=20_000)
transformers_bomb("patches", "vit", image_size=2048, patch_size=1)
transformers_bomb("classes", "vit", num_labels=100_000_000)
transformers_bomb("depths", "resnet", depths=[70_000] * 4)
transformers_bomb("stages", "convnext", depths=[300] * 900, hidden_sizes=[8] * 900)
transformers_bomb("window", "swinv2", window_size=1000, image_size=2000)
transformers_bomb("steps", "perceiver", num_blocks=250_000)
transformers_bomb("processor", "vit", {"size": {"height": 20_000, "width": 20_000}})
transformers_bomb("edge", "vit", {"size": {"shortest_edge": 20_000}, "do_center_crop": False})
transformers_bomb("frame", "vit", {"size": 224, "do_pad": True, "pad_size": {"height": 90_000, "width": 90_000}})


def diffusers_bomb(name: str, **settings: Any) -> None:
    bomb(f"diffusers {name}", "denoiser", "diffusion_pytorch_model.safetensors", **{"_class_name": "UNet2DModel"} | settings)


diffusers_bomb("layers", layers_per_block=250_000)
diffusers_bomb("widths", block_out_channels=[6144] * 4)
diffusers_bomb("levels", block_out_channels=[32] * 900, down_block_types=["DownBlock2D"] * 900)
diffusers_bomb("sample", sample_size=20_000)


def deepinv_bomb(name: str, architecture: str, **options: Any) -> None:
    bomb(f"deepinv {name}", "denoiser", library="deepinv", architecture=architecture, options=options)


deepinv_bomb("blocks", "DRUNet", nb=250_000)
deepinv_bomb("widths", "DRUNet", nc=[6000] * 4)
deepinv_bomb("depth", "DnCNN", depth=250_000)
deepinv_bomb("side", "NCSNpp", img_resolution=20_000)
deepinv_bomb("levels", "NCSNpp", channel_mult=[1] * 900)
deepinv_bomb("steps", "NCSNpp", num_blocks=250_000)
deepinv_bomb("unplanned", "SCUNet", dim=9000)


def lab_bomb(name: str, kind: str, architecture: str, **more: Any) -> None:
    bomb(f"the Lab's {name}", kind, kind=kind, architecture=architecture, **more)


lab_bomb("depth", "denoiser", "dncnn", options={"depth": 1_000_000})
lab_bomb("width", "denoiser", "dncnn", options={"width": 6000, "depth": 6})
lab_bomb("widths", "denoiser", "unet", options={"widths": [6000] * 6})
lab_bomb("blocks", "denoiser", "unet", options={"blocks": 1_000_000})
lab_bomb("passes", "denoiser", "memnet", options={"units": 1_000_000, "shared": True})
lab_bomb("DRUNet", "denoiser", "drunet", options={"blocks": 1_000_000})
lab_bomb("FFDNet", "denoiser", "ffdnet", options={"width": 900_000})
lab_bomb("diffusion", "denoiser", "unet2d", options={"layers": 1_000_000})
lab_bomb("classes", "classifier", "conv", options={"num_classes": 100_000_000})
lab_bomb("input", "classifier", "conv", input_size=[20_000, 20_000])
bomb("torchvision input", library="torchvision", architecture="squeezenet1_1", input_size=20_000)


def weights_bomb(name: str) -> Callable[[Bomb], Bomb]:
    def register(write: Bomb) -> Bomb:
        def whole(folder: Path) -> None:
            (folder / "config.json").write_text(json.dumps({"library": "torchvision", "architecture": "squeezenet1_1"}))
            write(folder)

        BOMBS[f"weights {name}"] = "classifier", whole
        return write

    return register


@weights_bomb("deflated")
def deflated(folder: Path) -> None:
    """Two gigabytes of zeros in two megabytes."""
    torch.save({"a": torch.zeros(4)}, folder / "small.pth")
    with zipfile.ZipFile(folder / "small.pth") as small, zipfile.ZipFile(folder / "w.pth", "w", zipfile.ZIP_DEFLATED) as out:
        for entry in small.infolist():
            with out.open(entry.filename, "w", force_zip64=True) as file:
                file.write(small.read(entry))
                if entry.filename.endswith("/data/0"):
                    for _ in range(2000):
                        file.write(bytes(1_000_000))
    (folder / "small.pth").unlink()


@weights_bomb("deflated, with two directories")
def two_directories(folder: Path) -> None:
    """The same, with a harmless directory where Python looks for it, and the other one where torch does."""
    deflated(folder)
    bad = (folder / "w.pth").read_bytes()
    end = bad.rindex(b"PK\5\6")
    good = bad[struct.unpack("<L", bad[end + 16 : end + 20])[0] : end]
    small = good.replace(struct.pack("<L", 2_000_000_016), struct.pack("<L", 16))
    (folder / "w.pth").write_bytes(bad[:end] + small + bad[end:])


@weights_bomb("repeated")
def repeated(folder: Path) -> None:
    """One number that says to be four billion."""
    torch.save({"classifier.1.weight": torch.zeros(1).half().expand(8_000_000, 512)[:, :, None, None]}, folder / "w.pth")


@weights_bomb("huge pickle")
def huge(folder: Path) -> None:
    """A pickle that makes a list of itself, over and over."""
    level: Any = [0] * 10
    for _ in range(40):
        level = [level] * 10
    torch.save({"state_dict": level}, folder / "w.pth")


def defuse(name: str) -> tuple[str, float]:
    """What a bomb is told, and how long that takes."""
    kind, write = BOMBS[name]
    with tempfile.TemporaryDirectory() as place:
        write(Path(place))
        start = time.thread_time()
        try:
            path = Path(place) / "w.pth"
            read_network(path if path.exists() else Path(place), kind, ref="it")
            told = "loaded"
        except LabError as error:
            told = str(error)
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        return told, time.thread_time() - start


def main(names: list[str]) -> None:
    for library in ("timm", "deepinv.models", "torchvision.models", "transformers", "diffusers.models.unets.unet_2d"):
        import_library(library)
    for kind in ("vit", "resnet", "convnext", "swinv2", "perceiver"):
        import_library(f"transformers.models.{kind}.modeling_{kind}")
    for name in names or BOMBS:
        if not os.fork():  # so that one does not pay for another
            here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (here + MEMORY,) * 2)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            told, seconds = defuse(name)
            took = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
            print(json.dumps([name, told, round(seconds, 2), took]), flush=True)
            os._exit(0)
        _, status = os.wait()
        if status:
            print(json.dumps([name, f"died ({status})", 0, 0]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
