"""What the Vision APIs page asks for and gets: one picture by an API, with a denoiser and, to compare, without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image

from core.apis.certify import RemoteProgress, RemoteResult, certify_remote
from core.apis.labels import LabelMap
from core.apis.ledger import Ledger
from core.apis.provider import Provider
from core.apis.providers import Described
from core.apis.queries import QueryPictures, spec_of
from core.pictures.pixels import to_pixels
from core.smoothing.sampling import DenoiserLike
from core.smoothing.settings import Settings


@dataclass(frozen=True)
class RemoteRequest:
    """Everything that decides a study by an API, beside the picture.

    Attributes:
        side: pictures are brought to ``side`` x ``side`` before the noise.
        budget: dollars for the whole study; where ``compare``, each of the two runs gets half.
        settings: as :func:`core.apis.certify.certify_remote` takes them.
    """

    provider: str
    price: float
    rate: float
    denoiser: str
    settings: Settings
    side: int
    budget: float
    compare: bool
    labels: LabelMap = field(default_factory=LabelMap)

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return 2 if self.compare and self.denoiser != "none" else 1


@dataclass(frozen=True)
class RemoteStudyProgress:
    """Which run is under way, and how far it is."""

    part: str
    now: RemoteProgress


@dataclass(frozen=True)
class RemoteStudy:
    """What came out: with the denoiser, and without it where that was asked for and reached."""

    result: RemoteResult
    without: RemoteResult | None

    @property
    def spent(self) -> float:
        """Dollars for both runs, earlier answers included."""
        return self.result.spent + (0.0 if self.without is None else self.without.spent)

    @property
    def asked(self) -> int:
        """Queries sent just now, in both runs."""
        return self.result.asked + (0 if self.without is None else self.without.asked)


def study_remote(
    picture: Image.Image,
    provider: Provider | Described,
    denoiser: DenoiserLike | None,
    request: RemoteRequest,
    ledger: Ledger,
    *,
    device: str,
    offline: bool = False,
    report: Callable[[RemoteStudyProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RemoteStudy:
    """Certify a picture by an API; what is stored already is not asked again.

    Raises:
        LabError: as :func:`core.apis.certify.certify_remote`.
    """

    def one(part: str, put_before: DenoiserLike | None) -> RemoteResult:
        return certify_remote(
            picture,
            provider,
            put_before,
            request.settings,
            ledger=ledger,
            budget=request.budget / request.runs,
            labels=request.labels,
            size=(request.side, request.side),
            device=device,
            offline=offline,
            on_progress=lambda now: report(RemoteStudyProgress(part, now)),
            should_stop=should_stop,
        )

    result = one("with", denoiser)
    over = should_stop() or (result.halt is not None and result.halt.reason != "budget")
    return RemoteStudy(result, one("without", None) if request.runs == 2 and not over else None)


def stored_queries(request: RemoteRequest, picture: Image.Image, facts: Described, denoiser_record: Any, ledger: Ledger) -> int:
    """How many of the queries of a request are answered already."""
    pixels = to_pixels(picture, (request.side, request.side))
    records = [denoiser_record] + ([None] if request.runs == 2 else [])
    found = 0
    for record in records:
        run = spec_of(facts, pixels, record, request.settings.sigma, request.settings.seed).name
        for purpose, most in (("select", request.settings.n0), ("estimate", request.settings.n)):
            found += min(most, len(ledger.queries(run, purpose)))
    return found


def preview(
    picture: Image.Image, denoiser: DenoiserLike | None, request: RemoteRequest, device: Any, count: int = 4
) -> list[tuple[Image.Image, Image.Image]]:
    """The first noisy copies (clipped, for showing) and what is sent of each."""
    pixels = to_pixels(picture, (request.side, request.side)).to(device)
    pictures = QueryPictures(pixels, denoiser, request.settings.sigma, request.settings.seed)
    return [(noisy, sent) for _, noisy, sent in pictures.pairs("select", list(range(count)))]


def without_budget(request: RemoteRequest) -> RemoteRequest:
    """The part of a request that decides the pictures: previews with another budget are the same."""
    asked = Settings(sigma=request.settings.sigma, seed=request.settings.seed)
    return replace(request, price=0.0, rate=1.0, settings=asked, budget=0.0, compare=False, labels=LabelMap())
