"""Who computes a step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import LabError
from core.training.loop import Workers, start_workers

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]

TASK = """
import torch
import torch.nn.functional as F
from torch import nn
from core.data.datasets import LabelledImages
from core.training.epochs import Trainer
from core.training.recipe import Recipe

def train(workers, **options):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (48, 3, 8, 8), generator=generator).byte()
    data = LabelledImages(images, torch.arange(48) % 2, torch.arange(48), None)
    recipe = Recipe(epochs=2, batch_size=16, optimizer="sgd", learning_rate=0.1, ema=0.5, clip=0.0)
    loss = lambda net, x, y, draws: F.cross_entropy(net(x), y)
    trainer = Trainer(torch.device("cpu"), workers=workers, **options)
    return trainer.fit(network=network, batch_loss=loss, data=data, recipe=recipe)
"""


def test_one_device_needs_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    workers = start_workers(1, CPU)
    assert type(workers) is Workers
    assert (workers.rank, workers.count, workers.mean(0.25)) == (0, 1, 0.25)
    network = nn.Linear(2, 1)
    assert workers.wrap(network) is network
    assert workers.gather(torch.tensor([3, 4])).tolist() == [[3, 4]]


def test_what_cannot_be_shared_is_told(monkeypatch):
    with pytest.raises(LabError, match="--devices is 0: expected at least 1"):
        start_workers(0, CPU)
    with pytest.raises(LabError, match="use --devices 1"):
        start_workers(2, torch.device("mps"))
    with pytest.raises(LabError, match=rf"--devices is 99, and torch sees {torch.cuda.device_count()} CUDA devices"):
        start_workers(99, torch.device("cuda"))
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(LabError, match="Training on 2 devices needs Lightning Fabric: install it with"):
        start_workers(2, CPU)


def test_two_processes_end_where_one_does(tmp_path):
    pytest.importorskip("lightning_fabric", reason="the optional package lightning-fabric is not installed")
    script = tmp_path / "shared.py"
    script.write_text(
        TASK
        + f"""
from pathlib import Path
from core.training.loop import start_workers
workers = start_workers(2, torch.device("cpu"))
asked, folder = iter(range(100)), Path({str(tmp_path)!r})
train(workers, checkpoint=folder / "c.pt", should_stop=lambda: next(asked) == 3)  # within the second epoch
network, history = train(workers, checkpoint=folder / "c.pt", resume=True)
torch.save((network.state_dict(), history), folder / f"rank{{workers.rank}}.pt")
"""
    )
    environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    names: dict = {}
    exec(TASK, names)
    alone, told = names["train"](None)
    for rank in (0, 1):
        weights, history = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert [row["epoch"] for row in history] == [1, 2]
        assert history[-1]["loss"] == pytest.approx(told[-1]["loss"], rel=1e-4)
        assert all(torch.allclose(value, alone.state_dict()[name], atol=1e-6) for name, value in weights.items())


def test_a_checkpoint_of_another_number_of_devices_is_refused(tmp_path):
    names: dict = {}
    exec(TASK, names)
    path = tmp_path / "c.pt"
    names["train"](None, checkpoint=path)
    saved = torch.load(path, weights_only=True)
    saved["stated"]["devices"] = 4
    torch.save(saved, path)
    with pytest.raises(LabError, match=r"made with another devices \(4, now 1\)"):
        names["train"](None, checkpoint=path, resume=True)
