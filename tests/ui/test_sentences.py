"""What pages say lies in assets: every sentence is shown somewhere, and none is missing."""

import re
from string import Formatter

from core.folders import ASSETS, ROOT
from core.ui.sentences import stored_texts

SOURCES = "\n".join(path.read_text("utf-8") for path in [*(ROOT / "core" / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")])
NAMES = ["learn/chapters", *(f"pages/{path.stem}" for path in sorted((ASSETS / "pages").glob("*.json")))]


def test_each_is_asked_for_by_its_name_and_each_name_is_one() -> None:
    stored = {key for name in NAMES for key in stored_texts(name)}
    asked = set(re.findall(r"""(?:PROSE|SHARED)\[["']([^"']+)["'][]\s]""", SOURCES))
    assert asked <= stored
    by_noise = {key for key in stored if key.startswith("noise-")}
    assert {key for key in stored - by_noise if not re.search(rf"""["']{re.escape(key)}["']""", SOURCES)} == set()


def test_what_stands_in_braces_can_be_filled_in() -> None:
    for name in NAMES:
        for text in stored_texts(name).values():
            fields = [field for _, field, _, _ in Formatter().parse(text) if field is not None] if isinstance(text, str) else []
            assert all(re.fullmatch(r"[a-z]\w*(\.\w+|\[\d\])*", field) for field in fields), text
