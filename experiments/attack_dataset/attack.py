"""Attack a data set: certified against attacked radius, and whether any attack within the certified radius succeeds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core.attacks.balls import Ball
from core.attacks.records import AttackVerdict, certified_in
from core.attacks.request import AttackSettings, Span
from core.attacks.search import Meter, climb, first_radius, smallest_attack
from core.attacks.targets import BaseTarget, SmoothedTarget
from core.data.datasets import LabelledImages
from core.errors import LabError
from core.smoothing.certify import certify_picture, predict_picture
from core.smoothing.noise import derived_seed
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike
from core.smoothing.settings import MAX_N
from experiments.attack_dataset.lines import AttackedLine

RECHECK = 10
"""A violation is looked at again with so many times the votes."""


@dataclass(frozen=True)
class DatasetAttack:
    """What is asked of each picture.

    Attributes:
        attack: the numbers; its budget is that of the search for the smallest attack on each target, 0 for no search.
        fractions: of the certified radius, at which it is attacked; below 1.
    """

    attack: AttackSettings
    fractions: tuple[float, ...] = (0.5, 0.999)

    def check(self) -> None:
        """Raise LabError where a number is out of range."""
        self.attack.check()
        if not self.fractions or not all(0 < fraction < 1 for fraction in self.fractions):
            raise LabError(
                f"The fractions of the certified radius are {self.fractions}: expected numbers above 0 and below 1,"
                " such as 0.999."
            )
        if self.attack.budget is not None and self.attack.budget < 0:
            raise LabError(f"budget is {self.attack.budget}: expected a number of passes of at least 0.")

    def to_dict(self) -> dict[str, Any]:
        """The numbers by name, in one level."""
        return self.attack.to_dict() | {"fractions": list(self.fractions)}


def attack_dataset(
    data: LabelledImages,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    asked: DatasetAttack,
    *,
    device: torch.device,
    done: frozenset[int] = frozenset(),
    on_pass: Callable[[int], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[AttackedLine]:
    """Certify and attack every picture not in ``done``, in order, and yield its line as soon as it is finished.

    All noise of a picture comes from a seed of its own, so a line does not depend on which were attacked before.

    Args:
        data: labelled pictures of the classifier's size.
        classifier, denoiser: loaded.
        asked: the numbers.
        device: where it is computed.
        done: numbers of pictures to leave out.
        on_pass: told the passes of the picture under way.
        should_stop: asked after every batch; the picture under way is then left out.

    Raises:
        LabError: where a number is out of range, or no gradient passes through the models.
    """
    asked.check()
    base = BaseClassifier(classifier, denoiser)
    for image, label, index in zip(data.images, data.labels.tolist(), data.indices.tolist(), strict=True):
        if index in done:
            continue
        settings = asked.attack.settings
        settings = replace(settings, seed=derived_seed(settings.seed, "picture", index))
        own, meter = replace(asked, attack=replace(asked.attack, settings=settings)), Meter(on_pass, should_stop)
        picture = _Picture((image.float() / 255).to(device), base, own, device=device, meter=meter)
        line = picture.attacked(index, label)
        if line is None:
            return
        yield line


class _Picture:
    """One picture of a data set under attack."""

    def __init__(
        self, image: Tensor, base: BaseClassifier, asked: DatasetAttack, *, device: torch.device, meter: Meter
    ) -> None:
        self.image, self.base, self.device, self.meter = image, base, device, meter
        self.attack, self.fractions = asked.attack, sorted(asked.fractions)
        self.settings, self.norm = asked.attack.settings, asked.attack.norm

    def attacked(self, index: int, label: int) -> AttackedLine | None:
        """Its line; None where it was stopped."""
        began, meter, attack = time.perf_counter(), self.meter, self.attack
        certificate = certify_picture(
            self.image.cpu(),
            self.base.classifier,
            self.base.denoiser,
            self.settings,
            device=str(self.device),
            should_stop=meter.should_stop,
        )
        if certificate.stopped:
            return None
        meter.spend(certificate.n0 + certificate.n)
        line = AttackedLine(index, label, prediction=certificate.prediction)
        if certificate.prediction is None:
            return replace(line, seconds=time.perf_counter() - began)

        radius = certified_in(certificate, self.norm)
        target = SmoothedTarget(self.image, certificate.prediction, self.base, attack=attack, device=self.device, meter=meter)
        judged: list[tuple[float, AttackVerdict]] = []
        rechecked, change = 0, None
        for fraction in self.fractions:
            ball = Ball(self.image, self.norm, fraction * radius)
            climbed = climb(ball, target, attack.climb, seed=derived_seed(self.settings.seed, fraction))
            verdict = target.judge(climbed.picture)
            if climbed.stopped or verdict.stopped:
                return None
            change = climbed.picture - self.image
            judged.append((climbed.size, verdict))
            rechecked += verdict.fooled and self._borne_out(climbed.picture, verdict)

        smallest = min((size for size, verdict in judged if verdict.fooled), default=None)
        base_smallest, at_the_end = None, False
        if attack.budget != 0:
            span = Span(first_radius(self.norm, self.settings.sigma, radius, self.image.numel()))
            if smallest is None:
                meter.allow(attack.budget)
                beyond = replace(span, low=self.fractions[-1] * radius)
                search = smallest_attack(self.image, target, attack, beyond, start=change)
                smallest, at_the_end = search.radius, search.settled
                # A trial beyond the certified radius may still end within it.
                judged += [(trial.size, trial.verdict) for trial in search.trials if trial.size <= radius]
            meter.allow(attack.budget)
            alone = replace(self.base, denoiser=None)
            base = BaseTarget(self.image, alone, sigma=self.settings.sigma, device=self.device, meter=meter)
            base_smallest = smallest_attack(self.image, base, attack, span).radius
            if meter.should_stop():
                return None
        return replace(
            line,
            certified=radius,
            inside=tuple(size for size, _ in judged),
            abstentions=sum(verdict.outcome == "abstains" for _, verdict in judged),
            violations=sum(verdict.fooled for _, verdict in judged),
            rechecked=rechecked,
            smoothed=smallest,
            settled=at_the_end,
            base=base_smallest,
            seconds=time.perf_counter() - began,
        )

    def _borne_out(self, picture: Tensor, verdict: AttackVerdict) -> bool:
        """Whether a PREDICT with more votes of fresh noise returns the wrong class, too."""
        votes, seed = min(RECHECK * self.attack.n_predict, MAX_N), derived_seed(self.settings.seed, "recheck")
        settings = replace(self.settings, n=votes, seed=seed)
        again = predict_picture(picture, self.base.classifier, self.base.denoiser, settings, device=str(self.device))
        return again.prediction not in (None, verdict.class_index)
