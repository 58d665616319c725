"""From open labels to classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.apis.labels import OTHER, LabelMap, fold, parse_label_map, read_label_map
from core.apis.provider import Label
from core.errors import LabError


def answer(*names: str) -> tuple[Label, ...]:
    return tuple(Label(name, 1 - 0.1 * place) for place, name in enumerate(names))


def test_without_a_map_each_label_is_its_own_class_whatever_its_case() -> None:
    assert LabelMap().class_of(answer("Tabby  Cat", "Dog")) == "tabby cat"
    assert LabelMap().class_of(()) == OTHER


def test_synonyms_count_as_the_class_and_everything_else_as_other() -> None:
    labels = LabelMap.of({"cat": ["tabby", "Kitten"], "dog": "hound"})
    assert [labels.class_of(answer(name)) for name in ("TABBY", "kitten", "Cat", "hound", "zebra")] == [
        "cat",
        "cat",
        "cat",
        "dog",
        OTHER,
    ]


def test_only_the_best_label_counts() -> None:
    labels = LabelMap.of({"cat": ["tabby"]})
    assert labels.class_of(answer("animal", "tabby")) == OTHER


def test_typed_maps_are_read() -> None:
    assert parse_label_map("cat: tabby, kitten\n\ndog: hound") == LabelMap.of({"cat": ["tabby", "kitten"], "dog": ["hound"]})


def test_words_that_no_label_is_are_named() -> None:
    assert LabelMap.of({"cat": ["tabyb"]}).unknown(["Cat", "Tabby"]) == ["tabyb"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("cat tabby", "no colon"),
        ("cat: pet\ndog: pet", "in both"),
        ("other: x", "taken"),
        (": x", "taken"),
        (f"cat: {'x' * 300}", "300 letters"),
        ("\n".join(f"c{i}: a{i}" for i in range(300)), "at most 200"),
    ],
)
def test_mistakes_are_told_in_one_sentence(text: str, word: str) -> None:
    with pytest.raises(LabError, match=word) as caught:
        parse_label_map(text)
    assert "\n" not in str(caught.value)


def test_files_are_read_and_bad_ones_told(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    path.write_text('cat = ["tabby"]\n"fire truck" = "fire engine"\n')
    assert read_label_map(path).class_of(answer("Fire engine")) == "fire truck"
    for text, word in (("cat = 3", "no list of words"), ("cat = [", "no TOML")):
        path.write_text(text)
        with pytest.raises(LabError, match=word):
            read_label_map(path)
    with pytest.raises(LabError, match="cannot be read"):
        read_label_map(tmp_path / "none.toml")


def test_folding() -> None:
    assert fold("  Straße \t A ") == "strasse a"
