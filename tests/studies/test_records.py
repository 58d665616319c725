"""Stored studies: what sessions share of them is whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from core.studies.records import STORED_FOLDER, parse_study

AT_ONCE = 16


def test_many_threads_draw_the_pictures_of_one_study_at_once() -> None:
    text = (STORED_FOLDER / "red-car.json").read_text("utf-8")
    barrier = Barrier(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(5):
            views = parse_study(text)[0].views

            def draw(_: int, views=views) -> list[bytes]:
                barrier.wait(20)
                return [view.picture.resize((64, 64)).tobytes() for view in views.values()]

            drawn = list(pool.map(draw, range(AT_ONCE)))
            assert all(pixels == drawn[0] for pixels in drawn)
