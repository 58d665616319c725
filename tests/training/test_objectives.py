"""What a denoiser is trained to do, in numbers; what a classifier's layers see."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch import nn

from core.errors import LabError
from core.models.networks import ConvClassifier
from core.training.augmentation import draw_sigmas
from core.training.denoiser import denoising_loss
from core.training.objectives import (
    StabTerms,
    answer_with_features,
    consistency_term,
    feature_distance,
    feature_layers,
    mse,
    noise_prediction,
    stability,
)

DRAWS = torch.Generator()


class Shift(nn.Module):
    """A denoiser that adds a learnt number to every pixel."""

    def __init__(self, by: float = 0.0) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, noisy, sigma):
        return noisy + self.by


class Brightness(nn.Module):
    """Two logits: a times the mean pixel, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(4.0))

    def forward(self, pixels):
        bright = self.weight * pixels.mean(dim=(1, 2, 3))
        return torch.stack([bright, torch.full_like(bright, 2.0)], dim=1)


def test_mse_is_the_mean_over_pictures_of_weighted_errors():
    clean = torch.zeros(2, 3, 4, 4)
    noisy = clean.clone()
    noisy[0] += 0.1
    noisy[1] += 0.4
    sigma = torch.tensor([0.1, 0.5])
    expected = (0.1**2 / (0.1**2 + 0.05**2) + 0.4**2 / (0.5**2 + 0.05**2)) / 2
    assert mse(Shift(), clean, noisy, sigma).item() == pytest.approx(expected, rel=1e-5)


def test_mse_of_a_perfect_denoiser_is_zero_and_its_gradient_points_there():
    clean = torch.rand(4, 3, 4, 4)
    assert mse(Shift(-0.2), clean, clean + 0.2, torch.full((4,), 0.2)).item() == pytest.approx(0, abs=1e-10)
    denoiser = Shift(0.0)
    mse(denoiser, clean, clean + 0.2, torch.full((4,), 0.2)).backward()
    assert float(denoiser.by.grad) == pytest.approx(2 * 0.2 / (0.2**2 + 0.05**2), rel=1e-4)


def test_stability_aims_at_the_classifiers_own_label_of_the_clean_picture():
    objective = stability([Brightness()])
    clean = torch.stack([torch.full((3, 4, 4), 0.9), torch.full((3, 4, 4), 0.1)])  # classes 0 and 1
    noisy = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 0.3)])
    expected = (math.log(math.exp(0.8) + math.exp(2)) - 0.8 + math.log(math.exp(1.2) + math.exp(2)) - 2) / 2
    assert objective(Shift(), clean, noisy, torch.tensor([0.2, 0.2]), DRAWS).item() == pytest.approx(expected, rel=1e-5)


def test_stability_sends_gradients_through_the_classifier_but_not_into_it():
    classifier = Brightness().train()
    objective = stability([classifier])
    assert not classifier.training
    denoiser = Shift(0.0)
    clean, noisy = torch.full((1, 3, 4, 4), 0.9), torch.full((1, 3, 4, 4), 0.2)
    objective(denoiser, clean, noisy, torch.tensor([0.2]), DRAWS).backward()
    # d/db [log(e^(4(.2+b)) + e^2) - 4(.2+b)] at b = 0
    assert float(denoiser.by.grad) == pytest.approx(-4 * math.exp(2) / (math.exp(0.8) + math.exp(2)), rel=1e-5)
    assert classifier.weight.grad is None
    assert classifier.weight.item() == 4


def cross_entropy_by_hand(weight: float, mean: float, target: int) -> float:
    """Of :class:`Brightness` on a picture of that mean."""
    logits = [weight * mean, 2.0]
    return math.log(sum(math.exp(value) for value in logits)) - logits[target]


def brightness(weight: float) -> Brightness:
    network = Brightness()
    with torch.no_grad():
        network.weight.fill_(weight)
    return network


def test_several_surrogates_are_averaged_each_with_its_own_labels():
    clean, noisy = torch.full((1, 3, 4, 4), 0.9), torch.full((1, 3, 4, 4), 0.2)
    objective = stability([brightness(4.0), brightness(1.0)], StabTerms(combine="average"))  # say 0 and 1 of the clean picture
    expected = (cross_entropy_by_hand(4.0, 0.2, 0) + cross_entropy_by_hand(1.0, 0.2, 1)) / 2
    assert objective(Shift(), clean, noisy, torch.tensor([0.2]), DRAWS).item() == pytest.approx(expected, rel=1e-5)


