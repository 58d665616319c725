"""What a classifier must give before one may train through it."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.models.networks import ConvClassifier
from core.training.gradients import check_gradients

CPU = torch.device("cpu")


class Quantised(nn.Module):
    """Looks at rounded pixels: gradients are zero."""

    def forward(self, pixels):
        return (pixels * 255).round().flatten(1)[:, :3]


class Labels(nn.Module):
    """Answers as a vision API does, with a label alone."""

    def forward(self, pixels):
        return nn.functional.one_hot(pixels.detach().mean(dim=(1, 2, 3)).gt(0.5).long(), 3).float()


class NotANumber(nn.Module):
    def forward(self, pixels):
        return (pixels.flatten(1)[:, :3] - 5).sqrt()


def test_gradients_that_are_there():
    check_gradients(ConvClassifier(3, (4,)).eval().requires_grad_(False), "local/c", (16, 16), CPU)


@pytest.mark.parametrize("network", [Quantised(), Labels(), NotANumber()])
def test_no_gradients(network):
    with pytest.raises(LabError, match=re.escape("local/c gives no gradients, which training through it (white-box) needs")):
        check_gradients(network, "local/c", (16, 16), CPU)


def test_pictures_that_are_too_small():
    with pytest.raises(LabError, match="cannot be trained through with pictures of 2 x 2 pixels"):
        check_gradients(ConvClassifier(3, (4, 4, 4)).eval(), "local/c", (2, 2), CPU)
