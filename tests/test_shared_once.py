"""What sessions share: made once and whole, however many threads ask for it at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from core.data.local import local_pictures
from core.data.samples import sample_picture, samples
from core.data.shapes import SHAPES_LABELS
from core.errors import LabError
from core.evaluation import recorded
from core.folders import EVALUATIONS, made_once
from core.pictures.reading import data_uri
from core.studies import records
from core.studies.records import STORED_FOLDER, stored_study

AT_ONCE = 16


def at_once(ask: Callable[[], Any]) -> list[Any]:
    """What each of sixteen threads is given that ask in the same moment."""
    barrier = Barrier(AT_ONCE)

    def one(_: int) -> Any:
        barrier.wait(20)
        return ask()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_it_is_made_once_kept_and_forgotten() -> None:
    made = list[int]()

    @made_once(2)
    def slow(number: int) -> list[int]:
        """What it says."""
        time.sleep(0.01)
        made.append(number)
        return [number]

    assert len({id(found) for found in at_once(lambda: slow(1))}) == 1
    assert (made, slow.__doc__) == ([1], "What it says.")
    for number in (2, 3, 1):  # two are kept
        slow(number)
    assert made == [1, 2, 3, 1]
    slow.cache_clear()
    assert slow(number=1) == [1]
    assert made == [1, 2, 3, 1, 1]


def test_a_failure_is_not_kept_and_frees_the_others() -> None:
    @made_once()
    def failing() -> None:
        raise LabError("Not yet.")

    for _ in range(2):
        with pytest.raises(LabError, match="Not yet"):
            failing()


NAMES = sorted(path.stem for path in STORED_FOLDER.glob("*.json"))
LOG = sorted(EVALUATIONS.glob("*.tsv"))[0]


@pytest.mark.parametrize(
    ("ask", "forget"),
    [
        (samples, samples),
        (lambda: sample_picture(NAMES[0]), sample_picture),
        (lambda: stored_study(NAMES[0]), records._read),
        (lambda: recorded.read_stored(LOG), recorded._read_once),
        (lambda: local_pictures(SHAPES_LABELS, (32, 32)), local_pictures),
    ],
)
def test_sixteen_sessions_that_ask_at_once_are_given_the_same(ask: Callable[[], Any], forget: Any) -> None:
    forget.cache_clear()
    assert len({id(found) for found in at_once(ask)}) == 1


def test_sixteen_sessions_draw_one_picture_at_once() -> None:
    for name in NAMES:
        study = stored_study(name)
        assert study is not None
        for picture in (sample_picture(name).image, *(view.picture for view in study[0].views.values())):
            alone = data_uri(picture)
            assert set(at_once(lambda picture=picture: data_uri(picture))) == {alone}
