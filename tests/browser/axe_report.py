"""What axe-core finds on a page, gathered into one report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
GRAVE = ("serious", "critical")


class AxeReport:
    """Looks at pages by the rules of WCAG 2.1, A and AA, and writes a table of what it saw."""

    def __init__(self) -> None:
        self._axe = Axe()
        self._rows: list[tuple[str, int, int, str]] = []

    def look(self, page: Page, name: str) -> list[str]:
        """The serious and critical findings on a page, a line each with the first element; all are noted in the report."""
        found: dict[str, Any] = self._axe.run(page, options={"runOnly": {"type": "tag", "values": list(RULES)}}).response
        violations = found["violations"]
        told = ", ".join(f"{one['id']} ({one['impact']}, {len(one['nodes'])})" for one in violations) or "none"
        self._rows.append((name, len(found["passes"]), len(found["incomplete"]), told))
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations if one["impact"] in GRAVE]

    def write(self, path: Path) -> None:
        """The table, in Markdown."""
        head = "| page | rules passed | for a person to check | findings |\n|---|---|---|---|\n"
        path.write_text(head + "".join(f"| {' | '.join(map(str, row))} |\n" for row in sorted(self._rows)), encoding="utf-8")
