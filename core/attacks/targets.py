"""What is attacked: a base classifier, or the smoothed one. Each gives gradients and verdicts.

The objective of the smoothed classifier is SmoothAdv (Salman et al. 2019, arXiv 1906.04584, equation 6): the gradient of
``-log( mean over m draws of softmax(f(D(x + e)))_c )``, with m FRESH draws of noise at every step.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attacks.records import AttackVerdict
from core.attacks.request import AttackSettings
from core.attacks.search import GRADIENT_COST, Meter, Slope
from core.errors import LabError
from core.smoothing.certificate import model_record
from core.smoothing.certify import Progress, predict_picture
from core.smoothing.noise import NoiseStream, derived_seed
from core.smoothing.sampling import BaseClassifier, default_batch_size, ready

TOP = 5


class BaseTarget:
    """The base classifier: alone, or behind the denoiser without noise. Deterministic; the objective is cross-entropy.

    What the classifier says of the unchanged (3, H, W) ``image`` is the class to keep; the denoiser is told ``sigma``. Raises
    LabError where a module is in training mode or returns the wrong shape or NaN.
    """

    slope_cost = GRADIENT_COST
    judge_cost = 1

    def __init__(
        self, image: Tensor, base: BaseClassifier, *, sigma: float, device: torch.device, meter: Meter | None = None
    ) -> None:
        _ready(base, device)
        self.kind = "base" if base.denoiser is None else "denoised"
        self.meter = meter or Meter()
        self._base, self._sigma, self._device = base, sigma, device
        self.class_index = int(self._logits(image).argmax())

    def slope(self, picture: Tensor) -> Slope:
        """Cross-entropy with the class of the unchanged picture."""
        with torch.inference_mode(False), torch.enable_grad():
            x = picture.detach().clone().to(self._device).requires_grad_()
            logits = differentiable_logits(self._base, x[None], self._sigma)  # (1, classes)
            loss = F.cross_entropy(logits.float(), torch.tensor([self.class_index], device=self._device))
            gradient = _gradient(loss, x, self._base)
        self.meter.spend(GRADIENT_COST)
        return Slope(float(loss.detach()), gradient, F.one_hot(logits.detach().argmax(dim=1), logits.shape[1])[0].cpu())

    def won(self, votes: Sequence[Tensor]) -> bool:
        """Nothing is random: the last step says it."""
        return bool(votes) and int(votes[-1].argmax()) != self.class_index

    def judge(self, picture: Tensor) -> AttackVerdict:
        """Its class, with softmax shares."""
        shares = self._logits(picture).softmax(dim=0)
        self.meter.spend(1)
        best = shares.topk(min(TOP, len(shares)))
        top = tuple(zip(best.indices.tolist(), best.values.tolist(), strict=True))
        share = float(shares[self.class_index])
        return AttackVerdict(self.kind, self.class_index, top[0][0], top, share=share, n=1, p_value=None)

    def _logits(self, picture: Tensor) -> Tensor:
        with torch.inference_mode():
            logits = self._base.logits(picture[None].to(self._device), self._sigma)[0].float().cpu()
        _check_finite(logits)
        return logits


class SmoothedTarget:
    """The smoothed classifier, Gaussian noise. Gradients by SmoothAdv; verdicts by PREDICT, each with noise of its own.

    It is to keep ``class_index``, the certified one; only the shape of ``image``, (3, H, W), is used. All noise is made of the
    attack's seed, and shared with neither CERTIFY nor PREDICT of this seed. Raises LabError for a module in training mode.
    """

    kind = "smoothed"

    def __init__(
        self,
        image: Tensor,
        class_index: int,
        base: BaseClassifier,
        *,
        attack: AttackSettings,
        device: torch.device,
        meter: Meter | None = None,
    ) -> None:
        attack.check()
        _ready(base, device)
        self.class_index, self.meter, self._base = class_index, meter or Meter(), base
        self._asked, self._sigma, self._device = attack, attack.settings.sigma, device
        # What a gradient keeps of the networks' insides takes several times the memory of a pass without one.
        self._at_once = max(1, default_batch_size(image.to(device)) // (2 if device.type == "cpu" else 8))
        self._noise = NoiseStream(tuple(image.shape), derived_seed(attack.settings.seed, "attack"), "train", device)
        self._drawn = 0
        self._judged = 0

    @property
    def slope_cost(self) -> int:
        return GRADIENT_COST * self._asked.draws

    @property
    def judge_cost(self) -> int:
        return self._asked.n_predict

    def slope(self, picture: Tensor) -> Slope:
        """Minus the log of the mean softmax over fresh draws, in pieces that fit in memory; the result is that of one piece."""
        parts: list[Tensor] = []
        gradients: list[Tensor] = []
        votes: Tensor | None = None
        last = self._drawn + self._asked.draws
        while self._drawn < last:
            stop = min(self._drawn + self._at_once, last)
            noise = self._noise(self._drawn, stop)  # (piece, 3, H, W)
            self._drawn = stop
            with torch.inference_mode(False), torch.enable_grad():
                x = picture.detach().clone().to(self._device).requires_grad_()
                logits = differentiable_logits(self._base, x + self._sigma * noise, self._sigma)
                # log of the piece's summed probabilities of the class
                part = logits.float().log_softmax(dim=1)[:, self.class_index].logsumexp(dim=0)
                gradients.append(_gradient(part, x, self._base))
            parts.append(part.detach())
            seen = torch.bincount(logits.detach().argmax(dim=1), minlength=logits.shape[1]).cpu()
            votes = seen if votes is None else votes + seen
            self.meter.spend(GRADIENT_COST * len(noise))
        assert votes is not None
        logs = torch.stack(parts)
        total = logs.logsumexp(dim=0)
        weights = (logs - total).exp()
        gradient = -sum((w * g for w, g in zip(weights, gradients, strict=True)), torch.zeros_like(gradients[0]))
        return Slope(math.log(self._asked.draws) - float(total), gradient, votes)

    def won(self, votes: Sequence[Tensor]) -> bool:
        """Of the last two steps' votes, most are for one other class and few for the right one."""
        if len(votes) < 2:
            return False
        seen = votes[-1] + votes[-2]
        share = seen / seen.sum()
        own = float(share[self.class_index])
        return own <= 0.15 and float(share.max()) >= 0.6

    def judge(self, picture: Tensor) -> AttackVerdict:
        """PREDICT, with noise that nothing used before."""
        self._judged += 1
        told = 0

        def tell(progress: Progress) -> None:
            nonlocal told
            self.meter.spend(progress.done - told)
            told = progress.done

        seed = derived_seed(self._asked.settings.seed, "confirm", self._judged)
        p = predict_picture(
            picture,
            self._base.classifier,
            self._base.denoiser,
            replace(self._asked.settings, n=self._asked.n_predict, seed=seed),
            device=str(self._device),
            on_progress=tell,
            should_stop=self.meter.should_stop,
        )
        ranked = sorted(enumerate(p.counts), key=lambda pair: -pair[1])[:TOP]
        top = tuple((index, count / p.n) for index, count in ranked if count)
        share = p.counts[self.class_index] / p.n
        return AttackVerdict(
            self.kind, self.class_index, p.prediction, top, share=share, n=p.n, p_value=p.p_value, stopped=p.stopped
        )


