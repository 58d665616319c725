"""The comparison of one bound with two, from the votes of one certificate: the chance of error that it names."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def compared(method: str, stopped: bool) -> None:
    import torch

    import core
    from core.ui.certify.certificate import draw_both_ways

    def leaning(pixels: torch.Tensor) -> torch.Tensor:
        side = (pixels - 0.5).flatten(1).mean(dim=1) + 0.1
        return torch.stack([-side, side], dim=1)

    ask = iter([False, *[stopped] * 100]).__next__
    grey = torch.full((3, 4, 4), 0.5)
    draw_both_ways(
        core.certify(
            grey, leaning, sigma=0.25, n=600, alpha=0.01, method=method, device="cpu", batch_size=64, should_stop=ask, seed=1
        )
    )


@pytest.mark.parametrize(
    ("method", "stopped", "wrong"),
    [
        ("clopper-pearson", False, 0.01),
        ("clopper-pearson", True, 0.02),
        ("randomised-clopper-pearson", True, 0.02),
        ("anytime", True, 0.01),
    ],
)
def test_a_stopped_run_of_a_fixed_n_says_twice_alpha(method: str, stopped: bool, wrong: float) -> None:
    at = AppTest.from_function(compared, default_timeout=60, kwargs={"method": method, "stopped": stopped}).run()
    assert not at.exception
    assert set(at.dataframe[0].value["wrong with probability at most"]) == {f"{wrong:g}"}
    assert f"twice that probability, {2 * wrong:g}" in at.caption[0].value
