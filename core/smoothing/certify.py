"""Certifying and predicting one picture: a base classifier behind a denoiser, noise, votes, and what they allow to say."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

from core.pictures.pixels import ImageSource
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.certification import Certification, PredictionVote
from core.smoothing.conclusion import radius_possible
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.smoothing.under_noise import PictureUnderNoise, Sampling, sample_under_noise


@dataclass(frozen=True)
class Progress:
    """The state of a run after a batch of the n samples; sampling ends once one of the two radii passes ``until_radius``."""

    done: int  # samples counted, n0 included
    total: int  # planned, n0 included
    seconds: float  # since sampling began
    candidate: int | None = None  # the class being counted; None while n0 samples choose it
    counts: tuple[int, ...] = ()  # votes so far, one entry a class
    p_lower: float = 0.0  # anytime bound on the candidate's probability: valid now, whenever now is
    radius: float = 0.0  # that this bound certifies, in the norm asked for
    radius_ceiling: float = 0.0  # the greatest that so many samples can show
    until_radius: float | None = None  # that is to be settled
    radius_possible: float | None = None  # of endless sampling, at most (wrong with a chance alpha of its own), if asked for

    @property
    def seconds_left(self) -> float:
        """An estimate at the speed so far; the most it can take where a radius is to be settled."""
        return self.seconds / self.done * (self.total - self.done) if self.done else math.inf


class Running(TypedDict, total=False):
    """How a run is computed, which decides no vote: as :func:`certify` says."""

    device: str
    batch_size: int | None
    on_progress: Callable[[Progress], None] | None
    should_stop: Callable[[], bool]
    on_notice: Callable[[str], None]


def certify_picture(
    image: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: Settings,
    *,
    counter: Certification | None = None,
    **running: Unpack[Running],
) -> Certificate:
    """:func:`certify` with its settings in one object, and who counts the votes, if not a new :class:`Certification`."""
    settings.check()
    picture = _under_noise(image, classifier, denoiser, settings, running=running)
    c, told = counter or Certification(settings, picture.shape), -math.inf

    def progress(seconds: float) -> Progress | None:
        # The bound takes milliseconds, which small batches on a GPU would notice.
        nonlocal told
        if c.done and seconds - told <= 0.05 and not c.finished:
            return None
        told = seconds
        return _progress(c, seconds)

    return c.certificate(picture.provenance, _sampled(picture, c, progress, running))


def predict_picture(
    image: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: Settings,
    **running: Unpack[Running],
) -> Prediction:
    """:func:`predict` with its settings in one object; of these n0 and what concerns the radius play no part."""
    vote = PredictionVote(settings)
    picture = _under_noise(image, classifier, denoiser, settings, running=running)

    def progress(seconds: float) -> Progress:
        return Progress(done=vote.done, total=settings.n, seconds=seconds, counts=tuple(vote.counts.tolist()))

    return vote.prediction(picture.provenance, _sampled(picture, vote, progress, running))


def certify(
    image: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None = None,
    *,
    sigma: float,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    seed: int | None = None,
    method: str = "clopper-pearson",
    noise: str = "gaussian",
    norm: str | None = None,
    sound: bool = False,
    two_sided: bool = False,
    until_radius: float | None = None,
    within: float | None = None,
    table_radii: Sequence[float] | None = None,
    tries: int = 1,
    engine: str = "auto",
    precision: str = "auto",
    **running: Unpack[Running],
) -> Certificate:
    """Certify the smoothed classifier's prediction for one picture.

    Args:
        image: a path, a PIL picture, or a (3, H, W) tensor in [0, 1].
        classifier: (B, 3, H, W) pixels in [0, 1] -> (B, C) logits; any callable, an ``nn.Module`` in evaluation mode included.
        denoiser: ``(noisy, sigma)`` -> same shape; None smooths the classifier alone.
        sigma, n0, n, alpha, seed, method, noise, norm, sound, two_sided, until_radius, within, table_radii, tries, engine,
            precision: the :class:`core.smoothing.settings.Settings`, which say what each is; by default the seed is drawn
            from the operating system, and the certificate names it.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``; modules are moved there.
        batch_size: copies at once; by default what suits device and picture.
        on_progress: called after every batch, in this thread.
        should_stop: asked after every batch. A stopped run returns what is valid: the anytime bound of the samples it has.
        on_notice: told, in a sentence, where the engine that was asked for cannot be used, and the networks run eagerly.

    Raises:
        LabError: where an argument or what a network returns is not usable; the sentence says what was expected.
    """
    return certify_picture(image, classifier, denoiser, Settings.of(locals()), **running)


def predict(
    image: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None = None,
    *,
    sigma: float,
    n: int = 1_000,
    alpha: float = 0.001,
    seed: int | None = None,
    noise: str = "gaussian",
    sound: bool = False,
    engine: str = "auto",
    precision: str = "auto",
    **running: Unpack[Running],
) -> Prediction:
    """Predict the smoothed classifier's class for one picture, or abstain. Arguments as for :func:`certify`.

    A stopped run abstains: the test is valid for a fixed n only.
    """
    return predict_picture(image, classifier, denoiser, Settings.of(locals()), **running)


def _under_noise(
    image: ImageSource, classifier: ClassifierLike, denoiser: DenoiserLike | None, settings: Settings, running: Running
) -> PictureUnderNoise:
    device, batch_size = running.get("device", "auto"), running.get("batch_size")
    picture = PictureUnderNoise(image, classifier, denoiser, settings, device=device, batch_size=batch_size)
    if picture.program.notice is not None and "on_notice" in running:
        running["on_notice"](picture.program.notice)
    return picture


def _sampled(
    picture: PictureUnderNoise,
    counter: Certification | PredictionVote,
    progress: Callable[[float], Progress | None],
    running: Running,
) -> float:
    """Sample a picture until enough is counted, or it is to stop; returns how long that took."""
    sampling, on_progress = Sampling(picture, counter), running.get("on_progress")

    def tell() -> None:
        if on_progress is not None and (now := progress(sampling.seconds)) is not None:
            on_progress(now)

    stop = running.get("should_stop", lambda: False)
    for _ in sample_under_noise([sampling], batch_size=running.get("batch_size"), after_batch=tell, should_stop=stop):
        pass
    return sampling.seconds


def _progress(c: Certification, seconds: float) -> Progress:
    s, chosen_from = c.settings, int(c.counts0.sum())
    if not c.done or c.candidate is None:
        return Progress(done=chosen_from, total=s.n0 + s.n, seconds=seconds, until_radius=s.until_radius)
    votes, now = tuple(c.counts.tolist()), c.conclusion("anytime")
    return Progress(
        done=s.n0 + c.done,
        total=s.n0 + s.n,
        seconds=seconds,
        candidate=c.candidate,
        counts=votes,
        p_lower=now.p_lower,
        radius=now.radius,
        radius_ceiling=now.radius_ceiling,
        until_radius=s.until_radius,
        radius_possible=None if s.until_radius is None else radius_possible(votes, c.candidate, c.terms),
    )
