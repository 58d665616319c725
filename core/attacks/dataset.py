"""Attack a data set: certified against attacked radius, and whether any attack within the certified radius succeeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.attacks.balls import check_norm
from core.attacks.dataset_log import AttackedLine
from core.attacks.gradient import Climb, Meter, climb
from core.attacks.records import AttackVerdict, certified_in
from core.attacks.search import Span, first_radius, smallest_attack
from core.attacks.targets import BaseTarget, SmoothedTarget
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.smoothing.certify import certify, predict
from core.smoothing.noise import derived_seed
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import MAX_N, Settings

RECHECK = 10
"""A violation is looked at again with so many times the votes."""


@dataclass(frozen=True)
class AttackSettings:
    """The numbers of an attacked data set; those of the same name as in :class:`core.attacks.records.AttackRequest`.

    Attributes:
        fractions: of the certified radius, at which it is attacked; below 1.
        budget: passes that the search for the smallest attack may take, for each picture and target; 0 for no search.
    """

    sigma: float
    norm: str = "l2"
    n0: int = 100
    n: int = 500
    alpha: float = 0.001
    n_predict: int = 100
    steps: int = 20
    step_size: float | None = None
    restarts: int = 1
    draws: int = 8
    fractions: tuple[float, ...] = (0.5, 0.999)
    tolerance: float = 0.1
    budget: int = 3_000
    seed: int = 0
    device: str = "auto"

    def check(self) -> None:
        """Raise LabError where a number is out of range."""
        check_norm(self.norm)
        settings = Settings(sigma=self.sigma, n0=self.n0, n=self.n, alpha=self.alpha, seed=self.seed)
        settings.check()
        replace(settings, n=self.n_predict).check_predict()
        Climb(self.steps, self.step_size, self.restarts)
        Span(1.0, None, 0.0, self.tolerance)
        if not self.fractions or not all(0 < fraction < 1 for fraction in self.fractions):
            raise LabError(
                f"The fractions of the certified radius are {self.fractions}: expected numbers above 0 and below 1,"
                " such as 0.999."
            )
        if self.budget < 0:
            raise LabError(f"budget is {self.budget}: expected a number of passes of at least 0.")
        if not 1 <= self.draws <= 4096:
            raise LabError(f"draws is {self.draws}: expected 1 to 4096 noise draws for each gradient, such as 8.")


def attack_dataset(
    data: LabelledImages,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    settings: AttackSettings,
    device: torch.device,
    *,
    done: frozenset[int] = frozenset(),
    on_pass: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[AttackedLine]:
    """Certify and attack every picture not in ``done``, in order, and yield its line as soon as it is finished.

    All noise of a picture comes from a seed of its own, so a line does not depend on which were attacked before.

    Args:
        data: labelled pictures of the classifier's size.
        classifier, denoiser: loaded.
        settings: the numbers.
        device: where it is computed.
        done: numbers of pictures to leave out.
        on_pass: told the passes of the picture under way.
        should_stop: asked after every batch; the picture under way is then left out.

    Raises:
        LabError: where a number is out of range, or no gradient passes through the models.
    """
    settings.check()
    for image, label, index in zip(data.images, data.labels.tolist(), data.indices.tolist(), strict=True):
        if index in done:
            continue
        pixels = (image.float() / 255).to(device)
        line = _attack(pixels, label, index, classifier, denoiser, settings, device, on_pass, should_stop)
        if line is None:
            return
        yield line


def _attack(
    image: Tensor,
    label: int,
    index: int,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    s: AttackSettings,
    device: torch.device,
    on_pass: Callable[[int], None] | None,
    should_stop: Callable[[], bool],
) -> AttackedLine | None:
    """One picture; None where it was stopped."""
    began = time.perf_counter()
    seed = derived_seed(s.seed, "picture", index)
    meter = Meter(on_pass, should_stop)
    certificate = certify(
        image.cpu(),
        classifier,
        denoiser,
        sigma=s.sigma,
        n0=s.n0,
        n=s.n,
        alpha=s.alpha,
        seed=seed,
        device=str(device),
        should_stop=should_stop,
    )
    if certificate.stopped:
        return None
    meter.spend(certificate.n0 + certificate.n)
    if certificate.prediction is None:
        return AttackedLine(index, label, None, 0.0, (), 0, 0, 0, None, False, None, time.perf_counter() - began)

    radius = certified_in(certificate, s.norm)
    how = Climb(s.steps, s.step_size, s.restarts)
    smoothed = SmoothedTarget(
        image,
        certificate.prediction,
        classifier,
        denoiser,
        sigma=s.sigma,
        draws=s.draws,
        n_predict=s.n_predict,
        alpha=s.alpha,
        seed=seed,
        device=device,
        meter=meter,
    )
    judged: list[tuple[float, AttackVerdict]] = []
    rechecked = 0
    change: Tensor | None = None
    for fraction in sorted(s.fractions):
        climbed = climb(image, smoothed, s.norm, fraction * radius, how, seed=derived_seed(seed, fraction))
        verdict = smoothed.judge(climbed.picture)
        if climbed.stopped or verdict.stopped:
            return None
        change = climbed.picture - image
        judged.append((climbed.size, verdict))
        rechecked += verdict.fooled and _borne_out(climbed.picture, verdict, classifier, denoiser, s, seed, device)

    least_inside = min((size for size, verdict in judged if verdict.fooled), default=None)
    smallest, base_smallest, at_the_end = least_inside, None, False
    first = first_radius(s.norm, s.sigma, radius, image.numel())
    if s.budget:
        if least_inside is None:
            meter.limit = meter.spent + s.budget
            span = Span(first, None, max(s.fractions) * radius, s.tolerance)
            search = smallest_attack(image, smoothed, s.norm, how, span, seed=seed, start=change)
            smallest, at_the_end = search.radius, search.settled
            # A trial beyond the certified radius may still end within it.
            judged += [(trial.size, trial.verdict) for trial in search.trials if trial.size <= radius]
        meter.limit = meter.spent + s.budget
        base = BaseTarget(image, classifier, None, s.sigma, device, meter)
        base_smallest = smallest_attack(image, base, s.norm, how, Span(first, None, 0.0, s.tolerance), seed=seed).radius
        if should_stop():
            return None
    return AttackedLine(
        index,
        label,
        certificate.prediction,
        radius,
        tuple(size for size, _ in judged),
        sum(verdict.outcome == "abstains" for _, verdict in judged),
        sum(verdict.fooled for _, verdict in judged),
        rechecked,
        smallest,
        at_the_end,
        base_smallest,
        time.perf_counter() - began,
    )


def _borne_out(
    picture: Tensor,
    verdict: AttackVerdict,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    s: AttackSettings,
    seed: int,
    device: torch.device,
) -> bool:
    """Whether a PREDICT with more votes of fresh noise returns the wrong class, too."""
    again = predict(
        picture,
        classifier,
        denoiser,
        sigma=s.sigma,
        n=min(RECHECK * s.n_predict, MAX_N),
        alpha=s.alpha,
        seed=derived_seed(seed, "recheck"),
        device=str(device),
    )
    return again.prediction not in (None, verdict.class_index)
