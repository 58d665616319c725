"""Every relative link of the README and of docs/ leads somewhere, and docs/README.md leads to every page."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.markdown_pages import PAGES, ROOT, anchors, links

APP_PAGES = {path.stem.split("_", 1)[1] for path in (ROOT / "pages").glob("*.py")}


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_page(document: Path) -> None:
    lost = [f"line {line}: {target}" for line, target in links(document) if not leads_somewhere(document, target)]
    assert not lost, f"{document.relative_to(ROOT)}: {lost}"


def test_the_table_of_contents_is_complete() -> None:
    contents = ROOT / "docs" / "README.md"
    linked = {(contents.parent / unquote(urlsplit(target).path)).resolve() for _, target in links(contents)}
    missing = [str(page.relative_to(ROOT)) for page in PAGES if page.name != "README.md" and page not in linked]
    assert not missing


def test_a_lost_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `word` & two\n\n# Twice\n\n# Twice\n", encoding="utf-8")
    good = ("page.md", "page.md#one-word--two", "#twice-1", "https://example.org/nowhere", "/Learn?chapter=limits", "/")
    bad = ("pages.md", "page.md#three", "#twice-2", "/Lunch")
    assert [leads_somewhere(page, target) for target in good + bad] == [True] * len(good) + [False] * len(bad)


def leads_somewhere(page: Path, target: str) -> bool:
    """Whether a link of a page leads to a file that is there, a heading in it, or a page of the app."""
    parts = urlsplit(target)
    if parts.scheme:
        return True  # elsewhere: no test uses the network
    if parts.path.startswith("/"):  # the app's own address goes before it
        return parts.path.strip("/") in APP_PAGES | {""}
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not file.exists():
        return False
    return not parts.fragment or (file.suffix == ".md" and unquote(parts.fragment) in anchors(file))
