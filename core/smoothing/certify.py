"""CERTIFY and PREDICT (Cohen, Rosenfeld, Kolter 2019, section 3.2) for a base classifier behind a denoiser."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from core.device import pick_device
from core.errors import LabError
from core.models.records import model_labels, model_record, model_size
from core.pixels import ImageSource, image_record, to_pixels
from core.smoothing.bounds import (
    METHODS,
    anytime_lower,
    least_n_to_certify,
    least_n_to_predict,
    lower_bound,
    prediction_p_value,
)
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.noise import NoiseStream
from core.smoothing.radius import check_sigma, l2_radius, radius_ceiling
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike, count_votes, ready
from core.versions import versions

MAX_N = 1_000_000


@dataclass(frozen=True)
class Progress:
    """The state of a run after a batch of the n samples.

    Attributes:
        done, total: samples counted and planned, n0 included.
        candidate: the class being counted, or None while n0 samples choose it.
        counts: votes so far, one entry a class.
        p_lower: anytime bound on the candidate's probability: valid now, whenever now is.
        radius: the radius that this bound certifies.
        seconds: since sampling began.
    """

    done: int
    total: int
    candidate: int | None
    counts: tuple[int, ...]
    p_lower: float
    radius: float
    seconds: float

    @property
    def seconds_left(self) -> float:
        """An estimate at the speed so far."""
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
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        n0: samples that choose the class.
        n: fresh samples that count it.
        alpha: the chance that the certificate may be wrong.
        seed: same seed, same noise, whatever the batch size (on one type of device).
        method: ``clopper-pearson`` for this very n, or ``anytime``, which stays valid wherever the run is stopped.
        device: ``auto``, ``cuda``, ``mps`` or ``cpu``; modules are moved there.
        batch_size: copies at once; by default what suits device and picture.
        on_progress: called after every batch, in this thread.
        should_stop: asked after every batch. A stopped run returns what is valid: the anytime bound of the samples it has.

    Raises:
        LabError: where an argument or what a network returns is not usable; the sentence says what was expected.
    """
    check_certify_settings(sigma=sigma, n0=n0, n=n, alpha=alpha, seed=seed, method=method)
    run = _Run(image, classifier, denoiser, sigma, seed, device, batch_size)

    # Phase one: n0 samples choose the class. They are not counted again.
    selected = None
    for votes in run.votes("select", n0):
        selected = votes if selected is None else selected + votes
        if on_progress is not None:
            on_progress(Progress(int(selected.sum()), n0 + n, None, (), 0.0, 0.0, run.seconds()))
        if should_stop():
            break
    assert selected is not None
    candidate = int(selected.argmax()) if int(selected.sum()) == n0 else None

    # Phase two: n fresh samples count it.
    counts = torch.zeros_like(selected)
    told = -math.inf
    for votes in run.votes("estimate", n) if candidate is not None else ():
        counts += votes
        done = int(counts.sum())
        # The bound takes milliseconds, which small batches on a GPU would notice.
        if on_progress is not None and (run.seconds() - told > 0.05 or done == n):
            told = run.seconds()
            p_now = anytime_lower(int(counts[candidate]), done, alpha)
            radius = l2_radius(p_now, sigma)
            on_progress(Progress(n0 + done, n0 + n, candidate, tuple(counts.tolist()), p_now, radius, told))
        if done < n and should_stop():
            break

    done = int(counts.sum())
    stopped = done < n
    used = "anytime" if stopped else method
    p_lower = 0.0
    if done:
        assert candidate is not None
        p_lower = lower_bound(int(counts[candidate]), done, alpha, used)
    abstained = p_lower <= 0.5
    prediction = None if abstained else candidate
    return Certificate(
        **run.record(prediction, counts, stopped, n0 + done, alpha),
        candidate=candidate,
        radius=l2_radius(p_lower, sigma),
        radius_ceiling=radius_ceiling(sigma, done, alpha, used) if done else 0.0,
        p_lower=p_lower,
        n0=n0,
        n_planned=n,
        norm="l2",
        noise="gaussian",
        method=used,
        failure_probability=alpha if used == method else 2 * alpha,
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
    device: str = "auto",
    batch_size: int | None = None,
    on_progress: OnProgress | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Prediction:
    """Predict the smoothed classifier's class for one picture, or abstain. Arguments as for :func:`certify`.

    A stopped run abstains: the test is valid for a fixed n only.
    """
    check_predict_settings(sigma=sigma, n=n, alpha=alpha, seed=seed)
    run = _Run(image, classifier, denoiser, sigma, seed, device, batch_size)
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


class _Run:
    """What CERTIFY and PREDICT share: the checked inputs, the votes of a stream, the record of the run."""

    def __init__(
        self,
        image: ImageSource,
        classifier: ClassifierLike,
        denoiser: DenoiserLike | None,
        sigma: float,
        seed: int,
        device: str,
        batch_size: int | None,
    ) -> None:
        self.device = pick_device(device)
        pixels = to_pixels(image, model_size(classifier))
        ready(classifier, self.device, "classifier")
        ready(denoiser, self.device, "denoiser")
        self.base = BaseClassifier(classifier, denoiser)
        self.image_record = image_record(pixels)
        self.image = pixels.to(self.device)
        self.sigma, self.seed, self.batch_size = sigma, seed, batch_size
        self.labels = model_labels(classifier)
        self._started = time.perf_counter()

    def votes(self, purpose: str, n: int) -> Any:
        noise = NoiseStream(tuple(self.image.shape), self.seed, purpose, self.device)
        for votes in count_votes(self.base, self.image, self.sigma, noise, n, batch_size=self.batch_size):
            if self.labels is not None and len(votes) != len(self.labels):
                raise LabError(
                    f"The classifier returned {len(votes)} logits but has {len(self.labels)} labels: they must be as many."
                )
            yield votes

    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def record(self, prediction: int | None, counts: Tensor, stopped: bool, samples: int, alpha: float) -> dict[str, Any]:
        seconds = self.seconds()
        return {
            "prediction": prediction,
            "label": None if prediction is None or self.labels is None else self.labels[prediction],
            "abstained": prediction is None,
            "counts": tuple(counts.tolist()),
            "n": int(counts.sum()),
            "alpha": alpha,
            "sigma": self.sigma,
            "seed": self.seed,
            "stopped": stopped,
            "image": self.image_record,
            "classifier": model_record(self.base.classifier),
            "denoiser": model_record(self.base.denoiser),
            "labels": self.labels,
            "device": str(self.device),
            "seconds": seconds,
            "samples_per_second": samples / seconds,
            "versions": versions(),
        }


def check_certify_settings(*, sigma: float, n0: int, n: int, alpha: float, seed: int, method: str = "clopper-pearson") -> None:
    """Raise LabError where :func:`certify` cannot run with these numbers, whatever the picture and the models."""
    _check_numbers(sigma=sigma, n0=n0, n=n, alpha=alpha, seed=seed)
    if method not in METHODS:
        raise LabError(f"Unknown bound {method!r}: choose one of {', '.join(METHODS)}.")
    least = least_n_to_certify(alpha, method)
    if n < least:
        raise LabError(f"n is {n}: with alpha {alpha:g} no vote of fewer than {least} samples can be certified; use more.")


def check_predict_settings(*, sigma: float, n: int, alpha: float, seed: int) -> None:
    """Raise LabError where :func:`predict` cannot run with these numbers."""
    _check_numbers(sigma=sigma, n0=1, n=n, alpha=alpha, seed=seed)
    least = least_n_to_predict(alpha)
    if n < least:
        raise LabError(f"n is {n}: with alpha {alpha:g} no vote of fewer than {least} samples can decide; use more.")


def _check_numbers(*, sigma: float, n0: int, n: int, alpha: float, seed: int) -> None:
    check_sigma(sigma)
    for name, value in (("n0", n0), ("n", n)):
        if not isinstance(value, Integral) or not 1 <= value <= MAX_N:
            raise LabError(f"{name} is {value}: expected a whole number of samples, 1 to {MAX_N:,}.")
    if not 0 < alpha < 0.5:
        raise LabError(f"alpha is {alpha}: expected a number above 0 and below 0.5, such as 0.001.")
    if not isinstance(seed, Integral) or seed < 0:
        raise LabError(f"seed is {seed}: expected a whole number of at least 0.")
