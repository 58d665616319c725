"""The curves of a training, and their text."""

from __future__ import annotations

import math

from core.figures.training import training_alt, training_curves
from core.training.validation import Measured, Moment


def moment(seconds: float, step: int, phase: str, loss: float, psnr: float) -> Moment:
    return Moment(seconds, step, phase, loss, Measured({0.25: psnr}, {0.25: 0.5}, 1.0, True))


MOMENTS = [moment(0, 0, "mse", math.nan, 10), moment(5, 20, "mse", 0.5, 15), moment(10, 40, "stab", 1.25, 14)]


def test_each_objective_has_a_line_and_the_untrained_network_counts_for_psnr_alone() -> None:
    figure = training_curves(MOMENTS, MOMENTS[2])
    lines = {trace.name: list(trace.y) for trace in figure.data}
    assert lines == {"loss, MSE": [0.5], "loss, STAB": [1.25], "PSNR, sigma 0.25": [10, 15, 14]}
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data}) == 3
    assert figure.layout.shapes[0].x0 == 10


def test_the_text_tells_what_the_curves_show() -> None:
    told = training_alt(MOMENTS, MOMENTS[2])
    assert (
        told == "Training loss from 0.5 to 1.25 in 10 s; PSNR from 10.0 to 14.0 dB at sigma 0.25. The best moment is second 10."
    )
    assert "nothing was measured yet" in training_alt(MOMENTS[:1], None)
    assert not training_curves([], None).data
