"""CERTIFY and PREDICT (Cohen, Rosenfeld, Kolter 2019, section 3.2) for a base classifier behind a denoiser."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.errors import LabError
from core.pixels import ImageSource
from core.smoothing.arithmetic import recompute
from core.smoothing.bounds import prediction_p_value
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.radius import OWN_NORM
from core.smoothing.run import Run
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import MAX_N, check_certify_settings, check_predict_settings
from core.smoothing.until import looks, radius_possible, settle

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
        method: ``clopper-pearson`` for this very n, or ``anytime``, which stays valid wherever the run is stopped.
        noise: ``gaussian``, ``uniform`` or ``laplace``.
        norm: ``l1``, ``l2`` or ``linf``, in which the radius is told; by default the noise's own, l2 for Gaussian and l1 for
            the others. The certificate has the radii in all of them.
        sound: draw Gaussian noise on the 8-bit grid by exact integer sampling, so that floating point is no gap in the proof.
            For 8-bit pictures; the certificate speaks of 8-bit pictures.
        two_sided: bound the runner-up from above, too, each at alpha/2.
        until_radius: with ``anytime``, end as soon as it is settled whether this radius, in ``norm``, can be certified.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``; modules are moved there.
        batch_size: copies at once; by default what suits device and picture.
        on_progress: called after every batch, in this thread.
        should_stop: asked after every batch. A stopped run returns what is valid: the anytime bound of the samples it has.

    Raises:
        LabError: where an argument or what a network returns is not usable; the sentence says what was expected.
    """
    check_certify_settings(
        sigma=sigma, n0=n0, n=n, alpha=alpha, seed=seed, method=method, noise=noise, norm=norm, sound=sound,
        two_sided=two_sided, until_radius=until_radius,
    )  # fmt: skip
    run = Run(
        image, classifier, denoiser, sigma=sigma, seed=seed, noise=noise, sound=sound, device=device, batch_size=batch_size
    )
    norm = norm or OWN_NORM[noise]
    rules: dict[str, Any] = {
        "alpha": alpha, "sigma": sigma, "shape": run.shape, "noise": noise, "norm": norm, "two_sided": two_sided,
    }  # fmt: skip
    if until_radius is not None:
        _check_ceiling(until_radius, n, rules)

    # Phase one: n0 samples choose the class. They are not counted again.
    selected = None
    for votes in run.votes("select", n0):
        selected = votes if selected is None else selected + votes
        if on_progress is not None:
            on_progress(Progress(int(selected.sum()), n0 + n, None, (), 0.0, 0.0, run.seconds(), until_radius=until_radius))
        if should_stop():
            break
    assert selected is not None
    candidate = int(selected.argmax()) if int(selected.sum()) == n0 else None

    # Phase two: n fresh samples count it.
    counts = torch.zeros_like(selected)
    told, settled = -math.inf, None
    asked = () if until_radius is None else looks(n)
    for votes in run.votes("estimate", n, asked) if candidate is not None else ():
        counts += votes
        done = int(counts.sum())
        assert candidate is not None
        if until_radius is not None and done in asked:
            settled = settle(counts.tolist(), candidate, until_radius, **rules)
        # The bound takes milliseconds, which small batches on a GPU would notice.
        if on_progress is not None and (run.seconds() - told > 0.05 or done == n or settled is not None):
            told = run.seconds()
            on_progress(_progress(n0, n, candidate, counts, told, until_radius, rules))
        if settled is not None or (done < n and should_stop()):
            break

    done = int(counts.sum())
    used = "anytime" if done < n else method
    found = recompute(counts.tolist(), candidate, method=used, **rules)
    if until_radius is not None and candidate is not None and done:
        settled = settle(counts.tolist(), candidate, until_radius, **rules)
    prediction = None if found.abstained else candidate
    return Certificate(
        **run.record(prediction, counts, done < n, n0 + done, alpha),
        candidate=candidate,
        radius=found.radius,
        radius_ceiling=found.radius_ceiling,
        p_lower=found.p_lower,
        n0=n0,
        n_planned=n,
        norm=norm,
        method=used,
        failure_probability=alpha if used == method else 2 * alpha,
        two_sided=two_sided,
        runner_up=found.runner_up,
        p_upper=found.p_upper,
        radii=found.radii,
        until_radius=until_radius,
        settled=settled,
    )


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


def _check_ceiling(until_radius: float, n: int, rules: dict[str, Any]) -> None:
    """Raise LabError where no vote of ``n`` samples could certify the radius that is to be settled."""
    ceiling = recompute((n, 0), 0, method="anytime", **rules).radius_ceiling
    if until_radius > ceiling:
        raise LabError(
            f"until_radius is {until_radius:g}: {n:,} samples at alpha {rules['alpha']:g} can show {rules['norm']} radius"
            f" {ceiling:.4g} at most; use more samples, or settle a smaller radius."
        )


def _progress(
    n0: int, n: int, candidate: int, counts: Tensor, seconds: float, until_radius: float | None, rules: dict[str, Any]
) -> Progress:
    votes = tuple(counts.tolist())
    now = recompute(votes, candidate, method="anytime", **rules)
    possible = None if until_radius is None else radius_possible(votes, candidate, **rules)
    return Progress(
        n0 + sum(votes), n0 + n, candidate, votes, now.p_lower, now.radius, seconds, now.radius_ceiling, until_radius, possible
    )
