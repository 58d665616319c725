"""Runs the app as a user would start it, and Debian's Chromium against it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parent))  # modules of this folder are imported by their own names
from axe_report import AxeReport

from tests.app_process import running_app

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark this folder's tests, and skip them where there is no Chromium."""
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)
            # Playwright's loop and the server's pipes are closed late; that is not the app's doing.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on the path: install Debian's package chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium instead of a download; no sandbox, since CI runs as root."""
    quiet = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": quiet}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running app, whose answers and models are the tests' own."""
    with running_app(tmp_path_factory.mktemp("lab-home")) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A desktop tab with a fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def shots() -> Path:
    """Where screenshots go, for a person to look at."""
    folder = ROOT / "screenshots"  # not test-results, which the Playwright plugin empties
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def axe(shots: Path) -> Iterator[AxeReport]:
    """Looks for barriers; what it saw on all pages goes beside the screenshots."""
    report = AxeReport()
    yield report
    report.write(shots / "axe.md")
