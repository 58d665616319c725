"""torchvision's classifiers: with its own weights, or with a weights file."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from core.errors import LabError, first_line
from core.models.formats.foreign import import_library
from core.models.formats.limits import check_memory, check_size, lay_out, plan
from core.models.formats.listing import Listing, Loadability
from core.models.formats.preprocessing import Fitting, Preprocessing, colours, own_sides, prepared
from core.models.formats.weights import give_cifar_stem, load_into, read_weights
from core.models.labels import config_labels
from core.models.network import LoadedNetwork

_LIBRARIES = (None, "timm", "transformers", "diffusers", "deepinv", "pytorch", "safetensors", "denoised-smoothing-lab")
_WITH_AUXILIARY = {"googlenet": "aux1.", "inception_v3": "AuxLogits."}
"""Architectures with further outputs that serve training, and what the names of their weights begin with."""


def list_torchvision() -> list[str]:
    """The names of torchvision's image classifiers."""
    models = import_library("torchvision.models")
    return sorted(models.list_models(module=models))


def verdict(listing: Listing, kind: str) -> Loadability | None:
    """Whether a classifier that no other format knows can be loaded: by an architecture of torchvision, from its config or its
    weights file's name. None for denoisers.
    """
    if kind != "classifier":
        return None
    if other := listing.other_task():
        return Loadability(False, other)
    if listing.library not in _LIBRARIES:
        return Loadability(False, f"it was made with {listing.library}")
    if isinstance(listing.config.get("architecture"), str):
        return Loadability(True, "names its architecture as timm does")
    return Loadability(None, "it does not say how its network is built")


def wanted(listing: Listing) -> list[str]:
    """Its weights. Raises LabError where nothing tells which they are, or of which architecture."""
    weights = listing.weights()
    _architecture(listing, weights[0])
    return weights


def read(folder: Path, listing: Listing, size: tuple[int, int] | None) -> LoadedNetwork:
    """A weights file of one of torchvision's architectures.
    The config may have ``mean``, ``std``, ``input_size`` and ``labels``. Without them mean, standard deviation and size are
    those of torchvision's own weights, the size 32 x 32 where the weights have a CIFAR stem.
    Raises LabError where the architecture is unknown, a setting is not usable or the weights do not fit."""
    path, config, models = folder / listing.weights()[0], listing.config, import_library("torchvision.models")
    arch = _architecture(listing, path.name)
    tensors = read_weights(path)
    options = _options(arch, tensors, own="mean" not in config)
    classes = _classes(tensors, lay_out(lambda: models.get_model(arch, weights=None, **options)), path)
    if classes != 1000:
        options.pop("transform_input", None)
    network: nn.Module = models.get_model(arch, weights=None, num_classes=classes, **options)
    published, notes = _named_after(models, arch, path.name), []
    known = models.get_model_weights(arch)
    like = published or (known["DEFAULT"] if list(known) else None)
    preset = None if like is None else like.transforms()
    fitting = Fitting((224, 224), (256, 256), mode="bilinear") if preset is None else _fitting(preset)
    asked = own_sides(config.get("input_size"))
    if stem := give_cifar_stem(tensors, network):
        notes.append(stem)
        asked = asked or (32, 32)
    if asked is not None:
        fitting = Fitting(asked, asked, False, fitting.mode)

    def build() -> nn.Module:
        planned: nn.Module = models.get_model(arch, weights=None, num_classes=classes, **options)
        give_cifar_stem(tensors, planned)
        return planned

    plan(build, check_size(path), (1, 3, *fitting.own_size))
    network = load_into(network, tensors, f"torchvision's {arch}")
    if "mean" not in config:
        notes.append("Nothing names the mean and standard deviation of the pixels: ImageNet's were assumed.")
    taken = config if "mean" in config or preset is None else {"mean": preset.mean, "std": preset.std}
    preprocessing = Preprocessing(*colours(taken), fitting)
    loaded = LoadedNetwork(network, "torchvision", arch, notes=tuple(notes), weights=(path.name,))
    names = config_labels(config) or (None if published is None else published.meta.get("categories"))
    return prepared(loaded, preprocessing, names, classes=classes, size=size)


