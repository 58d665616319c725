"""The Learn page answers to the hand: clicks, keys, turning pages; and what the keyboard has reached can be seen."""

from __future__ import annotations

import re

from page_state import at_rest, no_errors, settled
from playwright.sync_api import Browser, Page, expect

# How what has the focus is told from what has not: a frame, or a glow around it.
FRAMED = """
() => {
  const focused = document.activeElement, slider = focused.closest('[data-testid=stSlider]');
  const style = getComputedStyle(focused.type === 'range' && slider ? slider : focused);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== 'none';
}
"""


def test_pressing_dragging_and_keys_move_the_point_and_turning_the_page_keeps_it(page: Page, server: str) -> None:
    page.goto(f"{server}/Learn?chapter=voting")
    settled(page)
    at_rest(page)
    plane = page.locator(".st-key-voting-plane .nsewdrag").first
    box = plane.bounding_box()
    assert box is not None

    def to(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"]

    page.mouse.click(*to(0.25, 0.75))
    expect(page).to_have_url(re.compile(r"x=0\.2[45]\d*&y=0\.7[45]"), timeout=30_000)
    page.mouse.move(*to(0.25, 0.75))
    page.mouse.down()
    page.mouse.move(*to(0.4, 0.6), steps=4)
    # It tells where it is before it is let go.
    expect(page).to_have_url(re.compile(r"x=0\.(39|4)\d*&y=0\.(59|6)"), timeout=30_000)
    page.mouse.move(*to(0.3, 2.0), steps=4)  # beyond the edge it stays on it
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"x=0\.(29|3)\d*&y=1$"), timeout=30_000)
    page.mouse.move(*to(0.6, 0.2))  # let go, it stays
    at_rest(page)
    assert page.url.endswith("y=1")
    figure = page.get_by_role("figure").filter(has=page.locator(".contourlayer")).first
    before = figure.get_attribute("aria-label")
    page.get_by_role("slider", name="Noise sigma").press("ArrowRight")
    expect(page).to_have_url(re.compile(r"plane-sigma=0\.11"), timeout=30_000)
    expect(figure).not_to_have_attribute("aria-label", before or "", timeout=30_000)
    page.get_by_role("button", name="Next: The bound").click()
    expect(page.get_by_role("heading", name="The bound", exact=True)).to_be_visible(timeout=30_000)
    expect(page).to_have_url(re.compile(r"chapter=bound.*x=0\.(29|3)"), timeout=30_000)
    settled(page)
    no_errors(page)
    assert "not possible here" not in page.locator("body").inner_text()


def test_a_finger_taps_drags_the_point_and_scrolls_beside_it(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{server}/Learn?chapter=fragile")
    settled(page)
    at_rest(page)
    plane = page.locator(".st-key-fragile-plane .nsewdrag").first
    plane.scroll_into_view_if_needed()
    at_rest(page)
    touches = context.new_cdp_session(page)

    def to(x: float, y: float) -> dict[str, float]:
        box = plane.bounding_box()
        assert box is not None
        return {"x": box["x"] + x * box["width"], "y": box["y"] + (1 - y) * box["height"]}

    def stroke(start: dict[str, float], end: dict[str, float], pause: str = "") -> None:
        touches.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [start]})
        for step in (0.25, 0.5, 0.75, 1.0):
            between = {axis: start[axis] + step * (end[axis] - start[axis]) for axis in "xy"}
            touches.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [between]})
            if step == 0.5 and pause:  # the figure is drawn anew under the finger
                expect(page).to_have_url(re.compile(pause), timeout=30_000)
                at_rest(page)
        touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    place = to(0.2, 0.6)
    page.touchscreen.tap(place["x"], place["y"])
    expect(page).to_have_url(re.compile(r"x=0\.(19|2)\d*&y=0\.(59|6)"), timeout=30_000)
    at_rest(page)
    stroke(to(0.2, 0.6), to(0.7, 0.6), pause=r"x=0\.(44|45)")
    expect(page).to_have_url(re.compile(r"x=0\.(69|7)\d*&y=0\.(59|6)"), timeout=30_000)
    at_rest(page)
    before, higher = page.url, to(0.2, 0.5)
    stroke(to(0.2, 0.2), to(0.2, 0.8))
    at_rest(page)
    assert page.url == before
    assert to(0.2, 0.5) != higher  # the page has scrolled
    no_errors(page)
    context.close()


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
