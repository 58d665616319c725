"""Against attacks of others, where they are installed: the Lab's find at least as high a loss, and as low a vote.

``pip install foolbox torchattacks`` beside the Lab runs them; neither is among its requirements.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from core.attacks.balls import Ball, distance
from core.attacks.request import AttackSettings, Climb
from core.attacks.search import climb
from core.attacks.targets import BaseTarget, SmoothedTarget
from core.data.shapes import make_shapes
from core.models.load import load_classifier
from core.smoothing.sampling import BaseClassifier
from core.smoothing.settings import Settings

CPU = torch.device("cpu")
PICTURES, LABELS = make_shapes(4, seed=21)


def library(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, exc_type=ImportError)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("norm", "attack", "radius"), [("l2", "L2PGD", 0.3), ("linf", "LinfPGD", 2 / 255)])
def test_projected_gradient_of_foolbox(norm, attack, radius):
    foolbox = library("foolbox")
    classifier = load_classifier("bundled/shapes")
    theirs_all, ours_all = 0.0, 0.0
    for picture in PICTURES.float() / 255:
        target = BaseTarget(picture, BaseClassifier(classifier, None), sigma=0.25, device=CPU)
        label = torch.tensor([target.class_index])
        model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device="cpu")
        make = getattr(foolbox.attacks, attack)
        _, (theirs,), _ = make(steps=20, rel_stepsize=0.125, random_start=False)(model, picture[None], label, epsilons=[radius])
        ours = climb(Ball(picture, norm, radius), target, Climb(20)).picture
        if target.judge(ours).fooled:
            continue  # ours ends at the first success, theirs goes on
        assert distance(theirs[0], picture, norm) <= radius * 1.001
        theirs_all += float(F.cross_entropy(classifier(theirs), label))
        ours_all += float(F.cross_entropy(classifier(ours[None]), label))
    assert ours_all >= 0.9 * theirs_all


@pytest.mark.filterwarnings("ignore")
def test_smoothadv_of_torchattacks():
    torchattacks = library("torchattacks")
    classifier = load_classifier("bundled/shapes")
    noise = 0.1 * torch.randn((512, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    ours_all = theirs_all = 0.0
    torch.manual_seed(0)
    for picture in PICTURES.float() / 255:
        label = int(classifier(picture + noise).softmax(dim=1).mean(dim=0).argmax())
        attack = AttackSettings(Settings(0.1), n_predict=100)
        target = SmoothedTarget(picture, label, BaseClassifier(classifier, None), attack=attack, device=CPU)
        ours = climb(Ball(picture, "l2", 0.4), target, Climb(20)).picture
        their = torchattacks.PGDRSL2(classifier, eps=0.4, alpha=0.05, steps=20, noise_sd=0.1, noise_batch_size=16)
        theirs = their(picture[None], torch.tensor([label]))[0].detach()
        ours_all += float(classifier(ours + noise).softmax(dim=1).mean(dim=0)[label])
        theirs_all += float(classifier(theirs + noise).softmax(dim=1).mean(dim=0)[label])
    assert ours_all <= theirs_all + 0.05 * len(PICTURES)