def load_torchvision(arch: str, weights: str | None = None, *, size: tuple[int, int] | None = None) -> LoadedNetwork:
    """A classifier of torchvision, such as ``resnet18``, with its weights ``IMAGENET1K_V1``, say (None: the newest), which are
    downloaded on first use; ``size``: (height, width) for noise and certificate, None for the network's own.
    Raises LabError where either name is unknown, the weights do not fit into memory, or cannot be downloaded."""
    models, known = import_library("torchvision.models"), list_torchvision()
    if arch not in known:
        near = get_close_matches(arch, known, 3)
        raise LabError(f"torchvision has no classifier {arch!r}" + (f": did you mean {', '.join(near)}?" if near else "."))
    try:
        chosen: Any = models.get_model_weights(arch)[weights or "DEFAULT"]
    except KeyError as error:
        names = ", ".join(w.name for w in models.get_model_weights(arch))
        raise LabError(f"torchvision's {arch} has no weights {weights!r}: choose one of {names}.") from error
    check_memory(f"torchvision's {arch}", int(chosen.meta.get("_file_size", 0) * 1e6))
    file, tensors = _download(arch, chosen)
    network = models.get_model(arch, weights=None, **_options(arch, tensors, own=True))
    preset, names = chosen.transforms(), chosen.meta["categories"]
    network = load_into(network, tensors, f"torchvision's {arch}")
    loaded = LoadedNetwork(network, "torchvision", arch, weights=(str(file),))
    preprocessing = Preprocessing(preset.mean, preset.std, _fitting(preset))
    return prepared(loaded, preprocessing, names, classes=len(names), size=size)


def _download(arch: str, chosen: Any) -> tuple[Path, dict[str, Tensor]]:
    from torch import hub

    file = Path(hub.get_dir()) / "checkpoints" / Path(chosen.url).name
    try:
        return file, hub.load_state_dict_from_url(
            chosen.url, map_location="cpu", check_hash=True, weights_only=True, progress=False
        )
    except Exception as error:  # besides the network, the bytes of a damaged file can fail at anything
        first = first_line(error, 160)
        if file.exists():
            raise LabError(f"The file {str(file)!r} in torch's cache is damaged ({first}): delete it and try again.") from error
        raise LabError(
            f"The weights {chosen.name} of torchvision's {arch} cannot be downloaded ({first}): check the connection, or"
            f" put the file {file.name!r} into torch's cache."
        ) from error


def _architecture(listing: Listing, file: str) -> str:
    """What the config names, else what the file is named after: ``resnet18-5c106cde.pth`` and ``resnet18_cifar10.safetensors``
    are of resnet18; the longest name that fits counts.
    """
    known = list_torchvision()
    fitting = [arch for arch in known if re.match(rf"{re.escape(arch)}(?![A-Za-z0-9])", file)]
    named = listing.config.get("architecture") or max(fitting, key=len, default=None)
    if not isinstance(named, str) or named not in known:
        raise LabError(
            f"Nothing says of which architecture {file!r} is: name the file after one of torchvision's, such as"
            ' resnet18.safetensors, or put a config.json beside it with {"library": "torchvision", "architecture": ...}.'
        )
    return named


def _options(arch: str, tensors: dict[str, Tensor], *, own: bool) -> dict[str, bool]:
    """How to build an architecture so that weights of torchvision's own (``own``) compute what they do there.
    Those of GoogLeNet and Inception come from another library: the network undoes the normalisation (``transform_input``)."""
    if arch not in _WITH_AUXILIARY:
        return {}
    auxiliary = any(name.startswith(_WITH_AUXILIARY[arch]) for name in tensors)
    return {"init_weights": False, "aux_logits": auxiliary, **({"transform_input": True} if own else {})}


def _fitting(preset: Any) -> Fitting:
    own, scaled = int(preset.crop_size[0]), int(preset.resize_size[0])
    mode = "bilinear" if "bilinear" in str(preset.interpolation).lower() else "bicubic"
    return Fitting((own, own), (max(scaled, own),) * 2, mode=mode)


def _named_after(models: Any, arch: str, name: str) -> Any:
    """Those of torchvision's weights, with the beginning of their hash, that a file is named after; None where it is not."""
    return next((one for one in models.get_model_weights(arch) if Path(one.url).stem == Path(name).stem), None)


def _classes(tensors: dict[str, Tensor], network: nn.Module, path: Path) -> int:
    """How many classes the weights have: the outputs of the layer that is the last one in the architecture."""
    head = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    found = tensors.get(f"{head}.weight")
    if found is None or found.ndim == 0 or len(found) < 2:
        raise LabError(f"{path.name!r} has no layer {head!r} of at least two classes: it is of another architecture.")
    return len(found)
