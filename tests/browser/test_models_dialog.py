"""A new user looks for models in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect


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
