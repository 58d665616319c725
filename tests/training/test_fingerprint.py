"""Fingerprints tell tensors apart by what they hold, not by how they lie in memory."""

from __future__ import annotations

import copy

import torch
from torch import nn

from core.training.fingerprint import fingerprint, weights_fingerprint


def test_the_same_values_have_the_same_name_in_every_layout():
    values = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    name = fingerprint(values)
    assert len(name) == 12
    assert fingerprint(values.clone().contiguous(memory_format=torch.channels_last)) == name
    assert fingerprint(torch.stack([values, values])[1]) == name
    assert fingerprint(values.requires_grad_()) == name


def test_other_values_types_shapes_or_orders_have_another_name():
    zeros = torch.zeros(4, 2)
    changed = zeros.clone()
    changed[3, 1] = 1e-30
    others = [zeros, changed, zeros.view(2, 4), zeros.double(), zeros.bfloat16(), zeros.byte()]
    names = [fingerprint(other) for other in others] + [fingerprint(zeros, changed), fingerprint(changed, zeros), fingerprint()]
    assert len(set(names)) == len(names)


def test_weights_and_buffers_count():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    name = weights_fingerprint(network)
    assert weights_fingerprint(copy.deepcopy(network).to(memory_format=torch.channels_last)) == name
    network(torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))  # moves the running mean
    assert weights_fingerprint(network) != name
