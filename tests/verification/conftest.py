"""A true certificate of the bundled shapes models, its picture, and a way to forge it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from core.data.samples import sample_picture
from core.models.load import load_classifier, load_denoiser
from core.models.references import BUNDLED_FOLDER
from core.smoothing.certificate import Certificate
from core.smoothing.certify import certify
from core.smoothing.conclusion import conclude
from core.smoothing.settings import Terms


@dataclass(frozen=True)
class Case:
    """A certificate and all that it is about."""

    certificate: Certificate
    picture: Image.Image
    classifier: Any
    denoiser: Any


def _case(method: str) -> Case:
    if not (BUNDLED_FOLDER / "shapes-stab").exists():
        pytest.skip("the bundled shapes models are not there")
    picture = sample_picture("shape-star").image
    classifier, denoiser = load_classifier("bundled/shapes"), load_denoiser("bundled/shapes-stab")
    # So much noise that one vote in five is lost.
    return Case(
        certify(picture, classifier, denoiser, sigma=0.45, n0=20, n=250, seed=3, method=method, device="cpu"),
        picture,
        classifier,
        denoiser,
    )


@pytest.fixture(scope="session")
def case() -> Case:
    """With a bound for n fixed beforehand."""
    return _case("clopper-pearson")


@pytest.fixture(scope="session")
def anytime_case() -> Case:
    """With the anytime bound."""
    return _case("anytime")


@pytest.fixture(scope="session")
def forged() -> Callable[[Certificate], Certificate]:
    """The same with votes moved to the candidate, and every number that follows put right."""

    def forge(c: Certificate, share: float = 0.995) -> Certificate:
        assert c.candidate is not None
        k = int(share * c.n)
        other = (c.candidate + 1) % len(c.counts)
        counts = tuple(k if i == c.candidate else c.n - k if i == other else 0 for i in range(len(c.counts)))
        assert k > c.counts[c.candidate]
        now = conclude(
            counts, c.candidate, Terms(alpha=c.alpha, method=c.method, sigma=c.sigma, shape=(3, c.image.height, c.image.width))
        )
        return dataclasses.replace(
            c,
            counts=counts,
            p_lower=now.p_lower,
            radius=now.radius,
            radii=now.radii,
            abstained=False,
            prediction=c.candidate,
            label=None if c.labels is None else c.labels[c.candidate],
        )

    return forge
