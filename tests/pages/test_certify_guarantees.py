"""Noise, norm, sound mode, both classes and a radius to settle on the Certify page, driven without a browser."""

from __future__ import annotations

import importlib.util
import time

import pytest
from streamlit.testing.v1 import AppTest

from core.models.references import BUNDLED_FOLDER
from tests.pages.test_certify import finish, metrics, page

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes-stab").exists(), reason="the bundled shapes models are not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def words(at: AppTest) -> str:
    return " ".join(element.value for kind in (at.markdown, at.caption, at.info, at.latex) for element in kind)


def table(at: AppTest, column: str) -> dict[str, str]:
    """The table that has this column, by its first one."""
    (found,) = [frame.value for frame in at.dataframe if column in frame.value]
    return dict(zip(found.iloc[:, 0], found[column], strict=True))


def test_the_usual_guarantee_is_the_one_that_came_with_the_lab() -> None:
    at = page(n="1000")
    assert not at.exception
    assert any("comes with the Lab" in c.value for c in at.caption), "the stored study is not found with the new controls"
    radii = table(at, "radius")
    shown = float(metrics(at)["Certified radius (l2)"])
    assert float(radii["l2 (chosen)"]) == pytest.approx(shown, abs=1e-3)
    assert float(radii["l1"]) == pytest.approx(shown, abs=1e-3)
    assert float(radii["l-infinity"]) == pytest.approx(shown / 3072**0.5, rel=0.01)


@pytest.mark.parametrize(
    ("query", "label", "said"),
    [
        ({"norm": "linf"}, "l-infinity", "sqrt(d)"),
        ({"noise": "uniform"}, "l1", "Lee et al. 2019"),
        ({"noise": "laplace", "norm-laplace": "l2"}, "l2", "Teng et al. 2019"),
        ({"sound": "true"}, "l2", "on the 8-bit grid"),
        ({"two-sided": "true"}, "l2", "alpha shared "),
        ({"bound": "randomised-clopper-pearson"}, "l2", "randomised-clopper-pearson bound with the uniform number"),
    ],
    ids=str,
)
def test_a_link_restores_each_choice_and_the_page_says_what_it_is(query: dict[str, str], label: str, said: str) -> None:
    at = finish(page(compare="false", **query))
    assert not at.exception
    for key, value in query.items():
        widgets = {w.key: w.value for kind in (at.selectbox, at.toggle) for w in kind}
        assert str(widgets[key]).lower() == value
        assert value in at.query_params[key], "the link no longer says it"
    assert f"Certified radius ({label})" in metrics(at)
    assert said in words(at)
    assert not at.warning


def test_a_radius_is_settled_with_fewer_samples() -> None:
    at = finish(page(n="20000", until="0.05", compare="true"))
    text = words(at)
    assert "l2 radius 0.05 is reached, settled after" in text
    assert "A run of a fixed number of samples would have needed" in text
    assert not any(i.value.startswith("Stopped") for i in at.info)
    assert not any(b.label == "Run it to the end" for b in at.button)
    assert int(metrics(at)["Votes"].rpartition("/")[2].replace(",", "")) < 20_000
    assert any("With and without" in s.value for s in at.subheader), "a settled run has its comparison, too"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            {"sound": "true", "noise": "uniform"},
            "Sound mode draws Gaussian noise on the 8-bit grid, and uniform noise is chosen",
        ),
        ({"until": "0.5", "bound": "clopper-pearson"}, "choose the anytime bound"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_one_sentence(query: dict[str, str], sentence: str) -> None:
    at = page(**query)
    assert not at.exception
    (error,) = at.error
    assert sentence in error.value
    assert not at.metric
    assert not [b for b in at.button if b.label == "Start"]


def test_a_radius_beyond_the_samples_is_refused_before_they_are_drawn() -> None:
    at = page(until="5")
    deadline = time.monotonic() + 60
    while not at.error:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        at.run()
    assert "settle a smaller radius" in at.error[0].value
    assert not at.metric


def test_bad_values_of_a_link_fall_back_and_are_named() -> None:
    at = page(noise="pink", norm="l7", sound="perhaps", until="-3", auto="false")
    assert not at.exception
    assert at.selectbox(key="noise").value == "gaussian"
    assert at.selectbox(key="norm").value == "l2"
    assert at.toggle(key="sound").value is False
    assert at.number_input(key="until").value == 0
    (warning,) = at.warning
    for wrong in ("pink", "l7", "perhaps", "-3"):
        assert wrong in warning.value


def test_each_noise_begins_with_its_own_norm() -> None:
    at = page(norm="linf", auto="false")
    at.selectbox(key="noise").set_value("laplace")
    at.run()
    assert at.selectbox(key="norm-laplace").value == "l1"
    at.selectbox(key="noise").set_value("gaussian")
    at.run()
    assert at.selectbox(key="norm").value == "linf"


def test_both_ways_are_compared_without_promising_the_better_one() -> None:
    at = finish(page(compare="false"))
    (expander,) = [e for e in at.expander if "two-sided radius" in e.label]
    radii = table(at, "l2 radius")
    assert float(radii["one-sided (this certificate)"]) == pytest.approx(float(metrics(at)["Certified radius (l2)"]), abs=1e-3)
    best = max(float(radii["one-sided (this certificate)"]), float(radii["two-sided"]))
    assert 0 < float(radii["the better of the two, alpha/2 for each"]) <= best
    assert "twice that probability, 0.002" in " ".join(c.value for c in expander.caption)


def test_the_radius_as_a_share_of_the_distance_to_another_class() -> None:
    at = finish(page(compare="false"))
    (near,) = [b for b in at.button if "nearest picture" in b.label]
    near.click()
    at.run()
    deadline = time.monotonic() + 60
    while "Searched" not in words(at):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        at.run()
    assert not at.exception
    assert "900 pictures of classes other than star in the test set of shapes" in words(at)
    assert "% of that" in words(at)


def test_engine_and_number_format_are_chosen_linked_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engines.programs.computes", lambda precision, device: False)
    at = finish(page(compare="false", engine="eager", precision="bfloat16"))
    assert not at.exception
    assert (at.selectbox(key="engine").value, at.selectbox(key="precision").value) == ("eager", "bfloat16")
    assert (at.query_params["engine"], at.query_params["precision"]) == ("eager", "bfloat16")
    (warning,) = at.warning
    assert "no instructions for bfloat16" in warning.value
    side = [c.value for c in at.sidebar.caption]
    assert any(line.endswith("samples/s in the last run, by torch, bfloat16") for line in side), side


def test_an_engine_that_is_not_installed_is_one_sentence_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "openvino" else find_spec(name, *rest))
    at = finish(page(compare="false", engine="openvino"))
    assert not at.exception
    (warning,) = at.warning
    assert "pip install -r requirements.txt" in warning.value
    assert any("the networks are computed eagerly" in c.value for c in at.caption), "the certificate's notes say it, too"
    assert any(line.value.endswith("by torch, float32") for line in at.sidebar.caption)
