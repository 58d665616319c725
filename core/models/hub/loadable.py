"""Whether the Lab can load a repository, judged from its listing alone: no file is read for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TASKS = ("image-classification", "denoiser")
WEIGHTS = (".safetensors", ".bin", ".pth", ".pt")

_FOREIGN = {
    ".gguf": "its weights are in GGUF, a quantised format of language models",
    ".onnx": "its weights are an ONNX graph, which has no gradients",
    ".keras": "it was made with Keras",
    ".h5": "its weights are for TensorFlow",
    ".tflite": "its weights are for TensorFlow Lite",
    ".msgpack": "its weights are for Flax",
    ".mlmodel": "it was made with Core ML",
    ".pkl": "its weights are a Python pickle, which could run any code",
    ".joblib": "its weights are a Python pickle, which could run any code",
}
_LIBRARIES = ("timm", "transformers", "diffusers", "deepinv", "pytorch", "safetensors", "denoised-smoothing-lab")


@dataclass(frozen=True)
class Verdict:
    """What a listing says of a model.

    Attributes:
        loadable: True or False; None where only its files can tell.
        reason: half a sentence.
    """

    loadable: bool | None
    reason: str


def judge(
    task: str,
    file_names: Sequence[str],
    config: Mapping[str, Any] | None,
    *,
    library: str | None = None,
    hub_task: str | None = None,
    tags: Sequence[str] = (),
) -> Verdict:
    """Whether a repository looks like a classifier or denoiser (``task``, one of :data:`TASKS`) that the Lab can load.

    Args:
        task: what it is to be used as.
        file_names: all its files.
        config: config.json, or the part of it that the Hub lists.
        library: as the Hub names it.
        hub_task: the task as the Hub names it.
        tags: all tags.
    """
    config = config or {}
    if isinstance(config.get("diffusers"), Mapping):  # where the Hub's listing keeps what diffusers has at the top
        config = {**config["diffusers"], **config}
    code = remote_code(config, tags)
    if code is not None:
        return Verdict(False, code)
    if config.get("quantization_config"):
        return Verdict(False, "its weights are quantised")
    weights = [
        name for name in file_names if name.endswith(WEIGHTS) and not name.endswith(("training_args.bin", "optimizer.pt"))
    ]
    if not weights:
        foreign = next((why for name in file_names for suffix, why in _FOREIGN.items() if name.endswith(suffix)), None)
        return Verdict(False, foreign or "it has no weights")
    if config.get("kind") in ("classifier", "denoiser"):
        fits = (config["kind"] == "classifier") == (task == "image-classification")
        return Verdict(fits, "a model of the Lab" if fits else f"it is a {config['kind']} of the Lab")
    if "denoised-smoothing-lab" in (library, *tags) and "architectures" not in config:
        return Verdict(None, "a model of the Lab, whose config says of which kind")
    return _classifier(config, library, hub_task) if task == "image-classification" else _denoiser(file_names, config, library)


def remote_code(config: Mapping[str, Any], tags: Sequence[str] = ()) -> str | None:
    """Why a model cannot be built without running code of its own from the Hub; None where it can."""
    if config.get("auto_map") or "custom_code" in tags:
        return "it needs code of its own from the Hub, which the Lab never runs"
    return None


def _classifier(config: Mapping[str, Any], library: str | None, hub_task: str | None) -> Verdict:
    architectures = [str(name) for name in config.get("architectures") or ()]
    if any("ForImageClassification" in name for name in architectures):
        return Verdict(True, "an image classifier of transformers")
    if architectures:
        return Verdict(False, f"it is no image classifier but {architectures[0]}")
    if library == "timm" and hub_task in (None, "image-classification"):
        return Verdict(True, "a classifier of timm")
    if "_class_name" in config:
        return Verdict(False, f"it is no classifier but {config['_class_name']} of diffusers")
    if hub_task not in (None, "image-classification"):
        return Verdict(False, f"its task is {hub_task}, not image classification")
    if isinstance(config.get("architecture"), str):
        return Verdict(True, "names its architecture as timm does")
    if library is not None and library not in _LIBRARIES:
        return Verdict(False, f"it was made with {library}")
    return Verdict(None, "it does not say how its network is built")


def _denoiser(file_names: Sequence[str], config: Mapping[str, Any], library: str | None) -> Verdict:
    made = config.get("_class_name")
    if made in ("UNet2DModel", "DDPMPipeline", "DDIMPipeline", "PNDMPipeline"):
        return Verdict(True, "a diffusion model on pixels")
    if library == "diffusers" and made is None and ("config.json" in file_names or "unet/config.json" in file_names):
        latent = any(name.startswith(("vae/", "text_encoder/", "vqvae/")) for name in file_names)
        if latent:
            return Verdict(False, "it works on a latent code or text, not on pixels")
        return Verdict(True, "a diffusion model")
    if made is not None:
        return Verdict(False, f"{made} is no denoiser of pixels")
    if library == "deepinv" or any(name.endswith((".pth", ".pt")) for name in file_names):
        return Verdict(None, "weights without a config: known ones of deepinv load")
    return Verdict(None if not config.get("architectures") else False, "it does not say how its network is built")