def test_or_one_of_them_is_drawn_for_each_batch_and_drawn_again_by_the_same_generator():
    clean, noisy = torch.full((1, 3, 4, 4), 0.9), torch.full((1, 3, 4, 4), 0.2)
    weights = (4.0, 1.0, 3.0)
    objective = stability([brightness(weight) for weight in weights])
    single = [cross_entropy_by_hand(weight, 0.2, 0 if weight * 0.9 > 2 else 1) for weight in weights]

    def run() -> list[int]:
        generator, taken = torch.Generator().manual_seed(2), []
        for _ in range(300):
            loss = objective(Shift(), clean, noisy, torch.tensor([0.2]), generator).item()
            distances = [abs(loss - one) for one in single]
            assert min(distances) < 1e-5
            taken.append(distances.index(min(distances)))
        return taken

    taken = run()
    assert all(70 < taken.count(number) < 130 for number in range(3))
    assert run() == taken


class Hinted(Shift):
    """A denoiser with a helper that always says the same of two classes."""

    def forward(self, noisy, sigma, ask=False):
        return (noisy + self.by, torch.tensor([[1.0, 0.0]]).expand(len(noisy), 2)) if ask else noisy + self.by


def test_a_helper_is_asked_for_the_same_label_and_closeness_for_the_picture():
    clean, noisy, sigma = torch.full((1, 3, 4, 4), 0.9), torch.full((1, 3, 4, 4), 0.2), torch.tensor([0.2])
    plain = cross_entropy_by_hand(4.0, 0.2, 0)
    helped = math.log(1 + math.exp(-1))  # of its logits (1, 0) and the label 0
    apart = 0.7**2 / (0.2**2 + 0.05**2)
    for weights, expected in (
        ({"helper": 0.5}, plain + 0.5 * helped),
        ({"closeness": 0.3}, plain + 0.3 * apart),
        ({"helper": 2.0, "closeness": 1.0}, plain + 2 * helped + apart),
    ):
        loss = stability([Brightness()], StabTerms(**weights))(Hinted(), clean, noisy, sigma, DRAWS)
        assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_unknown_combinations_are_told():
    with pytest.raises(LabError, match="Unknown way to combine classifiers 'vote': choose random or average"):
        stability([Brightness()], StabTerms(combine="vote"))


def test_the_error_of_the_predicted_noise_is_that_of_the_picture_over_sigma():
    generator = torch.Generator().manual_seed(0)
    clean, noise, sigma = torch.rand(2, 3, 4, 4), torch.randn((2, 3, 4, 4), generator=generator), torch.tensor([0.1, 0.5])
    noisy = clean + sigma.view(-1, 1, 1, 1) * noise
    predicted = (noisy - Shift(0.3)(noisy, sigma)) / sigma.view(-1, 1, 1, 1)
    expected = (predicted - noise).square().mean().item()
    assert noise_prediction(Shift(0.3), clean, noisy, sigma).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("low", "high", "power"), [(0.0, 1.0, 1.0), (0.0, 1.0, 2.0), (0.25, 0.5, 1.5), (0.25, 0.25, 1.5)])
def test_sigmas_are_drawn_from_the_stated_distribution(low, high, power):
    sigmas = draw_sigmas(20_000, (low, high), power, torch.Generator().manual_seed(0))
    assert sigmas.shape == (20_000,)
    assert sigmas.min() >= low
    assert sigmas.max() <= high
    if low == 0:
        assert sigmas.min() > 0
    # The mean of u^power is 1 / (power + 1), its median 2^-power.
    assert float(sigmas.mean()) == pytest.approx(low + (high - low) / (power + 1), abs=0.01)
    assert float(sigmas.median()) == pytest.approx(low + (high - low) * 0.5**power, abs=0.015)


