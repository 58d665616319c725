"""Files that a tab sends by itself, past what a page asks for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from core.ui.frame import UPLOADS_OF_A_TAB
from core.visitor import hashed_passphrase
from tests.app_process import run, running_app
from tests.load.tab import Tab

SIZE = 19 * 2**20


@pytest.fixture(scope="module")
def open_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("home")) as address:
        yield address


def sent(address: str, count: int) -> list[int]:
    """What the server answers a tab that shows the start page and sends files again and again."""

    async def visit() -> list[int]:
        async with Tab(address) as tab:
            await tab.open()
            return await asyncio.to_thread(send, tab._session)

    def send(session: str) -> list[int]:
        with requests.Session() as browser:
            browser.get(f"{address}/_stcore/health")
            token = {"X-Xsrftoken": browser.cookies["_streamlit_xsrf"]}
            answers = []
            for _ in range(count):
                place = f"{address}/_stcore/upload_file/{session}/{uuid.uuid4()}"
                answer = browser.put(place, files={"file": ("a.png", bytes(SIZE))}, headers=token)
                assert "XSRF" not in answer.text
                answers.append(answer.status_code)
            return answers

    return run(visit())


def test_a_tab_holds_so_many_bytes_and_no_more(open_app: str) -> None:
    fitting = UPLOADS_OF_A_TAB // SIZE
    assert sent(open_app, fitting + 3) == [204] * fitting + [413] * 3
    assert sent(open_app, 1) == [204], "what another tab left does not count against this one"


def test_who_has_not_signed_in_uploads_nothing(tmp_path: Path) -> None:
    login = {"LAB_PASSPHRASE": hashed_passphrase("nine small grey elephants")}
    with running_app(tmp_path, environment=login) as address:
        assert sent(address, 2) == [403, 403]
