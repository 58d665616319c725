"""What a page of the app is doing, and whether all of it can be seen."""

from __future__ import annotations

from playwright.sync_api import Page, expect

SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}

# Text that reaches beyond the screen, or beyond a box that hides what sticks out. What can be scrolled is not cut off.
_CUT_OFF = """
() => [...document.querySelectorAll('[data-testid=stMain] *')].filter(element => {
  const shown = element.checkVisibility() && !element.closest('details:not([open]), .katex-mathml');
  if (!shown || ![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) return false;
  const text = document.createRange();
  text.selectNodeContents(element);
  const right = text.getBoundingClientRect().right;
  for (let box = element; box; box = box.parentElement) {
    const overflow = getComputedStyle(box).overflowX;
    if (overflow === 'auto' || overflow === 'scroll') return false;
    if (overflow !== 'visible' && right > box.getBoundingClientRect().right + 1) return true;
  }
  return right > window.innerWidth + 1;
}).map(element => element.textContent.slice(0, 80))
"""

# Rows of choices that must be scrolled sideways: what is not in sight is not found.
_HIDDEN_CHOICES = """
() => [...document.querySelectorAll('[data-testid=stMain] [data-testid=stButtonGroup] *')]
  .filter(row => row.checkVisibility() && row.scrollWidth > row.clientWidth + 2 && getComputedStyle(row).overflowX === 'auto')
  .map(row => row.innerText.slice(0, 80))
"""

# Ends when nothing on the page has changed for 250 ms; a page that never rests is looked at after 6 s.
_AT_REST = """
() => new Promise(done => {
  const began = performance.now();
  let last = began;
  const watch = new MutationObserver(() => { last = performance.now(); });
  watch.observe(document.querySelector('[data-testid=stMain]'), {subtree: true, childList: true, attributes: true});
  const timer = setInterval(() => {
    const now = performance.now();
    if (now - last > 250 || now - began > 6000) { clearInterval(timer); watch.disconnect(); done(); }
  }, 50);
})
"""

# Words inside figures whose contrast to the page's ground is below 4.5, as AA asks: axe cannot tell it of SVG. Words inside
# bars stand on the bar's colour, and Plotly chooses black or white for them.
_FAINT = """
() => {
  const light = colour => {
    const part = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = light(getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor);
  return [...document.querySelectorAll('.js-plotly-plot text:not(.bartext-inside)')].filter(text => {
    const own = light(getComputedStyle(text).fill);
    return text.textContent.trim() && (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05) < 4.5;
  }).map(text => text.textContent);
}
"""


def settled(page: Page) -> None:
    """Wait until the script has run and what it wrote is drawn."""
    page.wait_for_selector("[data-test-script-state=notRunning]", timeout=60_000)
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=60_000)


def at_rest(page: Page) -> None:
    """Wait until nothing is drawn any more."""
    page.evaluate(_AT_REST)


def certified(page: Page) -> None:
    """Wait until a study is finished and drawn."""
    expect(page.get_by_text("Take it with you")).to_be_visible(timeout=60_000)
    settled(page)


def compared(page: Page) -> None:
    """Wait until the Denoise page has its grid and its sweep."""
    for name in ("Grid as PNG", "Sweep as CSV"):
        expect(page.get_by_role("button", name=name)).to_be_visible(timeout=120_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=120_000)
    settled(page)


def attacked(page: Page) -> None:
    """Attack the picture, and wait for what came of it."""
    page.get_by_role("button", name="Attack", exact=True).click()
    expect(page.get_by_role("button", name="Strip (PNG)")).to_be_visible(timeout=120_000)
    settled(page)


def asked(page: Page) -> None:
    """Ask the demonstration API within its budget."""
    expect(page.get_by_text("Queries at most")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("Certificate (JSON)")).to_be_visible(timeout=60_000)
    settled(page)
    expect(page.get_by_text("$0.0500")).to_be_visible()


def no_errors(page: Page) -> None:
    """No traceback and no error box on the page."""
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.locator("[data-testid=stAlertContentError]").count() == 0


def fits(page: Page) -> None:
    """Nothing reaches beyond the screen's right edge, and no text is cut off."""
    # Streamlit scrolls the main section, not the document; neither may be wider than the screen.
    for what in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        wide = page.evaluate(f"{what}.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{what} is {wide} px wider than the screen"
    cut_off = page.evaluate(_CUT_OFF)
    assert not cut_off, f"cut off: {cut_off}"
    hidden = page.evaluate(_HIDDEN_CHOICES)
    assert not hidden, f"choices out of sight: {hidden}"


def figures_are_legible(page: Page) -> None:
    """The words inside figures stand out from the ground."""
    faint = page.evaluate(_FAINT)
    assert not faint, f"contrast below 4.5: {faint}"
