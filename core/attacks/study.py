"""An attack study: certify a picture, change it at a radius, and look for the smallest attack. Records: records.py."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.attacks.at_radius import simple_change
from core.attacks.balls import Ball, distance, farthest
from core.attacks.records import Attacked, AttackProgress, AttackStudy, AttackVerdict, Trial, certified_in
from core.attacks.request import NORMS, TARGETS, AttackRequest, Span
from core.attacks.search import Meter, Target, climb, first_radius, most_passes, smallest_attack
from core.attacks.targets import BaseTarget, SmoothedTarget
from core.errors import LabError
from core.pictures.pixels import ImageSource, to_picture, to_pixels
from core.smoothing.certificate import model_size
from core.smoothing.certify import Progress, certify_picture
from core.smoothing.sampling import BaseClassifier, ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.studies.certify import look_at
from core.studies.records import View

JUST_WITHIN = 0.999
"""The share of a certified radius at which it is tried: the theorem speaks of changes shorter than the radius."""

Report = Callable[[AttackProgress], None]


def attack_study(
    picture: ImageSource,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    request: AttackRequest,
    *,
    device: torch.device,
    report: Report = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> AttackStudy:
    """Attack a picture, brought to the classifier's own size once, and report after every batch.

    The class that an attack on the smoothed classifier is to change is the certified one; where the certificate abstains, the
    one that its first samples chose. After a stop, what is there is returned. Raises LabError where a number is out of range, a
    gradient is needed and none passes, or a network fails.
    """
    request.check()
    image = to_pixels(picture, model_size(classifier)).to(device)
    base = BaseClassifier(classifier, denoiser)
    return _StudyUnderWay(image, base, request, device=device, report=report, should_stop=should_stop).run()


@dataclass
class _StudyUnderWay:
    """One study: its targets, how far it is, and what is there already."""

    image: Tensor
    base: BaseClassifier
    request: AttackRequest
    device: torch.device
    report: Report
    should_stop: Callable[[], bool]
    study: AttackStudy | None = None
    stage: str = "certify"
    radius: float | None = None
    trials: tuple[Trial, ...] = ()

    def __post_init__(self) -> None:
        self.attack, self.settings, self.norm = self.request.attack, self.request.attack.settings, self.request.attack.norm
        self.began, self.meter = time.perf_counter(), Meter(self._tell, self.should_stop)
        self.planned: dict[str, int] = {}
        self.done_before = self.spent_before = 0

    def run(self) -> AttackStudy:
        request = self.request
        self.planned["certify"] = self.settings.n0 + self.settings.n
        targets: dict[str, Target] = {name: self._base(name) for name in TARGETS if name != "smoothed"}
        self._see_gradients(targets)
        self.planned["attack"] = self._cost_of_shown(targets)
        for name in request.search:
            self.planned[f"search {name}"] = self._cost_of_search(name)
        pixels, base, where = self.image.cpu(), self.base, str(self.device)
        told, stop = self._certified, self.should_stop
        certificate = certify_picture(
            pixels, base.classifier, base.denoiser, self.settings, device=where, on_progress=told, should_stop=stop
        )
        self.study = AttackStudy(request, certificate, certified_in(certificate, self.norm))
        if certificate.stopped or certificate.candidate is None:
            return self._result(False)
        targets["smoothed"] = self._smoothed(certificate.candidate)

        self._begin("attack")
        radius = request.radius or (JUST_WITHIN * self.study.certified) or self.settings.sigma
        attacked = self._attacked(targets, radius)
        if attacked is None:
            return self._result(False)
        self.study = replace(self.study, attacked=attacked)
        for name in request.search:
            self._begin(f"search {name}")
            self.meter.allow(self.attack.budget)
            search = smallest_attack(self.image, targets[name], self.attack, self._span(), on_trial=self._at_trial)
            self.study = replace(self.study, searches=self.study.searches | {name: search})
            if self.should_stop():
                return self._result(False)
        return self._result(all(search.settled for search in self.study.searches.values()))

    def _see_gradients(self, targets: dict[str, Target]) -> None:
        """Before minutes of work: whether a gradient passes through all that is to be climbed."""
        shown = (self.request.target,) if self.request.kind == "gradient" else ()
        for name in {*shown, *self.request.search}:
            if name == "denoised" and self.base.denoiser is None:
                raise LabError(
                    "There is no denoiser to attack the classifier behind: choose the base classifier, or a denoiser."
                )
            # The smoothed classifier is the denoised one with noise.
            targets["base" if name == "base" else "denoised"].slope(self.image)

    def _attacked(self, targets: dict[str, Target], radius: float) -> Attacked | None:
        """The change that is shown, judged by every classifier; None where it was stopped."""
        request, seed = self.request, self.settings.seed
        ball, losses = Ball(self.image, self.norm, radius), tuple[float, ...]()
        if request.kind == "gradient":
            climbed = climb(ball, targets[request.target], self.attack.climb, seed=seed)
            if climbed.stopped:
                return None
            changed, losses = climbed.picture, climbed.losses
        else:
            changed = simple_change(request.kind, ball, seed=seed)
        clean: dict[str, AttackVerdict] = {}
        verdicts: dict[str, AttackVerdict] = {}
        for name, target in targets.items():
            if name == "denoised" and self.base.denoiser is None:
                continue
            clean[name], verdicts[name] = target.judge(self.image), target.judge(changed)
            if clean[name].stopped or verdicts[name].stopped:
                return None
        change = changed - self.image
        views, gain = strip(self.image, changed, self.base, self.settings)
        return Attacked(
            kind=request.kind,
            target=request.target,
            norm=self.norm,
            radius=radius,
            size=distance(changed, self.image, self.norm),
            sizes={norm: distance(changed, self.image, norm) for norm in NORMS},
            pixels=changed.cpu().numpy().astype(np.float32),
            verdicts=verdicts,
            clean=clean,
            losses=losses,
            gain=gain if bool(change.any()) else 1.0,
            views=views,
        )

    def _span(self) -> Span:
        certified, most = 0.0 if self.study is None else self.study.certified, self.request.max_radius
        first = first_radius(self.norm, self.settings.sigma, certified, self.image.numel())
        most = farthest(self.image, self.norm) / 2 if most is None else most
        return Span(min(first, most), most)

    def _base(self, name: str) -> Target:
        base = replace(self.base, denoiser=None) if name == "base" else self.base
        target = BaseTarget(self.image, base, sigma=self.settings.sigma, device=self.device, meter=self.meter)
        target.kind = name
        return target

    def _smoothed(self, class_index: int) -> Target:
        return SmoothedTarget(self.image, class_index, self.base, attack=self.attack, device=self.device, meter=self.meter)

    def _cost_of_shown(self, targets: dict[str, Target]) -> int:
        judging = 2 * (self.attack.n_predict + len(targets))
        if self.request.kind != "gradient":
            return judging
        target = self.request.target
        each = 2 * self.attack.draws if target == "smoothed" else targets[target].slope_cost
        return judging + self.attack.climb.steps * self.attack.climb.restarts * each

    def _cost_of_search(self, name: str) -> int:
        target = self._smoothed(0) if name == "smoothed" else self._base(name)
        span = self._span()
        cost = most_passes(target, self.attack, span, span.most or 1.0)
        return cost if self.attack.budget is None else min(cost, self.attack.budget)

    def _certified(self, now: Progress) -> None:
        self.meter.spend(now.done + self.spent_before - self.meter.spent)

    def _at_trial(self, radius: float, trials: tuple[Trial, ...]) -> None:
        self.radius, self.trials = radius, trials

    def _begin(self, stage: str) -> None:
        self.done_before += self.planned[self.stage]
        self.stage, self.spent_before, self.radius, self.trials = stage, self.meter.spent, None, ()
        self._tell(self.meter.spent)

    def _tell(self, spent: int) -> None:
        total = sum(self.planned.values())
        done = self.done_before + min(spent - self.spent_before, self.planned[self.stage])
        seconds = time.perf_counter() - self.began
        left = seconds / spent * (total - done) if spent else 0.0
        study, radius, trials = self.study, self.radius, self.trials
        now = AttackProgress(self.stage, done, total, seconds, seconds_left=left, study=study, radius=radius, trials=trials)
        self.report(now)

    def _result(self, complete: bool) -> AttackStudy:
        assert self.study is not None
        return replace(self.study, complete=complete, seconds=time.perf_counter() - self.began)


def strip(image: Tensor, changed: Tensor, base: BaseClassifier, settings: Settings) -> tuple[dict[str, View], float]:
    """Original, magnified change, attacked, one noisy copy of that, the same denoised; and how much the change is magnified."""
    before = look_at(image, replace(base, denoiser=None), settings)
    after = look_at(changed, base, settings)
    picture, gain = magnified(changed - image)
    views = {"original": before["original"], "change": View(picture, ()), "attacked": after["original"]}
    return views | {name: after[name] for name in ("noisy", "denoised") if name in after}, gain


def magnified(change: Tensor) -> tuple[Image.Image, float]:
    """A change on middle grey, magnified until its greatest value is black or white; and how many times (1 for no change)."""
    greatest = float(change.abs().max())
    gain = 0.5 / greatest if greatest > 0 else 1.0
    return to_picture(0.5 + gain * change), gain
