"""Controls and links in step: menus of one and of several, and what is said of values that cannot be used."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.ui.linked import refused

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def controls() -> None:
    from core.ui.linked import linked_choice, linked_choices, linked_number, linked_steps, read_link, say_refused

    read_link()
    titles = {"a": "Title of a", "b": "Title of b", "c": "Title of c"}
    linked_choice("One", titles, "a", "one")
    linked_choices("Several", titles, ["a", "b"], "several", most=2)
    linked_steps("Step", titles, "a", "step")
    assert isinstance(linked_number("Whole", (0, 10), 5, "whole", step=1), int)
    assert isinstance(linked_number("Real", (0.0, 1.0), 0.5, "real", step=0.1), float)
    say_refused()


def page(**query: str | list[str]) -> AppTest:
    at = AppTest.from_function(controls)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def held(at: AppTest) -> tuple[str, list[str], str]:
    return at.session_state["one"], at.session_state["several"], at.session_state["step"]


def test_what_is_at_its_default_stays_out_of_the_link_and_what_is_not_stands_there_by_its_name() -> None:
    at = page()
    assert held(at) == ("a", ["a", "b"], "a")
    assert not at.query_params
    at.selectbox(key="one").set_value("b")
    at.multiselect(key="several").set_value(["c"])
    at.run()
    assert at.query_params == {"one": "b", "several": "c"}
    at.selectbox(key="one").set_value("a")
    at.multiselect(key="several").set_value([])
    at.run()
    assert at.query_params == {"several": "none"}


def test_a_link_that_is_followed_later_moves_controls_that_were_moved_already() -> None:
    at = page(one="b", several=["c", "a"], step="c")
    assert held(at) == ("b", ["c", "a"], "c")
    at.selectbox(key="one").set_value("c").run()
    at.query_params |= {"one": "a", "several": "b", "step": "b"}
    at.run()
    assert held(at) == ("a", ["b"], "b")
    assert at.query_params == {"several": "b", "step": "b"}


def test_what_cannot_be_used_is_dropped_and_said() -> None:
    at = page(one="nonsense", several=["b", "nonsense"], step="nonsense", real="0.7")
    assert held(at) == ("a", ["b"], "a")
    assert at.query_params == {"several": "b", "real": "0.7"}
    assert at.warning[0].value.count("nonsense") == 3
    at = page(several=["nonsense"])
    assert held(at)[1] == ["a", "b"]
    assert "nonsense" in at.warning[0].value
    assert held(page(several="none"))[1] == []
    assert held(page(several=["b", "b", "a", "c"]))[1] == ["b", "a"], "each once, and no more than may be chosen"


def test_refused_names_only_what_controls_did_not_take() -> None:
    assert refused({"a": ["1"], "b": ["true"], "c": ["x"], "unknown": ["y"]}, {"a": 1.0, "b": True, "c": "x"}) == []
    assert refused({"on": ["1"]}, {"on": True}) == []
    (sentence,) = refused({"several": ["0.25", "nan"]}, {"several": [0.25, 0.5]})
    assert "'nan'" in sentence
    assert "0.25, 0.5 is used" in sentence
    assert len(refused({"a": ["x" * 5_000]}, {"a": "y"})[0]) < 200
