"""What an API certifies beyond one run: a picture with a denoiser and, to compare, without; a data set, a line a picture."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from PIL import Image

from core.apis.certify import RemoteProgress, RemoteResult, certify_remote
from core.apis.labels import LabelMap, fold
from core.apis.ledger import Ledger
from core.apis.provider import Described, Provider
from core.apis.queries import QueryPictures, spec_of
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.evaluation.log import ABSTAINED, UNNAMED, LogLine
from core.pictures.pixels import to_pixels
from core.smoothing.noise import image_seed
from core.smoothing.sampling import DenoiserLike
from core.smoothing.settings import Settings


@dataclass(frozen=True)
class RemoteRequest:
    """Everything that decides a study by an API, beside the picture; settings as :func:`certify_remote` takes them."""

    provider: str
    price: float
    rate: float
    denoiser: str
    settings: Settings
    side: int  # of the pictures, before the noise
    budget: float  # dollars in all; where ``compare``, each of the two runs gets half
    compare: bool
    labels: LabelMap = field(default_factory=LabelMap)

    @property
    def runs(self) -> int:
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
    *,
    ledger: Ledger,
    device: str,
    offline: bool = False,
    report: Callable[[RemoteStudyProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RemoteStudy:
    """Certify a picture by an API; what is stored already is not asked again. Raises LabError as :func:`certify_remote`."""

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


def stored_queries(
    request: RemoteRequest, picture: Image.Image, *, facts: Described, denoiser: object | None, ledger: Ledger
) -> int:
    """How many of the queries of a request are answered already; of the denoiser its record suffices."""
    pixels, settings = to_pixels(picture, (request.side, request.side)), request.settings
    put_before = (denoiser, None)[: request.runs]
    runs = [spec_of(facts, pixels, one, settings, visitor=ledger.visitor).name for one in put_before]
    wanted = (("select", settings.n0), ("estimate", settings.n))
    return sum(min(most, len(ledger.queries(run, purpose))) for run in runs for purpose, most in wanted)


def kept_seed(
    request: RemoteRequest, picture: Image.Image, *, facts: Described, denoiser: object | None, ledger: Ledger
) -> int | None:
    """The seed of the newest answers that are kept about these very pictures but for the seed; None where there are none."""
    pixels = to_pixels(picture, (request.side, request.side))
    return ledger.kept_seed(asdict(spec_of(facts, pixels, denoiser, request.settings, visitor=ledger.visitor)))


def preview(
    picture: Image.Image, denoiser: DenoiserLike | None, request: RemoteRequest, device: Any, count: int = 4
) -> list[tuple[Image.Image, Image.Image]]:
    """The first noisy copies (clipped, for showing) and what is sent of each."""
    pixels = to_pixels(picture, (request.side, request.side)).to(device)
    pictures = QueryPictures(pixels, denoiser, request.settings)
    return [(noisy, sent) for _, noisy, sent in pictures.pairs("select", list(range(count)))]


def without_budget(request: RemoteRequest) -> RemoteRequest:
    """The part of a request that decides the pictures: previews with another budget are the same."""
    asked = Settings(sigma=request.settings.sigma, seed=request.settings.seed)
    return replace(request, price=0.0, rate=1.0, settings=asked, budget=0.0, compare=False, labels=LabelMap())


def names_of_classes(data: LabelledImages) -> tuple[str, ...]:
    """The names that an API's labels are compared with. Raises LabError where nothing names the classes."""
    if data.names is None:
        raise LabError(
            "The data set does not name its classes, and an API answers with names: use one with names, such as folders named"
            " after the classes, or a labels.tsv with a column class_name."
        )
    return data.names


def evaluate_remote(
    data: LabelledImages,
    provider: Provider,
    denoiser: DenoiserLike | None,
    settings: Settings,
    *,
    ledger: Ledger,
    device: str = "auto",
    budget: float,
    labels: LabelMap | None = None,
    done: frozenset[int] = frozenset(),
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[LogLine, RemoteResult]]:
    """Certify every picture not in ``done``, each within ``budget`` dollars, and yield its line and what came of it.

    A prediction is right where its name is that of the picture's class, whatever its case. The seed of each picture is made of
    the settings' own. Raises LabError as :func:`certify_remote`, or where the API refuses or stays away.
    """
    names = names_of_classes(data)
    numbers = {fold(name): index for index, name in enumerate(names)}
    for image, label, index in zip(data.images, data.labels.tolist(), data.indices.tolist(), strict=True):
        if index in done:
            continue
        began = time.monotonic()
        pixels, own = image.float() / 255, replace(settings, seed=image_seed(settings.seed, index))
        result = certify_remote(
            pixels, provider, denoiser, own, device=device, ledger=ledger, budget=budget, labels=labels, should_stop=should_stop
        )
        if result.halt is not None and result.halt.reason != "budget":
            if result.halt.reason == "stopped":
                return
            raise LabError(result.halt.message)
        c = result.certificate
        predict = ABSTAINED if c.label is None else numbers.get(fold(c.label), UNNAMED)
        right = c.label is not None and fold(c.label) == fold(names[label])
        yield LogLine(index, label, predict, c.radius, correct=right, seconds=time.monotonic() - began), result
