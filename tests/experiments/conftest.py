"""The experiments are run as the verbs are, each by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments import attack_tables, bench_evaluation, bench_imagenet, bench_training, photographs
from experiments.attack_dataset import __main__ as attack_dataset
from experiments.compare_modes import __main__ as compare_modes
from experiments.exact_oracles import __main__ as exact_oracles
from experiments.replay import __main__ as replay
from tests.attacks.conftest import Half, half_space
from tests.commands.conftest import Models, Ran, save_models

PROGRAMS = {
    "attack_dataset": attack_dataset.main,
    "attack_tables": attack_tables.main,
    "bench_evaluation": bench_evaluation.main,
    "bench_imagenet": bench_imagenet.main,
    "bench_training": bench_training.main,
    "compare_modes": compare_modes.main,
    "exact_oracles": exact_oracles.main,
    "photographs": photographs.main,
    "replay": replay.main,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Tiny models on disk, those of the verbs' tests."""
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def half() -> Half:
    """A border 0.3 (l2) from a mid-grey picture of 8 x 8."""
    return half_space()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``python -m experiments.NAME`` with these words."""

    def run_once(name: str, *words: object) -> Ran:
        capsys.readouterr()
        code = PROGRAMS[name]([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run_once
