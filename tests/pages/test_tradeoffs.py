"""The Trade-offs page, driven without a browser."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.log import HEADER
from core.evaluation.recorded import read_recorded, recorded_from

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
HEAD = "\t".join(HEADER) + "\n"


def page(**query: str | list[str]) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/3_Trade-offs.py")
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, [e.value for e in at.exception]
    return at


def own(*files: tuple[str, str]) -> list[Any]:
    return [(name, text.encode(), "text/plain") for name, text in files]


def shown_elements(at: AppTest) -> list[Any]:
    """The pictures of the page."""
    return [element for element in at.main if element.type in ("imgs", "image")]


def behind(at: AppTest) -> Any:
    """The table of images behind a point."""
    return next(frame.value for frame in at.dataframe if "predicted" in frame.value.columns)


def log(images: int = 20, seed: int = 0, ceiling: float = 0.6) -> str:
    rng = np.random.default_rng(seed)
    return HEAD + "".join(f"{i}\t{i % 10}\t{i % 10}\t{rng.uniform(0, ceiling):.6g}\t1\t0:00:01\n" for i in range(images))


def test_what_the_page_needs_before_it_is_drawn_is_free_of_torch() -> None:
    code = (
        "import sys\n"
        "import core.ui.frame, core.ui.tradeoffs.view, core.ui.tradeoffs.projection\n"
        "from core.ui.tradeoffs.logs import stored_logs\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_it_opens_on_the_stored_evaluations() -> None:
    at = page()
    stored = {path.stem for path in (ROOT / "assets" / "evaluations").glob("*.tsv")}
    assert stored
    assert set(at.multiselect(key="logs").value) == stored
    table = at.dataframe[0].value
    names = ("none", "mse", "stab", "black-box", "noise")
    several = [name for name in names if len([stem for stem in stored if f"-{name}-" in stem]) > 1]
    assert len(table) == len(stored) + 2 * len(several)
    assert not at.error
    assert not at.warning


@pytest.mark.parametrize("view", ["path", "cost", "samples", "spread", "classes"])
def test_every_view_can_be_linked_to(view: str) -> None:
    at = page(view=view, radius="0.5")
    assert at.selectbox(key="view").value == view
    assert at.get("plotly_chart")
    assert not at.error
    assert not at.warning or view == "samples"


def test_which_logs_and_which_radii_are_part_of_the_link() -> None:
    at = page(logs=["cifar10-mse-0.25"], radii="0.1, 0.3", published="none")
    assert at.multiselect(key="logs").value == ["cifar10-mse-0.25"]
    assert at.multiselect(key="published").value == []
    assert [c for c in at.dataframe[0].value.columns if c.startswith("r=")] == ["r=0.1", "r=0.3"]
    at.multiselect(key="logs").set_value(["cifar10-none-0.25"]).run()
    assert at.query_params["logs"] in ("cifar10-none-0.25", ["cifar10-none-0.25"])


def test_a_link_to_a_log_that_is_not_there_is_said() -> None:
    at = page(logs=["cifar10-mse-0.25", "gone"])
    assert "gone" in at.warning[0].value
    assert at.multiselect(key="logs").value == ["cifar10-mse-0.25"]


def test_own_logs_are_compared_and_bad_ones_named_one_sentence_each() -> None:
    at = page()
    rows = len(at.dataframe[0].value)
    at.file_uploader(key="own-logs").set_value(
        own(("mine_sigma_0.25.tsv", log()), ("headless.tsv", "a\tb\n1\t2\n"), ("empty.tsv", HEAD), ("side.json", "{}"))
    ).run()
    assert not at.exception
    assert len(at.dataframe[0].value) == rows + 1
    assert len(at.error) == 2
    assert any("headless.tsv" in e.value for e in at.error)
    assert any("no images" in e.value for e in at.error)
    assert any("side" in w.value for w in at.warning)


def test_an_own_log_of_a_stored_ones_name_is_kept_apart() -> None:
    at = page(logs=["cifar10-mse-0.25"])
    at.file_uploader(key="own-logs").set_value(own(("cifar10-mse-0.25.tsv", log()))).run()
    assert list(at.dataframe[0].value["images"][:2]) == ["250", "20"]


def test_a_running_evaluation_can_be_dropped() -> None:
    at = page(logs="none")
    assert not at.get("plotly_chart")
    at.file_uploader(key="own-logs").set_value(own(("running.tsv", log() + "20\t3\t3\t0.1"))).run()
    assert any("no end" in i.value for i in at.info)
    assert list(at.dataframe[0].value["images"]) == ["20"]


def test_the_images_behind_a_point_add_up() -> None:
    at = page(**{"behind": "cifar10-mse-0.25", "behind-at": "0.3"})
    counts = [int(m.value) for m in at.metric]
    assert len(counts) == 4
    assert sum(counts) == 250
    group = behind(at)
    assert len(group) == counts[1]
    assert (group["radius"] < 0.3).all()
    assert (group["label"] == group["predicted"]).all()


def test_pictures_are_shown_where_the_data_set_is_at_hand(cifar10_folder: Path) -> None:
    at = page(**{"behind": "cifar10-mse-0.25", "behind-at": "0.3"})
    before = len(shown_elements(at))
    at.toggle(key="behind-pictures").set_value(True).run()
    assert not at.exception
    assert len(shown_elements(at)) == before + 1
    assert set(behind(at)["label"]) <= {
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    }


def test_without_the_data_set_there_are_numbers_and_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setattr("core.data.local.cifar10_folder", lambda: None)
    at = page(behind="cifar10-mse-0.25")
    at.toggle(key="behind-pictures").set_value(True).run()
    assert not shown_elements(at)
    assert any("numbers and classes only" in i.value for i in at.info)


def test_the_projection_is_marked_as_one_and_says_what_it_does_not_know() -> None:
    at = page(view="samples")
    words = " ".join(w.value for w in at.warning)
    assert "not a certificate" in words
    assert any(m.label.startswith("Projected to n = 100,000") for m in at.metric)


def test_a_log_that_does_not_say_n_is_not_projected() -> None:
    at = page(view="samples", logs="none")
    at.file_uploader(key="own-logs").set_value(own(("mine.tsv", log()))).run()
    assert not at.exception
    assert "cannot be projected" in at.info[0].value


def test_radii_that_are_none_are_named() -> None:
    at = page(radii="0.25, lots")
    assert "lots" in at.warning[0].value
    assert [c for c in at.dataframe[0].value.columns if c.startswith("r=")] == ["r=0.25"]


def test_a_change_among_fifty_large_logs_takes_less_than_a_second() -> None:
    at = page(logs="none", published="none")
    files = [(f"many_{seed}.tsv", log(10_000, seed)) for seed in range(50)]
    at.file_uploader(key="own-logs").set_value(own(*files)).run()
    assert not at.exception
    assert len(at.dataframe[0].value) == 50
    began = time.process_time()
    at.number_input(key="behind-at").set_value(0.4).run()
    assert time.process_time() - began < 1.0
    assert len(at.dataframe[0].value) == 50


def test_once_started_it_opens_within_two_seconds() -> None:
    page()
    began = time.process_time()
    page(radii="0.1")
    assert time.process_time() - began < 2.0


def test_what_the_logs_were_made_with_is_shown() -> None:
    at = page(logs=["cifar10-mse-0.25"])
    settings = next(frame.value for frame in at.dataframe if "votes kept" in frame.value.columns)
    assert list(settings.loc[0, ["sigma", "n", "denoiser"]]) == ["0.25", "1000", "bundled/cifar10-mse"]


def test_logs_of_other_images_or_another_n_are_said_to_be() -> None:
    at = page(logs=["cifar10-mse-0.25"])
    at.file_uploader(key="own-logs").set_value(own(("mine.tsv", log()))).run()
    words = " ".join(caption.value for caption in at.caption)
    assert "different images" in words
    assert "differ in n or alpha" in words


def test_a_click_chooses_log_and_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.ui.tradeoffs import images as tradeoffs_images

    state: dict[str, Any] = {
        "chart": {"selection": {"points": [{"customdata": ["mine", 0.2500004, 0.1, 0.2]}]}},
        tradeoffs_images.LOWER: 0.4,
    }
    monkeypatch.setattr(tradeoffs_images.st, "session_state", state)
    tradeoffs_images.take_click("chart")()
    assert state[tradeoffs_images.LOG] == "mine"
    assert state[tradeoffs_images.UPPER] == pytest.approx(0.25)
    assert state[tradeoffs_images.LOWER] <= 0.2500004
    state["chart"] = {"selection": {"points": [{"customdata": None}]}}  # a published point
    tradeoffs_images.take_click("chart")()
    assert state[tradeoffs_images.LOG] == "mine"


def test_the_archive_of_logs_reads_back_as_the_same_logs() -> None:
    from core.ui.tradeoffs.logs import Chosen
    from core.ui.tradeoffs.view import logs_archive

    read = read_recorded(ROOT / "assets" / "evaluations" / "cifar10-mse-0.25.tsv")
    with zipfile.ZipFile(io.BytesIO(logs_archive(Chosen({"a": read}, {"a": "a"})))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    again = recorded_from("a.tsv", files["a.tsv"], files["a.json"])
    assert again.made_by == read.made_by
    for name in ("idx", "label", "predict", "radius", "right", "seconds"):
        assert np.array_equal(getattr(again.outcomes, name), getattr(read.outcomes, name))


def test_the_archive_of_logs_holds_each_in_its_own_folder_whatever_it_is_called() -> None:
    from core.ui.tradeoffs.logs import Chosen
    from core.ui.tradeoffs.view import logs_archive

    read = read_recorded(ROOT / "assets" / "evaluations" / "cifar10-mse-0.25.tsv")
    keys = ("../../a", "a", "..\\a", "a\nb\u202e", "/")
    with zipfile.ZipFile(io.BytesIO(logs_archive(Chosen(dict.fromkeys(keys, read), dict.fromkeys(keys, ""))))) as archive:
        logs = [name for name in archive.namelist() if name.endswith(".tsv")]
    assert len(set(logs)) == len(keys)
    assert not any(sign in name for name in logs for sign in "/\\\n\u202e")


def test_logs_of_one_family_get_a_row_of_the_best_sigma_and_which_it_is(published_logs: Path) -> None:
    at = page(logs="none", radii="0.25, 1")
    files = [(path.name, path.read_text()) for path in sorted(published_logs.glob("*.tsv"))]
    at.file_uploader(key="own-logs").set_value(own(*files)).run()
    assert not at.exception
    table = at.dataframe[0].value
    assert len(table) == 3 + 2  # ImageNet's log is alone in its family
    assert list(table.iloc[3][["r=0.25", "r=1"]].str.split(" ").str[0]) == ["60.0%", "23.4%"]
    assert [value.rpartition("_")[2] for value in table.iloc[4][["r=0.25", "r=1"]]] == ["sigma 0.25", "0.50"]