def test_consistency_is_the_divergence_of_each_draw_from_their_mean_and_a_little_of_its_entropy():
    logits = torch.randn(3 * 5, 4, generator=torch.Generator().manual_seed(1)) * 3
    each = scipy.special.softmax(logits.double().numpy(), axis=1).reshape(3, 5, 4)  # draws of a picture: 0, 5, 10 ...
    mean = each.mean(axis=0)
    apart = np.mean([scipy.stats.entropy(mean, one, axis=1) for one in each])
    expected = apart + 0.05 * scipy.stats.entropy(mean, axis=1).mean()
    assert consistency_term(logits, 3).item() == pytest.approx(expected, rel=1e-5)


def test_draws_that_agree_differ_by_nothing_but_may_be_unsure():
    sure, unsure = torch.tensor([[60.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    assert consistency_term(sure.repeat(2, 1), 2).item() == pytest.approx(0, abs=1e-6)
    assert consistency_term(unsure.repeat(2, 1), 2).item() == pytest.approx(0.05 * math.log(2), rel=1e-5)
    # Both sure, of different classes, beyond what float32 holds of a probability: a finite loss with a gradient.
    apart = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)
    loss = consistency_term(apart, 2)
    loss.backward()
    assert loss.item() == pytest.approx(100 - math.log(2) + 0.05 * math.log(2), rel=1e-4)
    assert torch.isfinite(apart.grad).all()


def test_stability_adds_consistency_over_the_draws_of_each_picture():
    clean = torch.full((1, 3, 4, 4), 0.9).repeat(2, 1, 1, 1)
    noisy = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 0.6)])
    sigma = torch.tensor([0.2, 0.2])
    plain = (cross_entropy_by_hand(4.0, 0.2, 0) + cross_entropy_by_hand(4.0, 0.6, 0)) / 2
    term = consistency_term(torch.tensor([[0.8, 2.0], [2.4, 2.0]]), 2).item()
    loss = stability([Brightness()], StabTerms(consistency=3.0, draws=2))(Shift(), clean, noisy, sigma, DRAWS)
    assert loss.item() == pytest.approx(plain + 3 * term, rel=1e-5)
    with pytest.raises(LabError, match="draws is 1: expected at least 2"):
        stability([Brightness()], StabTerms(consistency=3.0))


def test_a_batch_of_several_draws_holds_each_picture_again_with_its_sigma_and_other_noise():
    seen = {}

    def objective(denoiser, clean, noisy, sigma, generator):
        seen.update(clean=clean, noise=(noisy - clean) / sigma.view(-1, 1, 1, 1), sigma=sigma)
        return clean.sum()

    batch_loss = denoising_loss(objective, lambda count, generator: 0.1 + torch.rand(count, generator=generator), draws=2)
    batch_loss(Shift(), torch.rand(300, 3, 4, 4), torch.zeros(300), torch.Generator().manual_seed(3))
    for name in ("clean", "sigma"):
        first, second = seen[name].chunk(2)
        assert torch.equal(first, second)
    first, second = seen["noise"].chunk(2)
    assert len(first) == 300
    assert abs(float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])) < 0.05
    assert float(seen["noise"].std()) == pytest.approx(1, abs=0.02)


PIXELS = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(0))


