"""What a classifier's layers see, and how far it is from what they see in the clean picture."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.models.networks import ConvClassifier
from core.training.feature_distance import answer_with_features, feature_distance, feature_layers
from core.training.objectives import stability

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
        stability([Flat()], features=1.0)


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


class Kept(nn.Module):
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
        denoiser = Kept()
        found = stability(classifiers, combine, features=weight, draws=2)(
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
