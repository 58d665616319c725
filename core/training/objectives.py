"""What a denoiser is trained to do (Salman et al. 2020, section 3)."""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError
from core.models.networks import UNetDenoiser

Objective = Callable[[nn.Module, Tensor, Tensor, Tensor, torch.Generator], Tensor]
"""(denoiser, clean (B, 3, H, W), noisy (B, 3, H, W), sigma (B,), CPU generator) -> scalar loss."""

COMBINATIONS = ("random", "average")
ENTROPY_SHARE = 0.05  # of the entropy, beside the divergence, in `consistency_term`
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(frozen=True)
class StabTerms:
    """What :func:`stability` asks beside its cross-entropy, each with a weight, 0 for none; and of how many.

    ``closeness`` weighs :func:`mse`: a denoiser trained long enough for the classifier alone returns patterns in which nobody
    would know the picture. ``features`` weighs :func:`feature_distance`: labels alone are reached by patterns that mean nothing
    to another classifier; features that are those of the clean picture are not, and so what surrogates teach carries over.
    """

    helper: float = 0.0  # of a DeeplySupervised denoiser's own cross-entropy with the same labels
    closeness: float = 0.0
    features: float = 0.0
    consistency: float = 0.0  # of consistency_term, which compares several draws
    draws: int = 1  # of each picture that a batch holds: all pictures, then all again ...
    combine: str = "random"  # several classifiers: ``random`` takes one a batch, ``average`` the mean over all

    def check(self) -> None:
        """Raise LabError where a way to combine is unknown, or draws are too few."""
        if self.draws < 1:
            raise LabError(f"--draws is {self.draws}: expected at least 1.")
        if self.consistency and self.draws < 2:
            raise LabError(f"Consistency compares noise draws of one picture, and draws is {self.draws}: expected at least 2.")
        if self.combine not in COMBINATIONS:
            raise LabError(f"Unknown way to combine classifiers {self.combine!r}: choose {' or '.join(COMBINATIONS)}.")


STAB_WEIGHTS = ("helper", "closeness", "features", "consistency")  # the weights among the `StabTerms`


