"""CERTIFY and PREDICT (Cohen, Rosenfeld, Kolter 2019, section 3.2) for a base classifier behind a denoiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from core.pictures.pixels import ImageSource
from core.smoothing.arithmetic import recompute
from core.smoothing.bounds import prediction_p_value
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.certification import Certification
from core.smoothing.run import Run
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import MAX_N, check_certify_settings, check_predict_settings
from core.smoothing.until import radius_possible

__all__ = ["MAX_N", "OnProgress", "Progress", "certify", "check_certify_settings", "check_predict_settings", "predict"]


@dataclass(frozen=True)
class Progress:
    """The state of a run after a batch of the n samples.

    Attributes:
        done, total: samples counted and planned, n0 included.
        candidate: the class being counted, or None while n0 samples choose it.
        counts: votes so far, one entry a class.
        p_lower: anytime bound on the candidate's probability: valid now, whenever now is.
        radius: the radius that this bound certifies, in the norm asked for.
        seconds: since sampling began.
        radius_ceiling: the greatest radius that so many samples can show.
        until_radius: the radius that is to be settled, or None.
        radius_possible: what endless sampling would certify at most (with a chance of error of its own, alpha); None where
            no radius is to be settled. Sampling ends once ``radius`` or it passes ``until_radius``.
    """

    done: int
    total: int
    candidate: int | None
    counts: tuple[int, ...]
    p_lower: float
    radius: float
    seconds: float
    radius_ceiling: float = 0.0
    until_radius: float | None = None
    radius_possible: float | None = None

    @property
    def seconds_left(self) -> float:
        """An estimate at the speed so far; the most it can take where a radius is to be settled."""
        return self.seconds / self.done * (self.total - self.done) if self.done else math.inf


OnProgress = Callable[[Progress], None]


def certify(
    image: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None = None,
    *,
    sigma: float,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    seed: int = 0,
    method: str = "clopper-pearson",
    noise: str = "gaussian",
    norm: str | None = None,
    sound: bool = False,
    two_sided: bool = False,
    until_radius: float | None = None,
    within: float | None = None,
    table_radii: Sequence[float] | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Certificate:
    """Certify the smoothed classifier's prediction for one picture.

    Args:
        image: a path, a PIL picture, or a (3, H, W) tensor in [0, 1].
        classifier: (B, 3, H, W) pixels in [0, 1] -> (B, C) logits; any callable, an ``nn.Module`` in evaluation mode included.
        denoiser: ``(noisy, sigma)`` -> same shape; None smooths the classifier alone.
        sigma: standard deviation of the noise in each channel, in [0, 1] pixel units, whatever the noise.
        n0: samples that choose the class.
        n: fresh samples that count it.
        alpha: the chance that the certificate may be wrong.
        seed: same seed, same noise, whatever the batch size (on one type of device).
        method: ``clopper-pearson`` for this very n; ``anytime``, which stays valid wherever the run is stopped; or
            ``group-sequential``, the test of ``table_radii``, and of nothing else.
        noise: ``gaussian``, ``uniform`` or ``laplace``.
        norm: ``l1``, ``l2`` or ``linf``, in which the radius is told; by default the noise's own, l2 for Gaussian and l1 for
            the others. The certificate has the radii in all of them.
        sound: draw Gaussian noise on the 8-bit grid by exact integer sampling, so that floating point is no gap in the proof.
            For 8-bit pictures; the certificate speaks of 8-bit pictures.
        two_sided: bound the runner-up from above, too, each at alpha/2.
        until_radius: with ``anytime``, end as soon as it is settled whether this radius, in ``norm``, can be certified.
        within: with ``anytime``, end as soon as the radius is at most this part (0.05 is 5%) below what n samples would give,
            if the shares of the votes stayed as they are; or as no class can be certified.
        table_radii: with ``group-sequential``, end as soon as each of these radii, ascending, in ``norm``, is certified or
            predicted to stay uncertified; the certificate's radius is then the greatest of them that is certified. 0 asks
            whether a class can be certified at all.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``; modules are moved there.
        batch_size: copies at once; by default what suits device and picture.
        on_progress: called after every batch, in this thread.
        should_stop: asked after every batch. A stopped run returns what is valid: the anytime bound of the samples it has.

    Raises:
        LabError: where an argument or what a network returns is not usable; the sentence says what was expected.
    """
    c = Certification(
        image,
        classifier,
        denoiser,
        sigma=sigma,
        n0=n0,
        n=n,
        alpha=alpha,
        seed=seed,
        method=method,
        noise=noise,
        norm=norm,
        sound=sound,
        two_sided=two_sided,
        until_radius=until_radius,
        within=within,
        table_radii=table_radii,
        device=device,
        batch_size=batch_size,
    )
    run = c.run

    # Phase one: n0 samples choose the class. They are not counted again.
    for votes in run.votes("select", n0):
        c.select(votes)
        if on_progress is not None:
            on_progress(Progress(c.chosen_from, n0 + n, None, (), 0.0, 0.0, run.seconds(), until_radius=until_radius))
        if should_stop():
            break

    # Phase two: n fresh samples count it.
    told = -math.inf
    for votes in run.votes("estimate", n, c.asks) if c.candidate is not None else ():
        c.count(votes)
        # The bound takes milliseconds, which small batches on a GPU would notice.
        if on_progress is not None and (run.seconds() - told > 0.05 or c.done == n or c.settled is not None):
            told = run.seconds()
            on_progress(_progress(c, told))
        if c.settled is not None or (c.done < n and should_stop()):
            break
    return c.certificate()


def predict(
    image: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None = None,
    *,
    sigma: float,
    n: int = 1_000,
    alpha: float = 0.001,
    seed: int = 0,
    noise: str = "gaussian",
    sound: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Prediction:
    """Predict the smoothed classifier's class for one picture, or abstain. Arguments as for :func:`certify`.

    A stopped run abstains: the test is valid for a fixed n only.
    """
    check_predict_settings(sigma=sigma, n=n, alpha=alpha, seed=seed, noise=noise, sound=sound)
    run = Run(
        image, classifier, denoiser, sigma=sigma, seed=seed, noise=noise, sound=sound, device=device, batch_size=batch_size
    )
    counts: Tensor | None = None
    for votes in run.votes("predict", n):
        counts = votes if counts is None else counts + votes
        done = int(counts.sum())
        if on_progress is not None:
            on_progress(Progress(done, n, None, tuple(counts.tolist()), 0.0, 0.0, run.seconds()))
        if done < n and should_stop():
            break
    assert counts is not None
    first, second = counts.topk(2)[0].tolist()
    stopped = int(counts.sum()) < n
    p_value = prediction_p_value(first, second)
    prediction = int(counts.argmax()) if p_value <= alpha and not stopped else None
    return Prediction(**run.record(prediction, counts, stopped, int(counts.sum()), alpha), p_value=p_value)


def _progress(c: Certification, seconds: float) -> Progress:
    assert c.counts is not None
    assert c.candidate is not None
    votes = tuple(c.counts.tolist())
    now = recompute(votes, c.candidate, method="anytime", **c.rules)
    until = c.question.until_radius
    possible = None if until is None else radius_possible(votes, c.candidate, **c.rules)
    return Progress(
        c.n0 + sum(votes), c.n0 + c.n, c.candidate, votes, now.p_lower, now.radius, seconds, now.radius_ceiling, until, possible
    )
