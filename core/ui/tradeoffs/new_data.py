"""Choosing the data set of an evaluation: those at hand, the operator's own, or one of the Hub."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.data.local import CIFAR10, cifar10_folder
from core.folders import home_folder
from core.ui.linked import key_for, linked_choice

FROM_HUB = "hub"
_NO_NAMES = ("plain_text", "data", "default")
"""Folders that the Hub's data sets have in them, which say nothing of what the data are."""


def own_data_folder() -> Path:
    """Where the operator puts data sets that visitors may choose, a folder each: ``data`` in the Lab's own folder."""
    return home_folder() / "data"


def data_sets() -> dict[str, str]:
    """What is at hand: titles by reference. A visitor's path is not read, so these are all there are."""
    found = {"shapes": "Shapes, which the Lab makes itself"}
    cifar10 = cifar10_folder()
    if cifar10 is not None:
        found[f"parquet/{cifar10}"] = "CIFAR-10, on this machine"
    if own_data_folder().is_dir():
        for path in sorted(path for path in own_data_folder().iterdir() if path.is_dir()):
            kind = "parquet" if any(path.glob("*.parquet")) else "folder"
            found[f"{kind}/{path}"] = path.name
    return found


def title_of_data(reference: str) -> str:
    """What to call a data set without telling a path of this machine.

    >>> title_of_data("parquet//srv/data/cifar10/plain_text"), title_of_data("hub/uoft-cs/cifar10"), title_of_data("shapes")
    ('cifar10', 'uoft-cs/cifar10', 'Shapes')
    """
    kind, _, rest = reference.partition("/")
    known = data_sets().get(reference)
    if known is not None:
        return known.partition(",")[0]
    if kind in ("parquet", "folder"):
        path = Path(rest)
        return path.parent.name if path.name in _NO_NAMES and path.parent.name else path.name
    return rest if kind == "hub" else reference


def choose_data(classifier: str) -> str:
    """The reference of a data set; of the Hub's as ``hub/OWNER/NAME``, empty until one is named."""
    known = data_sets()
    # Links name data sets by words, not by paths of this machine.
    words = {_word(reference): reference for reference in known}
    first = "shapes" if classifier == "bundled/shapes" or "cifar10" not in words else "cifar10"
    titles = {word: known[reference] for word, reference in words.items()} | {FROM_HUB: "A data set of the Hub…"}
    word = linked_choice(
        "Data set",
        titles,
        first,
        key_for("evaluation-data", classifier),
        help="Its test pictures. Beside these, whoever runs the Lab may put folders into LAB_HOME/data: one folder of pictures"
        " a class, or parquet files.",
    )
    if word != FROM_HUB:
        return words[word]
    named = st.text_input(
        "Name on the Hub",
        "",
        key="evaluation-hub",
        placeholder=f"OWNER/NAME, such as {CIFAR10}",
        max_chars=200,
        help="In parquet files, with pictures of one size; fetched once.",
    )
    return f"hub/{named.strip().removeprefix('hub/')}" if named.strip() else ""


def _word(reference: str) -> str:
    if reference == "shapes":
        return reference
    cifar10 = cifar10_folder()
    return "cifar10" if cifar10 is not None and reference == f"parquet/{cifar10}" else f"own-{Path(reference).name}"
