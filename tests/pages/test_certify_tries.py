"""Tries on one picture: how many the Certify page says there were, what alpha holds for the best of them, and the switch."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.models.references import BUNDLED_FOLDER
from tests.pages.test_certify import finish, metrics, page

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes-stab").exists(), reason="the bundled shapes models are not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def line(at: AppTest) -> str:
    """What the page says of tries; empty where it says nothing."""
    assert not at.exception
    return next((c.value for c in at.caption if "certificates of this picture in this session" in c.value), "")


def again(at: AppTest) -> AppTest:
    return finish(at.run())


def test_each_new_sigma_seed_denoiser_or_mode_is_counted_and_going_back_is_not() -> None:
    at = finish(page(compare="false", seed="7"))
    assert line(at) == "", "one is no choice"
    at.slider(key="sigma").set_value(0.3)
    at = again(at)
    assert line(at).startswith("2 certificates of this picture")
    assert "errs with probability at most 0.002 = 2 x 0.001, not 0.001" in line(at)
    at.number_input(key="seed").set_value(8)
    assert "at most 0.003 = 3 x 0.001" in line(again(at))
    at.toggle(key="two-sided").set_value(True)
    assert "at most 0.004 = 4 x 0.001" in line(again(at))
    at.selectbox(key="denoiser-shapes").set_value("none")
    assert "at most 0.005 = 5 x 0.001" in line(again(at))
    at.selectbox(key="norm").set_value("linf")
    assert "at most 0.005 = 5 x 0.001" in line(again(at)), "the same votes in another norm"
    at.number_input(key="seed").set_value(7)
    at.toggle(key="two-sided").set_value(False)
    at.selectbox(key="denoiser-shapes").set_value("bundled/shapes-stab")
    at.slider(key="sigma").set_value(0.25)
    assert "at most 0.005 = 5 x 0.001" in line(again(at)), "the first of them"


def test_the_one_without_the_denoiser_counts_and_another_picture_begins_anew() -> None:
    at = finish(page(compare="true", alpha="0.01"))
    assert "2 certificates" in line(at)
    assert "at most 0.02 = 2 x 0.01, not 0.01" in line(at)
    at = page(compare="false", seed="7")
    finish(at)
    at.selectbox(key="picture-shapes").select_index(1)
    assert line(again(at)) == ""


def test_a_number_of_tries_that_was_planned_keeps_alpha() -> None:
    at = finish(page(compare="false", tries="3"))
    at.slider(key="sigma").set_value(0.3)
    assert "2 x 0.000333333, within the alpha of 0.001" in line(again(at))


def parts(at: AppTest) -> list[float]:
    (made,) = at.session_state["tries-made"].values()
    return list(made.values())


def test_the_switch_spends_alpha_over_all_tries_and_its_link_gives_the_same_certificate() -> None:
    at = page(compare="false", seed="7", auto="false")
    at.toggle(key="spend-alpha").set_value(True).run()
    assert not [n for n in at.number_input if n.key == "tries"]
    next(b for b in at.button if b.label == "Start").click()
    at = again(at)
    assert "".join(at.query_params["tries"]) == "2"
    at.slider(key="sigma").set_value(0.3).run()
    next(b for b in at.button if b.label == "Start").click()
    at = again(at)
    assert parts(at) == pytest.approx([0.001 / 2, 0.001 / 6])
    assert "within the alpha of 0.001" in line(at)
    assert "".join(at.query_params["tries"]) == "6"
    second = metrics(at)
    assert second == metrics(finish(page(compare="false", seed="7", sigma="0.3", tries="6")))
    assert float(second["Lower bound on p"]) < float(
        metrics(finish(page(compare="false", seed="7", sigma="0.3")))["Lower bound on p"]
    )
    at.slider(key="sigma").set_value(0.25).run()
    assert "".join(at.query_params["tries"]) == "2", "a try that was made keeps its part"
    at.toggle(key="spend-alpha").set_value(False).run()
    assert at.number_input(key="tries").value == 1
    assert "tries" not in at.query_params


def test_with_a_comparison_both_have_the_part_of_the_later_one() -> None:
    at = page(compare="true", seed="7", auto="false")
    at.toggle(key="spend-alpha").set_value(True).run()
    next(b for b in at.button if b.label == "Start").click()
    at = again(at)
    assert parts(at) == pytest.approx([0.001 / 6] * 2)
    assert "2 certificates" in line(at)


def test_a_part_that_is_too_small_for_n_is_told() -> None:
    at = page(compare="false", seed="7", auto="false", n="20", alpha="0.0001")
    at.toggle(key="spend-alpha").set_value(True).run()
    at.session_state["tries-made"] = {key: dict.fromkeys(range(900), 1e-9) for key in [*at.session_state["tries-made"]]}
    at.run()
    (error,) = at.error
    assert "n is 20: with alpha" in error.value
