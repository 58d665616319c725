"""The Learn page answers to the hand: clicks, keys, turning pages; and what the keyboard has reached can be seen."""

from __future__ import annotations

import re

from page_state import at_rest, no_errors, settled
from playwright.sync_api import Page, expect

# How what has the focus is told from what has not: a frame, or a glow around it.
FRAMED = """
() => {
  const focused = document.activeElement, slider = focused.closest('[data-testid=stSlider]');
  const style = getComputedStyle(focused.type === 'range' && slider ? slider : focused);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== 'none';
}
"""


def test_a_click_and_a_key_move_the_point_and_turning_the_page_keeps_it(page: Page, server: str) -> None:
    page.goto(f"{server}/Learn?chapter=voting")
    settled(page)
    at_rest(page)
    plane = page.locator(".js-plotly-plot .nsewdrag").first
    box = plane.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    expect(page).to_have_url(re.compile(r"x=0\.25&y=0\.75"), timeout=30_000)
    figure = page.get_by_role("figure").filter(has=page.locator(".contourlayer")).first
    before = figure.get_attribute("aria-label")
    page.get_by_role("slider", name="Noise sigma").press("ArrowRight")
    expect(page).to_have_url(re.compile(r"plane-sigma=0\.11"), timeout=30_000)
    expect(figure).not_to_have_attribute("aria-label", before or "", timeout=30_000)
    page.get_by_role("button", name="Next: The bound").click()
    expect(page.get_by_role("heading", name="The bound", exact=True)).to_be_visible(timeout=30_000)
    expect(page).to_have_url(re.compile(r"chapter=bound.*x=0\.25"), timeout=30_000)
    settled(page)
    no_errors(page)
    assert "not possible here" not in page.locator("body").inner_text()


def test_the_keyboard_reaches_every_control_and_it_can_be_seen_where_it_is(page: Page, server: str) -> None:
    page.goto(f"{server}/Learn")
    settled(page)
    at_rest(page)
    reached: list[str] = []
    unseen: list[str] = []
    for _ in range(45):
        page.keyboard.press("Tab")
        name = page.evaluate("(document.activeElement.ariaLabel || document.activeElement.innerText || '').slice(0, 60)")
        if page.evaluate("document.activeElement.matches('main, body')"):
            continue  # the part that scrolls
        reached.append(name)
        if not page.evaluate(FRAMED):
            unseen.append(name)
    assert not unseen
    wanted = ("Start", "Learn", "1. Fragile", "Point, left to right", "Next: Voting", "15 minutes", "Find a word")
    order = [next(place for place, name in enumerate(reached) if word in name) for word in wanted]
    assert order == sorted(order)
