"""Every page, chapter and view: on a desktop and a phone, light and dark, it fits, is legible, and has no barrier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_report import AxeReport
from page_state import SIZES, asked, at_rest, attacked, certified, compared, figures_are_legible, fits, no_errors, settled
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = [path.stem.partition("_")[2] for path in sorted((ROOT / "pages").glob("[0-9]_*.py"))]
CHAPTERS = [f"Learn?chapter={name}" for name in ("voting", "bound", "dimensions", "trade-off", "limits")]
VIEWS = [f"Trade-offs?view={name}" for name in ("path", "cost", "samples", "spread", "classes", "new", "runs")]
# How a page with a result is come by, and a result that is made within seconds.
RESULTS: dict[str, tuple[str, Callable[[Page], None]]] = {
    "Certify": ("", certified),
    "Denoise": ("?sweep-draws=6", compared),
    "Attack": ("?picture=stag&attack-steps=10&attack-draws=8", attacked),
    "Vision_APIs": ("?picture=red-car&api-n=40&api-n0=10&api-budget=0.05", asked),
}


@pytest.mark.parametrize("path", ["", *PAGES, *CHAPTERS, *VIEWS])
def test_every_page_fits_is_legible_and_has_alt_texts_and_no_barrier(
    browser: Browser, server: str, shots: Path, axe: AxeReport, path: str
) -> None:
    # One visit for all four sides: what has to be computed is computed once.
    context = browser.new_context(viewport=SIZES["desktop"], color_scheme="light")  # type: ignore[arg-type]
    page = context.new_page()
    asked_for: list[str] = []  # nothing of the app, its icons and fonts included, is asked of another host
    page.on(
        "request", lambda sent: asked_for.append(sent.url) if urlsplit(sent.url).scheme in ("http", "https", "ws") else None
    )
    query, ready = RESULTS.get(path, ("", settled))
    page.goto(f"{server}/{path}{query}")
    settled(page)
    ready(page)
    no_errors(page)
    name = (path or "Start").replace("?chapter=", "-").replace("?view=", "-")
    found = []
    for size, width_and_height in SIZES.items():
        page.set_viewport_size(width_and_height)  # type: ignore[arg-type]
        at_rest(page)
        fits(page)
        # The main section scrolls, not the document: a screen that is tall enough shows all of it.
        tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        page.set_viewport_size({"width": width_and_height["width"], "height": int(tall) + 20})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            at_rest(page)
            assert page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme") == scheme
            page.screenshot(path=shots / f"{name}-{size}-{scheme}.png")
            figures_are_legible(page)
            found += axe.look(page, f"{name}, {size}, {scheme}")
    assert found == []
    images = page.locator("[data-testid=stMain] img")
    assert all(images.nth(i).get_attribute("alt") for i in range(images.count()))
    charts = page.locator("[data-testid=stMain] [data-testid=stPlotlyChart]")
    assert all(charts.nth(i).get_attribute("aria-label") for i in range(charts.count()))
    if path in ("", *RESULTS):
        assert images.count() > 0
    assert {urlsplit(address).netloc for address in asked_for} == {urlsplit(server).netloc}
    context.close()