def differentiable_logits(base: BaseClassifier, pictures: Tensor, sigma: float) -> Tensor:
    """(B, 3, H, W) that require gradients -> (B, classes) that carry them. Raises LabError for a black box, NaN or infinity."""
    try:
        denoised = base.denoise(pictures, sigma)
        if not denoised.requires_grad:
            raise no_gradient(base.denoiser, "denoiser")
        logits = BaseClassifier(base.classifier, None).logits(denoised, sigma)
    except RuntimeError as error:
        if any(sign in str(error) for sign in _GRADIENT_LOST):
            raise no_gradient(base.classifier, "classifier" if base.denoiser is None else "classifier or denoiser") from error
        raise
    if not logits.requires_grad:
        raise no_gradient(base.classifier, "classifier")
    _check_finite(logits)
    return logits


_GRADIENT_LOST = ("Tensor that requires grad", "does not require grad", "Inference tensors", "inference tensor")
"""What torch says where a model leaves it (``.numpy()``) or switches gradients off inside."""


def _gradient(value: Tensor, x: Tensor, base: BaseClassifier) -> Tensor:
    # Of the picture alone: nothing is added to the gradients of anyone's weights.
    (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
    if gradient is None:
        raise no_gradient(base.classifier, "classifier")
    return gradient.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def no_gradient(model: object, what: str) -> LabError:
    """The sentence about a model that no gradient passes through."""
    return LabError(
        f"No gradient passes through the {what} {model_record(model).ref!r}: attack and search the base classifier alone, if it"
        " has gradients, or try a random, one-pixel, patch or grey change without a search, which need none."
    )


def _check_finite(logits: Tensor) -> None:
    if not bool(logits.isfinite().all()):
        raise LabError("The classifier returned logits that are NaN or infinite: it, or the denoiser before it, is damaged.")


def _ready(base: BaseClassifier, device: torch.device) -> None:
    ready(base.classifier, device, "classifier")
    ready(base.denoiser, device, "denoiser")
