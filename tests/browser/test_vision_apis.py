"""A new user certifies an API, and looks for models, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect


def settled(page: Page) -> None:
    page.wait_for_selector("[data-test-script-state=notRunning]", timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "width"), [("desktop", 1280), ("phone", 390)])
def test_the_demo_api_is_certified_within_its_budget(
    browser: Browser, server: str, shots: Path, name: str, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{server}/Vision_APIs?picture=red-car&api-n=40&api-n0=10&api-budget=0.05")
    expect(page.get_by_text("Queries at most")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("Certificate (JSON)")).to_be_visible(timeout=60_000)
    settled(page)
    expect(page.get_by_text("$0.0500")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("[data-testid=stException]").count() == 0
    page.screenshot(path=shots / f"vision-apis-{name}-{scheme}.png", full_page=True)
    context.close()


def test_models_are_looked_for_in_a_dialog_that_says_it_is_offline(page: Page, server: str, shots: Path) -> None:
    page.goto(f"{server}/Certify")
    page.get_by_text("More from the Hub").first.click()
    expect(page.get_by_text("only what is on this machine can be used")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("tab", name="Search")).to_be_visible()
    page.get_by_role("tab", name="By name").click()
    page.get_by_label("Reference").fill("someone/never-downloaded")
    page.keyboard.press("Enter")
    expect(page.locator("[data-testid=stAlertContentError]").last).to_be_visible(timeout=60_000)
    assert page.locator("[data-testid=stException]").count() == 0
    page.screenshot(path=shots / "models-dialog.png")
