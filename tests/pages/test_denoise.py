"""The Denoise page, driven without a browser."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import core.ui.jobs.queue
import core.ui.jobs.session
from core.models.references import BUNDLED_FOLDER
from core.plain_text import plain

pytestmark = [
    pytest.mark.skipif(not (BUNDLED_FOLDER / "cifar10").exists(), reason="the bundled classifier is not there"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"denoisers": ["classical/tv", "classical/median"], "sweep-draws": "2"}


def page(**query: str | list[str]) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/2_Denoise.py")
    for name, value in (SMALL | query).items():
        at.query_params[name] = value
    return at.run()


def labels(at: AppTest) -> list[str]:
    buttons: Any = at.get("download_button")
    return [button.label for button in buttons]


def finish(at: AppTest, timeout: float = 120) -> AppTest:
    """Rerun, as the browser's polling does, until grid and sweep are complete."""
    deadline = time.monotonic() + timeout
    while any(b.label == "Stop" for b in at.button) or not {"Grid as PNG", "Sweep as CSV"} <= set(labels(at)):
        assert time.monotonic() < deadline, "no result within the time"
        assert not at.exception, [e.value for e in at.exception]
        assert not at.error, [e.value for e in at.error]
        time.sleep(0.1)
        at.run()
    return at


def grid(at: AppTest) -> str:
    """The HTML of the grid, without the images' bytes."""
    (html,) = [h.proto.body for h in at.get("html") if "sigma" in h.proto.body and "<table" in h.proto.body]
    return html


def figures(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def png(seed: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(data, "PNG")
    return data.getvalue()


def test_a_sample_is_denoised_and_swept_without_a_click() -> None:
    at = finish(page())
    assert not at.exception
    html = grid(at)
    # Two sigmas, two draws, the noisy picture and two denoisers, all with words for those who cannot see them.
    assert html.count("<img") == html.count('alt="') == 2 * 2 * 3
    assert "sigma 0.25 (64/255), draw 2" in html
    assert "sigma 0.5 (128/255), draw 1" in html
    assert "Total variation" in html
    assert "Median filter" in html
    panels, sweep = figures(at)
    assert sum(trace["type"] == "image" for trace in panels["data"]) == 4
    assert sum(trace["type"] == "heatmap" for trace in panels["data"]) == 5
    assert {axis["matches"] for name, axis in panels["layout"].items() if name.startswith("xaxis")} == {"x"}
    assert len(sweep["data"]) == 9
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))
    assert set(labels(at)) == {"Grid as PNG", "Numbers as CSV", "Sweep as CSV", "Interactive HTML"}
    (table,) = at.dataframe
    assert list(table.value["denoiser"]) == ["With noise", "Total variation", "Median filter"] * 2
    # Noise of sigma 0.25 leaves 12 dB, a little more where it is clipped; a denoiser that works leaves more.
    by_name = dict(zip(table.value["denoiser"][:3], table.value["PSNR (dB)"][:3], strict=True))
    assert by_name["With noise"] == pytest.approx(12.9, abs=0.9)
    assert by_name["Total variation"] > by_name["With noise"] + 3


def test_other_sigma_another_grid_but_the_same_sweep_and_going_back_is_instant() -> None:
    at = finish(page())
    first, sweep = grid(at), figures(at)[1]["data"]
    at.slider(key="sigma").set_value(0.75)
    at.run()
    assert figures(at)[-1]["data"] == sweep, "the sweep does not hang on the slider"
    assert "sigma 0.75" in grid(finish(at))
    at.slider(key="sigma").set_value(0.25)
    at.run()
    assert grid(at) == first


