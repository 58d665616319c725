"""Options that several verbs have: each is said once, and together they say all that CERTIFY is asked."""

from __future__ import annotations

import argparse

import pytest

from core.commands.options import OPTIONS, SETTINGS, add_options, refuse_with_api, settings_of
from core.errors import LabError
from core.smoothing.settings import Settings


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser, *SETTINGS)
    return parser.parse_args(words)


def test_whatever_certify_is_asked_is_an_option():
    assert set(SETTINGS) <= set(OPTIONS)
    assert settings_of(parsed()) == Settings(sigma=0.25)


@pytest.mark.parametrize(
    ("words", "method"),
    [
        ((), "clopper-pearson"),
        (("--until-radius", "0.5"), "anytime"),
        (("--within", "0.05"), "anytime"),
        (("--table-radii", "0.25,0.5"), "group-sequential"),
        (("--until-radius", "0.5", "--method", "clopper-pearson"), "clopper-pearson"),
    ],
)
def test_the_bound_holds_wherever_sampling_ends_unless_another_is_asked_for(words, method):
    assert settings_of(parsed(*words)).method == method


def test_a_verb_has_a_bound_of_its_own_and_words_of_its_own():
    assert settings_of(parsed(), method="anytime").method == "anytime"
    assert settings_of(parsed("--method", "clopper-pearson"), method="anytime").method == "clopper-pearson"
    parser = argparse.ArgumentParser()
    add_options(parser, "sigma", "n", n={"default": 7})
    assert settings_of(parser.parse_args([])) == Settings(sigma=0.25, n=7)


@pytest.mark.parametrize(
    "words",
    [
        ("--noise", "laplace"),
        ("--norm", "linf"),
        ("--sound",),
        ("--two-sided",),
        ("--until-radius", "0.5"),
        ("--within", "0.1"),
        ("--table-radii", "0.25"),
    ],
)
def test_what_an_api_cannot_be_asked_is_refused_by_name(words):
    with pytest.raises(LabError, match=f"^{words[0]} is not for APIs"):
        refuse_with_api(parsed(*words))


def test_what_an_api_can_be_asked():
    refuse_with_api(parsed("--norm", "l2", "--sigma", "0.5", "--n0", "5", "--n", "50", "--alpha", "0.01", "--seed", "3"))
    refuse_with_api(parsed("--until-radius", "0.5"), "until_radius")