def mse(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Mean squared error between ``D(x + e)`` and ``x`` (eq. 3), weighted by 1 / (sigma^2 + 0.05^2); (B, 3, H, W), sigma (B,).

    The weight keeps small sigmas, whose errors are small in themselves, from being ignored (Karras et al. 2022, table 1).
    """
    return _weighted_error(denoiser(noisy, sigma), clean, sigma)


def _weighted_error(denoised: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    error = (denoised.float() - clean).square().mean(dim=(1, 2, 3))
    return (error / (sigma.square() + 0.05**2)).mean()


def noise_prediction(
    denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Mean squared error of the predicted noise, the simple objective of DDPM (Ho et al. 2020, arXiv 2006.11239, eq. 14).

    Since ``x + e`` is given, predicting ``e / sigma`` and predicting ``x`` are one: the error of the first is that of the
    second over sigma. Pictures are (B, 3, H, W), sigma is (B,), above 0.
    """
    error = (denoiser(noisy, sigma).float() - clean).square().mean(dim=(1, 2, 3))
    return (error / sigma.square()).mean()


def consistency_term(logits: Tensor, draws: int) -> Tensor:
    """How much the answers to several noise draws of one picture differ, and how unsure their mean is.

    ``mean_i KL(p || p_i) + 0.05 H(p)``, where ``p_i`` are the probabilities of draw i and ``p`` is their mean: what Jeong and
    Shin (2020, arXiv 2006.04062, eq. 8) add to Cohen's training, with their weights 10 and 0.5, divided by 10. A smoothed
    classifier whose draws agree is certified further out. ``logits`` are (draws * B, classes), all pictures and then all again.
    """
    log_each = logits.float().log_softmax(dim=1).unflatten(0, (draws, -1))
    log_mean = log_each.logsumexp(dim=0) - math.log(draws)
    mean = log_mean.exp()
    apart = (mean * (log_mean - log_each)).sum(dim=2)
    entropy = -(mean * log_mean).sum(dim=1)
    return apart.mean() + ENTROPY_SHARE * entropy.mean()


def stability(classifiers: Sequence[nn.Module], terms: StabTerms = StabTerms()) -> Objective:
    """STAB (eq. 4): cross-entropy between ``f(D(x + e))`` and the pretrained classifier's own clean label ``argmax f(x)``.

    Gradients flow through the classifiers, which are frozen here and never changed. One classifier that is also the one to be
    defended is the white-box case; surrogates, which stand in for it, are the black-box case (section 3.3). Raises LabError
    where the terms are not usable, or a classifier has no features to compare.
    """
    terms.check()
    for classifier in classifiers:
        classifier.eval().requires_grad_(False)
        if terms.features:
            feature_layers(classifier)  # refuses those that have none

    def objective(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        once = clean[: len(clean) // terms.draws]
        taken = classifiers
        if terms.combine == "random" and len(classifiers) > 1:
            taken = [classifiers[int(torch.randint(len(classifiers), (), generator=generator))]]
        denoised, helped = denoiser(noisy, sigma, ask=True) if terms.helper else (denoiser(noisy, sigma), None)
        losses = []
        for classifier in taken:
            if terms.features:
                with torch.no_grad():
                    answers, wanted = answer_with_features(classifier, once)
                logits, found = answer_with_features(classifier, denoised)
            else:
                with torch.no_grad():
                    answers = classifier(once)
                logits = classifier(denoised)
            target = answers.argmax(dim=1).repeat(terms.draws)
            loss = F.cross_entropy(logits.float(), target)
            if terms.features:
                loss = loss + terms.features * feature_distance(found, wanted)
            if terms.consistency:
                loss = loss + terms.consistency * consistency_term(logits, terms.draws)
            if helped is not None:
                loss = loss + terms.helper * F.cross_entropy(helped.float(), target)
            losses.append(loss)
        loss = torch.stack(losses).mean() if len(losses) > 1 else losses[0]
        return loss + terms.closeness * _weighted_error(denoised, clean, sigma) if terms.closeness else loss

    return objective


def encoding(classifier: nn.Module) -> Objective:
    """Cross-entropy between the helper's answers to noisy pictures and the classifier's own clean label ``argmax f(x)``.

    It trains the first half of a :class:`DeeplySupervised` denoiser, from which :func:`stability` then goes on: half the cost
    of a step, and no gradients through the classifier, which is frozen here and asked for labels alone.
    """
    classifier.eval().requires_grad_(False)

    def objective(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            target = classifier(clean).argmax(dim=1)
        return F.cross_entropy(denoiser(noisy, sigma, denoise=False).float(), target)

    return objective


class DeeplySupervised(nn.Module):
    """A denoiser, a U-Net, with a helper: a linear layer to ``classes`` on the greatest value of each coarsest feature.

    Through a frozen classifier gradients reach a denoiser's depths late and faint. The helper asks those depths for the same
    answer directly (deep supervision: Lee et al. 2015, arXiv 1409.5185), and shapes nothing once it is gone: what is kept is
    the denoiser alone. Raises LabError where the denoiser has no coarsest features to ask.
    """

    def __init__(self, denoiser: nn.Module, classes: int) -> None:
        if not isinstance(denoiser, UNetDenoiser):
            raise LabError("A helper is for the architecture unet, whose coarsest level it asks: leave --helper out.")
        super().__init__()
        self.denoiser: UNetDenoiser = denoiser
        self.helper = nn.Linear(denoiser.coarsest, classes)

    def forward(
        self, noisy: Tensor, sigma: Tensor | float, ask: bool = False, denoise: bool = True
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Denoise; with ``ask``, (denoised (B, 3, H, W), logits (B, classes)); without ``denoise``, the latter alone."""
        if not denoise:
            return self._answer(self.denoiser.features(noisy, sigma))
        denoised, features = self.denoiser.with_features(noisy, sigma)
        return (denoised, self._answer(features)) if ask else denoised

    def _answer(self, features: Tensor) -> Tensor:
        return self.helper(features.amax(dim=(2, 3)))

    def keep_the_rest(self) -> None:
        """Let only the layers that the helper's answer goes through be trained."""
        self.denoiser.requires_grad_(False)
        for layer in self.denoiser.encoder():
            layer.requires_grad_(True)


def feature_layers(classifier: nn.Module) -> list[nn.Module]:
    """The layers whose outputs are features: all that normalise, or convolve where none does. Raises LabError where none is."""
    for kinds in (_NORMS, _CONVOLUTIONS):
        found: list[nn.Module] = [layer for layer in classifier.modules() if isinstance(layer, kinds)]
        if found:
            return found
    raise LabError(
        f"{type(classifier).__name__} has no layers that normalise or convolve, and so no features to compare: leave features"
        " out, or give them the weight 0."
    )


def answer_with_features(classifier: nn.Module, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits (B, classes), and outputs (B, ...) of :func:`feature_layers` in order. Other threads may ask it meanwhile."""
    features: list[Tensor] = []
    here = threading.get_ident()

    def note(layer: nn.Module, args: Any, output: Tensor) -> None:
        if threading.get_ident() == here:
            features.append(output)

    hooks = [layer.register_forward_hook(note) for layer in feature_layers(classifier)]
    try:
        return classifier(pixels), features
    finally:
        for hook in hooks:
            hook.remove()


def feature_distance(denoised: Sequence[Tensor], clean: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the squared difference over the variance of the clean features; 1 is as far as a constant.

    The idea is that of Liao et al. (2018, arXiv 1712.02976, "high-level representation guided denoiser"), who compare the last
    layer, and whose denoisers thereby transferred to other classifiers. ``denoised`` are (draws * B, ...) each, all pictures
    and then all again ..., ``clean`` (B, ...) each, without gradients.
    """
    distances = []
    for one, other in zip(denoised, clean, strict=True):
        wanted = other.float()
        error = one.float().unflatten(0, (-1, len(wanted))) - wanted
        distances.append(error.square().mean() / wanted.var().clamp_min(1e-8))
    return torch.stack(distances).mean()
