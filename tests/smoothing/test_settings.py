"""What cannot run is refused before anything is loaded or sampled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import LabError
from core.smoothing.settings import MAX_SOUND_SIGMA, Settings


@pytest.mark.parametrize("sigma", [MAX_SOUND_SIGMA * 1.001, 17.0, 1e6])
def test_sound_noise_is_drawn_for_so_much_sigma_only(sigma):
    settings = Settings(sigma=sigma, n0=10, n=100)
    for check in (Settings.check, Settings.check_predict):
        check(settings)  # float noise has no such limit
        with pytest.raises(LabError, match=r"sound mode .* at most 16; use a smaller sigma, or leave sound out\.$"):
            check(replace(settings, sound=True))
        check(replace(settings, sound=True, sigma=MAX_SOUND_SIGMA))


def test_it_is_said_before_a_model_is_asked():
    from core import certify, predict

    def never(batch):
        raise AssertionError("a network was called")

    for run in (certify, predict):
        with pytest.raises(LabError, match="sound mode"):
            run("no picture either", never, sigma=20.0, n=100, sound=True)


def test_the_command_line_says_it_in_one_line(capsys):
    from core.__main__ import main

    assert main(["certify", "nowhere.png", "--sigma", "17", "--sound"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "at most 16" in said.err