def test_link_restores_the_choices_and_bad_values_fall_back() -> None:
    at = page(sigma="0.4", seed="5", draws="1", auto="false", denoisers=["classical/nlm", "nonsense"])
    assert at.slider(key="sigma").value == 0.4
    assert at.number_input(key="seed").value == 5
    assert at.number_input(key="draws").value == 1
    assert at.multiselect(key="denoisers").value == ["classical/nlm"]
    assert at.query_params["denoisers"] == "classical/nlm"
    at.query_params["denoisers"] = "classical/median"  # a link that is followed later counts, too
    assert at.run().multiselect(key="denoisers").value == ["classical/median"]
    at = page(auto="false", denoisers=["nonsense"])
    assert at.multiselect(key="denoisers").value == page(auto="false", denoisers=[]).multiselect(key="denoisers").value
    assert "nonsense" in at.warning[0].value
    at = page(sigma="nan", seed="-1", draws="99", auto="false")
    assert not at.exception
    assert at.slider(key="sigma").value == 0.25
    assert at.number_input(key="seed").value is None
    assert at.number_input(key="draws").value == 2


def test_without_automatic_computing_clicks_start_grid_and_sweep() -> None:
    at = page(auto="false", seed="11", draws="1")
    assert not at.get("plotly_chart")
    for label in ("Compute the grid", "Compute the sweep"):
        (button,) = [b for b in at.button if b.label == label]
        button.click()
        at.run()
    finish(at)


def test_a_stop_is_said_and_the_rest_can_be_had() -> None:
    at = page(**{"seed": "12", "sweep-draws": "100"})
    deadline = time.monotonic() + 60
    while len(figures(at)) < 2:  # the grid is done, the sweep under way
        assert time.monotonic() < deadline
        time.sleep(0.1)
        at.run()
    (stop,) = [b for b in at.button if b.label == "Stop"]
    stop.click()
    at.run()
    deadline = time.monotonic() + 10
    while not at.info:
        assert time.monotonic() < deadline
        time.sleep(0.05)
        at.run()
    assert "Stopped after" in at.info[0].value
    assert "of 3,300 pictures" in at.info[0].value
    assert len(figures(at)) == 2, "what is there stays"
    (again,) = [b for b in at.button if b.label == "Compute it all"]
    again.click()
    at.run()
    assert any(b.label == "Stop" for b in at.button)


def test_a_result_that_was_dropped_to_make_room_is_offered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    at = finish(page(seed="13", draws="1"))
    at.toggle(key="auto").set_value(False)
    at.run()
    monkeypatch.setattr(core.ui.jobs.queue, "KEPT_BYTES", 0)
    queue = core.ui.jobs.session.queue()
    assert queue.submit("another session", "", lambda context: None).wait(10)
    at.run()
    assert not at.exception
    assert not figures(at)
    monkeypatch.undo()
    for label in ("Compute the grid", "Compute the sweep"):
        (button,) = [b for b in at.button if b.label == label]
        button.click()
        at.run()
    finish(at)


def test_no_denoiser_and_a_bad_upload_are_said_in_a_sentence() -> None:
    at = page(denoisers="none", draws="1")
    assert at.multiselect(key="denoisers").value == []
    assert "No denoiser is chosen" in at.info[0].value
    assert grid(finish(at)).count("<img") == 2
    at.file_uploader(key="uploads").set_value([("one.png", png(1), "image/png"), ("bad.png", b"no picture", "image/png")])
    at.run()
    assert [e.value for e in at.error] == [plain("bad.png is a text file, not a picture: choose a PNG, JPEG or WebP picture.")]


def test_the_mean_of_the_draws_leaves_less_noise() -> None:
    at = finish(page())

    def noise() -> float:
        trace = next(trace for trace in figures(at)[0]["data"] if trace["type"] == "heatmap")
        return float(np.abs(decoded(trace["z"])).mean())

    one = noise()
    groups: Any = at.get("button_group")
    next(group for group in groups if group.label == "draw").set_value("mean of all")
    at.run()
    # Two draws: smaller by the square root of two.
    assert noise() == pytest.approx(one / np.sqrt(2), rel=0.1)


def decoded(z: object) -> np.ndarray:
    """A heatmap's values as Plotly writes them: a list, or base64 of typed numbers."""
    if isinstance(z, dict):
        return np.frombuffer(base64.b64decode(z["bdata"]), dtype=z["dtype"])
    return np.array(z)
