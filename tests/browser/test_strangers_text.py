"""What strangers wrote in a browser: as text, sign by sign, without a link, a picture, a colour or a request to anybody."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

from core.plain_text import named
from tests.app_process import running_app
from tests.strangers_text import POLYGLOT

ATTACKS = [
    POLYGLOT,
    "![x](http://e.example/p.png)",
    "[sign in](http://e.example/)",
    "see http://e.example/a, https://e.example and www.e.example, or write to a@e.example",
    "<img src=http://e.example/x.png onerror=alert(1)> <https://e.example>",
    ":smile: :material/verified_user: :red[danger] :blue-badge[new] :streamlit:",
    "$x^2$ $$y$$ **bold** _lean_ `code` ~~gone~~",
    "# heading",
    "> quote",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "12) item",
    "---",
    "===",
    "a -> b <- c -- d",
    "| a | b |",
    "[^1]: note &amp; &#60;b&#62; \\* C:\\temp",
]
ACTIVE = (
    "a, img, code, pre, table, h1, h2, li, hr, blockquote, del, em, strong, .katex, [data-testid=stIconMaterial], span[style]"
)
SCRIPT = """
import json, pathlib
import streamlit as st
from core.figures.certificate import icon_array, vote_bars
from core.plain_text import plain
attacks = json.loads({attacks!r})
for number, attack in enumerate(attacks):
    with st.container(key=f"shown-{{number}}"):
        st.markdown(plain(attack))
    with st.container(key=f"after-{{number}}"):
        st.markdown("x  \\n" + plain(attack))
with st.container(key="metric"):
    st.metric("Says", plain(attacks[0]))
with st.container(key="bars"):
    st.plotly_chart(vote_bars([7, 5, 3, 2], [attacks[0], "<a href='http://e.example/'>in</a>", "<b>%{{x}}</b>", "2020-01-01"]))
with st.container(key="icons"):
    st.plotly_chart(icon_array([7, 5], [attacks[0], "<a href='http://e.example/'>in</a>"]))
st.markdown("all is drawn")
"""


def test_nothing_of_it_is_more_than_text(page: Page, tmp_path: Path) -> None:
    script = tmp_path / "attacked.py"
    script.write_text(SCRIPT.format(attacks=json.dumps(ATTACKS)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    command = (sys.executable, "-m", "streamlit", "run", str(script), "--server.address=127.0.0.1")
    root = str(Path(__file__).resolve().parents[2])
    with running_app(tmp_path, command, environment={"PYTHONPATH": root}) as address:
        page.goto(address)
        expect(page.get_by_text("all is drawn")).to_be_visible(timeout=60_000)
        expect(page.locator(".st-key-icons .main-svg").first).to_be_visible(timeout=60_000)
        for number, attack in enumerate(ATTACKS):
            shown, after = page.locator(f".st-key-shown-{number}"), page.locator(f".st-key-after-{number}")
            assert shown.locator(ACTIVE).count() == 0, attack
            assert after.locator(ACTIVE).count() == 0, attack
            assert named(shown.inner_text().replace("\u2060", "")) == named(attack)
        assert page.locator(".st-key-metric").locator("a, img, span[style]").count() == 0
        for figure in (".st-key-bars", ".st-key-icons"):
            drawn = page.locator(f"{figure} .js-plotly-plot")
            assert drawn.locator("a[href*='e.example'], image").count() == 0
            assert "<a href='http://e.example/'>in</a>" in " ".join(drawn.locator("text").all_text_contents())
        ticks = {tick.replace("\u00a0", " ") for tick in page.locator(".st-key-bars .ytick text").all_text_contents()}
        assert {"<a href='http://e.example/'>in</a>", "<b>%{x}</b>", "2020-01-01"} < ticks
    assert not [url for url in asked if "e.example" in url]
