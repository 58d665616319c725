"""One picture studied: its certificate, the history of the bound, and what noise and denoiser do to it.

The records only, without torch, so that a stored study can be shown at once; core/studies/certify.py makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from core.smoothing.certificate import Certificate, GrowthPoint
from core.smoothing.settings import Settings

if TYPE_CHECKING:
    from core.smoothing.certify import Progress


@dataclass(frozen=True)
class StudyRequest:
    """Everything that decides a study, beside the picture itself.

    ``compare`` asks for a second certificate without the denoiser, from the same noise. ``size`` is the side that the
    picture is brought to before the noise; None for what suits the classifier.
    """

    classifier: str
    denoiser: str
    settings: Settings
    compare: bool = True
    device: str = "auto"
    size: int | None = None


@dataclass(frozen=True)
class View:
    """A picture on the strip and what the classifier alone says of it: the best classes with their softmax shares."""

    picture: Image.Image
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class StudyProgress:
    """A snapshot for the page: which of the two certificates is under way, and how it grows."""

    part: str
    now: Progress
    points: tuple[GrowthPoint, ...]
    views: dict[str, View]
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Study:
    """What came out.

    Attributes:
        certificate: with the denoiser.
        without: the same without it, or None where not asked for or not reached.
        points: growth of the first certificate.
        views: ``original``, ``noisy`` and, with a denoiser, ``denoised``: one draw of noise.
        notes: what was assumed or put right in loading the models, and where sigma is outside a denoiser's range.
    """

    certificate: Certificate
    without: Certificate | None
    points: tuple[GrowthPoint, ...]
    views: dict[str, View] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
