"""Recipes: names, precisions, and the course of the learning rate."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.smoothing.settings import Settings
from core.training.objectives import StabTerms
from core.training.recipe import (
    Recipe,
    TrainingRequest,
    autocast_type,
    check_recipe,
    learning_rate_factor,
    make_optimizer,
    slow_precision,
)


@pytest.mark.parametrize(
    ("recipe", "device", "says"),
    [
        (Recipe(precision="fp16"), "cpu", "The precision fp16 is for CUDA devices, and this is cpu: choose bf16 or float32"),
        (Recipe(precision="fp16"), "mps", "The precision fp16 is for CUDA devices, and this is mps"),
        (Recipe(precision="bfloat16"), "cpu", "Unknown precision 'bfloat16': choose float32, bf16 or fp16"),
        (Recipe(schedule="linear"), "cpu", "Unknown schedule 'linear': choose cosine, steps or constant"),
        (Recipe(optimizer="lion"), "cpu", "Unknown optimizer 'lion': choose sgd, adamw or muon"),
    ],
)
def test_what_cannot_be_done_is_told(recipe, device, says):
    with pytest.raises(LabError, match=re.escape(says)):
        check_recipe(recipe, torch.device(device))


def test_what_can_be_done_passes():
    check_recipe(Recipe(precision="bf16"), torch.device("cpu"))
    check_recipe(Recipe(precision="fp16", schedule="steps", optimizer="sgd"), torch.device("cuda"))
    assert [autocast_type(Recipe(precision=p)) for p in ("float32", "bf16", "fp16")] == [None, torch.bfloat16, torch.float16]
    assert Recipe().memory_format is torch.channels_last
    assert Recipe(channels_last=False).memory_format is torch.contiguous_format


def test_the_papers_steps_divide_by_ten_after_each_third():
    rates = [learning_rate_factor(epoch / 90, 0.0, "steps") for epoch in range(90)]
    assert rates == [1.0] * 30 + [0.1] * 30 + [0.01] * 30
    assert learning_rate_factor(0.05, 0.1, "steps") == pytest.approx(0.51)


def test_norms_and_biases_are_not_decayed():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    decayed, spared = make_optimizer(list(network.parameters()), Recipe(weight_decay=0.3)).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 3, 3, 3)]
    assert len(spared["params"]) == 3
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.3, 0.0)


def test_muon_makes_steps_of_weights_orthogonal_and_leaves_norms_to_adam():
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(16, 24, 3, bias=False), nn.BatchNorm2d(24))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    weight, scale = network[0].weight, network[1].weight
    optimizer = make_optimizer(list(network.parameters()), Recipe(optimizer="muon", learning_rate=0.01, weight_decay=0.0))
    weight.grad, scale.grad = torch.randn(weight.shape) ** 3, torch.randn(scale.shape)
    network[1].bias.grad = torch.zeros(24)
    optimizer.step()
    moved = (weight.detach() - before["0.weight"]).flatten(1).double()  # (24, 144)
    # All directions alike, as long as AdamW's step would be: a root mean square of 0.2 of the learning rate (Liu et al. 2025).
    singular = torch.linalg.svdvals(moved) / (0.01 * 0.2 * 144**0.5)
    assert singular.min() > 0.6
    assert singular.max() < 1.4
    gradient = torch.linalg.svdvals(weight.grad.flatten(1))
    assert gradient.max() > 1.5 * gradient.min()  # which the gradient's directions were not
    overlap = (moved * weight.grad.flatten(1)).sum()
    assert overlap < 0
    steps = scale.detach() - before["1.weight"]
    assert torch.equal(steps.sign(), -scale.grad.sign())
    # Each for itself, by the sign of its gradient: 1.9 learning rates at first, since Nesterov looks ahead.
    assert torch.allclose(steps.abs(), torch.full((24,), 0.019), atol=1e-4)


def test_muon_without_timm_is_told(monkeypatch):
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("core.training.recipe.import_library", missing)
    with pytest.raises(LabError, match="The optimizer muon is timm's: install timm"):
        make_optimizer([nn.Parameter(torch.zeros(4, 4))], Recipe(optimizer="muon"))


def test_a_cpu_that_emulates_bf16_is_told_of(monkeypatch):
    cpu, bf16 = torch.device("cpu"), Recipe(precision="bf16")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for capability, told in (("AVX2", True), ("DEFAULT", True), ("AVX512", False)):
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        assert (slow_precision(bf16, cpu) is not None) == told
        assert slow_precision(Recipe(), cpu) is None
        assert slow_precision(bf16, torch.device("cuda")) is None
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert slow_precision(bf16, cpu) is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"objective": "magic"}, "objective"),
        ({"network": "vit"}, "network"),
        ({"sigma_range": (0.0, 0.0)}, "sigma range"),
        ({"minutes": 31.0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"recipe": Recipe(learning_rate=0.0, batch_size=8)}, "learning rate"),
        ({"recipe": Recipe(batch_size=257)}, "batch between"),
        ({"stab": StabTerms(closeness=-1.0)}, "Closeness and features"),
        ({"stab": StabTerms(features=float("nan"))}, "Closeness and features"),
        ({"checked": 51}, "At most 50"),
        ({"settings": Settings(0.25, n=10)}, "20 to 1,000 samples"),
        ({"settings": Settings(0.0, n=20)}, "sigma in"),
    ],
)
def test_requests_out_of_range_are_told(change, told):
    with pytest.raises(LabError, match=told):
        TrainingRequest(**change).check()