class Flat(nn.Module):
    """A classifier of one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3 * 32 * 32, 10)

    def forward(self, pixels):
        return self.last(pixels.flatten(1))


def test_the_features_are_what_the_normalising_layers_say_and_the_answer_is_the_classifiers():
    classifier = ConvClassifier(widths=(8, 12)).eval()
    logits, features = answer_with_features(classifier, PIXELS)
    assert torch.equal(logits, classifier(PIXELS))
    x = classifier.stem((PIXELS - classifier.mean) / classifier.std)
    by_hand = []
    for stage in classifier.stages:
        by_hand.append(stage.norm1(nn.functional.max_pool2d(stage.first(x), 2)))
        x = by_hand[-1].relu()
        by_hand.append(stage.norm2(stage.second(x)))
        x = x + by_hand[-1].relu()
    assert len(features) == 4
    assert all(torch.equal(one, other) for one, other in zip(features, by_hand, strict=True))


def test_no_hook_stays_behind_not_even_after_an_error():
    classifier = ConvClassifier(widths=(8, 12)).eval()
    answer_with_features(classifier, PIXELS)
    with pytest.raises(RuntimeError):
        answer_with_features(classifier, PIXELS[:, :2])
    assert not any(layer._forward_hooks for layer in classifier.modules())


def test_what_another_thread_asks_meanwhile_is_not_among_them():
    classifier = ConvClassifier(widths=(8, 12)).eval()
    alone = answer_with_features(classifier, PIXELS)[1]
    first = feature_layers(classifier)[0]

    def ask_elsewhere(layer: nn.Module, args: object) -> None:
        if threading.current_thread() is threading.main_thread():
            other = threading.Thread(target=classifier, args=(PIXELS[:1],))
            other.start()
            other.join(60)
            assert not other.is_alive()

    hook = first.register_forward_pre_hook(ask_elsewhere)
    features = answer_with_features(classifier, PIXELS)[1]
    hook.remove()
    assert len(features) == len(alone)
    assert all(torch.equal(one, other) for one, other in zip(features, alone, strict=True))


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 6), nn.LayerNorm([6, 32, 32]), nn.RMSNorm([6, 32, 32])])
def test_other_norms_count_too(norm):
    assert feature_layers(nn.Sequential(nn.Conv2d(3, 6, 3), norm)) == [norm]


def test_without_norms_the_convolutions_are_asked_and_without_those_nothing_can_be():
    convolutions = [nn.Conv2d(3, 6, 3), nn.Conv2d(6, 4, 3)]
    assert feature_layers(nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1])) == convolutions
    with pytest.raises(LabError, match="Flat has no layers that normalise or convolve"):
        feature_layers(Flat())
    with pytest.raises(LabError, match="leave features out, or give them the weight 0"):
        stability([Flat()], StabTerms(features=1.0))


def test_the_distance_is_relative_to_the_spread_of_the_clean_features_and_a_mean_over_layers():
    generator = torch.Generator().manual_seed(1)
    clean = [torch.randn((3, 5, 4, 4), generator=generator) * 7, torch.randn((3, 6), generator=generator)]
    assert feature_distance(clean, clean).item() == 0
    constant = [torch.full_like(one, float(one.mean())) for one in clean]
    expected = sum(float(one.numpy().var() / one.numpy().var(ddof=1)) for one in clean) / 2
    assert feature_distance(constant, clean).item() == pytest.approx(expected, rel=1e-5)
    assert feature_distance([3 * one for one in clean], [3 * one for one in clean]).item() == 0
    off = [clean[0] + 7, clean[1]]
    assert feature_distance(off, clean).item() == pytest.approx(49 / float(clean[0].var()) / 2, rel=1e-5)
    assert feature_distance([100 * one for one in off], [100 * one for one in clean]).item() == pytest.approx(
        feature_distance(off, clean).item(), rel=1e-4
    )


def test_every_noise_draw_is_compared_with_its_own_picture():
    clean = [torch.arange(6.0).view(3, 2)]
    draws = [torch.cat([clean[0], clean[0] + 1])]
    assert feature_distance(draws, clean).item() == pytest.approx(0.5 / float(clean[0].var()))


class Scale(nn.Module):
    """A denoiser that returns what it is given, times a learnt number."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(1.0))

    def forward(self, noisy, sigma):
        return noisy * self.by


@pytest.mark.parametrize("combine", ["random", "average"])
def test_stability_adds_the_distance_with_its_weight_and_its_gradient(combine):
    torch.manual_seed(3)
    classifiers = [ConvClassifier(widths=(8, 12)), ConvClassifier(widths=(6, 10))][: 1 if combine == "random" else 2]
    clean = PIXELS.repeat(2, 1, 1, 1)
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))

    def loss(weight: float) -> tuple[float, float]:
        denoiser = Scale()
        found = stability(classifiers, StabTerms(combine=combine, features=weight, draws=2))(
            denoiser, clean, noisy, torch.full((8,), 0.3), torch.Generator()
        )
        found.backward()
        return found.item(), float(denoiser.by.grad)

    plain, weighted = loss(0.0), loss(2.5)
    by = torch.tensor(1.0, requires_grad=True)
    distances = []
    for classifier in classifiers:
        seen = answer_with_features(classifier, noisy * by)[1]
        distances.append(feature_distance(seen, [one.detach() for one in answer_with_features(classifier, PIXELS)[1]]))
    distance = torch.stack(distances).mean()
    distance.backward()
    assert weighted[0] - plain[0] == pytest.approx(2.5 * distance.item(), rel=1e-4)
    assert weighted[1] - plain[1] == pytest.approx(2.5 * float(by.grad), rel=1e-3)
