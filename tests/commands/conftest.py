"""Tiny models on disk, a picture, and a way to run the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from core.__main__ import main
from core.data.shapes import make_shapes
from core.models.networks import ConvClassifier, UNetDenoiser
from core.models.storage import ModelConfig, save_model
from core.pictures.pixels import to_picture

LABELS = ("cat", "dog", "frog")
CLASSIFIER_OPTIONS = {"num_classes": 3, "widths": [4]}
DENOISER_OPTIONS = {"widths": [4, 8]}


@dataclass(frozen=True)
class Models:
    """References of models that a test saved."""

    sure: str
    torn: str
    nan: str
    denoiser: str
    nan_denoiser: str


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 32x32 PNG."""
    path = tmp_path_factory.mktemp("pictures") / "star.png"
    to_picture(make_shapes(1, seed=5)[0][0].float() / 255).save(path)
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Those of :func:`save_models`."""
    return save_models(tmp_path_factory.mktemp("models"))


def save_models(root: Path) -> Models:
    """``sure`` always says dog; ``torn`` says cat or dog by the toss of the noise; the others return NaN."""
    torch.manual_seed(0)

    def save(name: str, change: Callable[[ConvClassifier], None]) -> str:
        network = ConvClassifier(num_classes=3, widths=(4,)).eval()
        with torch.no_grad():
            change(network)
        save_model(root / name, network, ModelConfig("classifier", "conv", CLASSIFIER_OPTIONS, (32, 32), LABELS), {})
        return f"local/{root / name}"

    def sure(network: ConvClassifier) -> None:
        network.head.bias.copy_(torch.tensor([0.0, 1000.0, 0.0]))

    def torn(network: ConvClassifier) -> None:
        # Cat and dog part at the median of one feature over noisy copies, so that each gets half of the votes.
        pixels = make_shapes(1, seed=5)[0].float() / 255
        noisy = pixels + 0.25 * torch.randn((2001, 3, 32, 32), generator=torch.Generator().manual_seed(9))
        network.head.weight.zero_()
        network.head.weight[0, 0] = 1.0
        network.head.bias.copy_(torch.tensor([0.0, 0.0, -1000.0]))
        network.head.bias[1] = 8 * network(noisy)[:, 0].median()

    def nan(network: ConvClassifier) -> None:
        network.head.bias.fill_(float("nan"))

    denoiser = UNetDenoiser(widths=(4, 8)).eval()
    config = ModelConfig("denoiser", "unet", DENOISER_OPTIONS, (32, 32), None, (0.0, 0.5))
    save_model(root / "denoiser", denoiser, config, {})
    with torch.no_grad():
        assert denoiser.tail.bias is not None
        denoiser.tail.bias.fill_(float("nan"))
    save_model(root / "nan-denoiser", denoiser, config, {})
    return Models(
        save("sure", sure), save("torn", torn), save("nan", nan), f"local/{root / 'denoiser'}", f"local/{root / 'nan-denoiser'}"
    )


@dataclass(frozen=True)
class Ran:
    """What a run of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON on stdout; NaN and infinity, which are not JSON, are refused."""
        return json.loads(self.out, parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))

    def one_line(self) -> str:
        """The single line on stderr of a mistake, with nothing on stdout."""
        assert self.code == 2
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``python -m core`` with these words."""

    def run_once(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run_once
