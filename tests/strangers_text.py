"""One text that attacks every surface at once, and what each surface may show of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

POLYGLOT = "=1 ![i](http://e.example/)<a href=//e.example>:red[x]\x1b[31m\u202e\u200b%{y}\\x\n*b*|`qq`$d$"
"""A formula, picture, link, tag, colour, terminal's code, sign that turns text, sign unseen, template, LaTeX, line, code."""
LONG = POLYGLOT + "A" * 10_000
INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_IN_MARKDOWN = re.compile(r"(?<!\\)\[i\]|(?<!\\)<a href|:red\[|https?://e\.|(?<!\\)\*b|(?<!\\)`qq|(?<!\\)\$d|\n\\?\*b")

_MARKDOWN = """
Alert.body Button.help Button.label Checkbox.help Checkbox.label DownloadButton.help DownloadButton.label Expandable.label
Heading.body Heading.help Image.caption Markdown.body Markdown.help Metric.body Metric.delta Metric.help Metric.label
MultiSelect.label NumberInput.label Option.content PageLink.label Popover.label Progress.text Radio.options Selectbox.help
Selectbox.label Slider.options Tab.label TextInput.label Toast.body
"""
_TEXT = """
Arrow.alt Image.alt MultiSelect.options MultiSelect.raw_values PlotlyChart.alt Selectbox.options Selectbox.raw_value
TextInput.placeholder
"""
MARKDOWN, TEXT = set(_MARKDOWN.split()), set(_TEXT.split())
"""Fields of Streamlit's messages that a browser reads as Markdown, and those that it shows as they stand."""


def fields(message: Any) -> Iterator[tuple[str, str]]:
    """Every text in a message of Streamlit's, with the field that it is in."""
    for descriptor, value in message.ListFields():
        name = f"{message.DESCRIPTOR.name}.{descriptor.name}"
        for one in value if descriptor.is_repeated else (value,):
            if isinstance(one, str):
                yield name, one
            elif hasattr(one, "ListFields"):
                yield from fields(one)


def messages(node: Any) -> Iterator[Any]:
    """The messages of a page's elements and blocks."""
    for child in getattr(node, "children", {}).values():
        if getattr(child, "proto", None) is not None:
            yield child.proto
        yield from messages(child)


def faults(at: Any) -> list[str]:
    """Where a page shows some of :data:`POLYGLOT` as more than text; AssertionError where it stands in no known field."""
    found = []
    for block in (at.main, at.sidebar):
        for message in messages(block):
            for name, text in fields(message):
                if "e.example" in text or "A" * 50 in text:
                    found += [f"{name}: {text[:300]!r}"] if is_live(name, text) else []
    texts = [cell for table in at.dataframe for cell in table.value.to_numpy().ravel() if isinstance(cell, str)]
    computed = re.compile(r"\s*[=+@]|\s*-(?![\d.])|.*[\n\r]|.*A{200}", re.DOTALL)
    return found + [f"a cell: {cell[:300]!r}" for cell in texts if computed.match(cell) or INVISIBLE.search(cell)]


def is_live(name: str, text: str) -> bool:
    """Whether a field shows :data:`POLYGLOT` as more than text."""
    if name in ("TextInput.value", "TextInput.default") or name.endswith((".id", ".form_id")):
        return False  # a box for typing holds what was typed, or stood in the link
    if "A" * 200 in text or INVISIBLE.search(text):
        return True
    if name in MARKDOWN:
        return bool(_IN_MARKDOWN.search(text))
    if name == "Html.body":
        return "<a href" in text
    if name == "PlotlyChart.spec":
        figure = json.loads(text)
        for trace in figure["data"]:  # the first of what a click hands on is a key, which is not shown
            trace["customdata"] = [row[1:] if isinstance(row, list) else row for row in trace.get("customdata", ())]
        shown = json.dumps(figure, ensure_ascii=False)
        return "<a href" in shown or "%{y}\\\\x" in shown or bool(INVISIBLE.search(shown))
    assert name in TEXT, f"{name} is not known to show text: {text[:200]!r}"
    return "\n" in text
