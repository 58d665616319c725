"""What a denoiser is trained to do (Salman et al. 2020, section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import LabError
from core.training.feature_distance import answer_with_features, feature_distance, feature_layers

Objective = Callable[[nn.Module, Tensor, Tensor, Tensor, torch.Generator], Tensor]
"""(denoiser, clean (B, 3, H, W), noisy (B, 3, H, W), sigma (B,), CPU generator) -> scalar loss."""

COMBINATIONS = ("random", "average")
BESIDE_STAB = ("helper", "closeness", "features", "consistency")
"""What :func:`stability` may add to its loss, each with a weight."""
ENTROPY_SHARE = 0.05
"""Of the entropy, beside the divergence, in :func:`consistency_term`."""


def mse(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error between ``D(x + e)`` and ``x`` (eq. 3), weighted by 1 / (sigma^2 + 0.05^2).

    The weight keeps small sigmas, whose errors are small in themselves, from being ignored (Karras et al. 2022, table 1).

    Args:
        clean, noisy: (B, 3, H, W).
        sigma: (B,), the noise of each picture.
    """
    return _weighted_error(denoiser(noisy, sigma), clean, sigma)


def _weighted_error(denoised: Tensor, clean: Tensor, sigma: Tensor) -> Tensor:
    error = (denoised.float() - clean).square().mean(dim=(1, 2, 3))
    return (error / (sigma.square() + 0.05**2)).mean()


def noise_prediction(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """Mean squared error of the predicted noise, the simple objective of DDPM (Ho et al. 2020, arXiv 2006.11239, eq. 14).

    Since ``x + e`` is given, predicting ``e / sigma`` and predicting ``x`` are one: the error of the first is that of the
    second over sigma.

    Args:
        clean, noisy: (B, 3, H, W).
        sigma: (B,), the noise of each picture; above 0.
    """
    error = (denoiser(noisy, sigma).float() - clean).square().mean(dim=(1, 2, 3))
    return (error / sigma.square()).mean()


def consistency_term(logits: Tensor, draws: int) -> Tensor:
    """How much the answers to several noise draws of one picture differ, and how unsure their mean is.

    ``mean_i KL(p || p_i) + 0.05 H(p)``, where ``p_i`` are the probabilities of draw i and ``p`` is their mean: what Jeong and
    Shin (2020, arXiv 2006.04062, eq. 8) add to Cohen's training, with their weights 10 and 0.5, divided by 10. A smoothed
    classifier whose draws agree is certified further out.

    Args:
        logits: (draws * B, classes), the first draws of all pictures, then the second ones ...
        draws: how many of each picture; at least 2.
    """
    log_each = logits.float().log_softmax(dim=1).unflatten(0, (draws, -1))
    log_mean = log_each.logsumexp(dim=0) - math.log(draws)
    mean = log_mean.exp()
    apart = (mean * (log_mean - log_each)).sum(dim=2)
    entropy = -(mean * log_mean).sum(dim=1)
    return apart.mean() + ENTROPY_SHARE * entropy.mean()


def stability(
    classifiers: Sequence[nn.Module],
    combine: str = "random",
    helper: float = 0.0,
    closeness: float = 0.0,
    features: float = 0.0,
    consistency: float = 0.0,
    draws: int = 1,
) -> Objective:
    """STAB (eq. 4): cross-entropy between ``f(D(x + e))`` and the pretrained classifier's own clean label ``argmax f(x)``.

    Gradients flow through the classifiers, which are frozen here and never changed. One classifier that is also the one to
    be defended is the white-box case; surrogates, which stand in for it, are the black-box case (section 3.3).

    Args:
        classifiers: one or several.
        combine: with several, ``random`` takes one a batch, drawn anew each time; ``average`` takes the mean over all, each
            with its own clean labels.
        helper: above 0, the denoiser is a :class:`core.training.deep_supervision.DeeplySupervised`, and its helper's
            cross-entropy with the same labels is added with this weight.
        closeness: above 0, :func:`mse` is added with this weight. The classifier alone asks for no picture, and a denoiser
            trained long enough for it returns patterns in which nobody would know the picture.
        features: above 0, :func:`core.training.feature_distance.feature_distance` is added with this weight. Labels alone
            are reached by patterns that mean nothing to another classifier; features that are those of the clean picture
            are not, and so what surrogates teach carries over to the classifier that they stand in for.
        consistency: above 0, :func:`consistency_term` is added with this weight.
        draws: how many noise draws of each picture a batch holds: all pictures, then all again ...; above 1 for consistency.

    Raises:
        LabError: where ``combine`` is unknown, consistency has one draw alone, or a classifier has no features to compare.
    """
    if consistency and draws < 2:
        raise LabError(f"Consistency compares noise draws of one picture, and draws is {draws}: expected at least 2.")
    if combine not in COMBINATIONS:
        raise LabError(f"Unknown way to combine classifiers {combine!r}: choose {' or '.join(COMBINATIONS)}.")
    for classifier in classifiers:
        classifier.eval().requires_grad_(False)
        if features:
            feature_layers(classifier)  # refuses those that have none

    def objective(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        once = clean[: len(clean) // draws]
        taken = classifiers
        if combine == "random" and len(classifiers) > 1:
            taken = [classifiers[int(torch.randint(len(classifiers), (), generator=generator))]]
        denoised, helped = denoiser(noisy, sigma, ask=True) if helper else (denoiser(noisy, sigma), None)
        losses = []
        for classifier in taken:
            if features:
                with torch.no_grad():
                    answers, wanted = answer_with_features(classifier, once)
                logits, found = answer_with_features(classifier, denoised)
            else:
                with torch.no_grad():
                    answers = classifier(once)
                logits = classifier(denoised)
            target = answers.argmax(dim=1).repeat(draws)
            losses.append(F.cross_entropy(logits.float(), target))
            if features:
                losses[-1] = losses[-1] + features * feature_distance(found, wanted)
            if consistency:
                losses[-1] = losses[-1] + consistency * consistency_term(logits, draws)
            if helped is not None:
                losses[-1] = losses[-1] + helper * F.cross_entropy(helped.float(), target)
        loss = torch.stack(losses).mean() if len(losses) > 1 else losses[0]
        return loss + closeness * _weighted_error(denoised, clean, sigma) if closeness else loss

    return objective


def encoding(classifier: nn.Module) -> Objective:
    """Cross-entropy between the helper's answers to noisy pictures and the classifier's own clean label ``argmax f(x)``.

    It trains a denoiser's first half, from which :func:`stability` then goes on: half the cost of a step, and no gradients
    through the classifier, which is asked for labels alone.

    Args:
        classifier: frozen here and never changed. The denoiser is a :class:`core.training.deep_supervision.DeeplySupervised`.
    """
    classifier.eval().requires_grad_(False)

    def objective(denoiser: nn.Module, clean: Tensor, noisy: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            target = classifier(clean).argmax(dim=1)
        return F.cross_entropy(denoiser(noisy, sigma, denoise=False).float(), target)

    return objective
