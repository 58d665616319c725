"""The experiments are run as the verbs are, each by its name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from experiments import attack_tables
from experiments.compare_modes import __main__ as compare_modes
from experiments.replay import __main__ as replay
from tests.commands.conftest import Ran

PROGRAMS = {"compare_modes": compare_modes.main, "replay": replay.main, "attack_tables": attack_tables.main}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run ``python -m experiments.NAME`` with these words."""

    def run_once(name: str, *words: object) -> Ran:
        capsys.readouterr()
        code = PROGRAMS[name]([str(word) for word in words])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run_once
