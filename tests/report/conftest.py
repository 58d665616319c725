"""A certificate to write about."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from core.models.load import load_classifier
from core.models.networks import ConvClassifier
from core.models.storage import ModelConfig, save_model
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Certificate, str]:
    """A certificate of a tiny saved classifier, and the picture's path."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    network = ConvClassifier(num_classes=3, widths=(8, 8), stem=8)
    options = {"num_classes": 3, "widths": [8, 8], "stem": 8}
    save_model(folder, network, ModelConfig("classifier", "conv", options, (16, 16), ("a", "b", "c")), {})
    path = folder / "pict'ure.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    classifier = load_classifier(f"local/{folder}")
    return certify(path, classifier, sigma=0.1, n=200, method="anytime", device="cpu"), str(path)
