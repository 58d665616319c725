"""The images behind a point of a curve: still certified, lost on the way, never right."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from core.evaluation.curve import Behind, images_behind
from core.evaluation.log import ABSTAINED
from core.evaluation.recorded import CIFAR10, RecordedEvaluation, classes_of, dataset_of, pictures_at
from core.plain_text import plain
from core.report.notation import class_name, radius_text
from core.ui.figure import enlarged, keyed_columns
from core.ui.linked import linked_choice, linked_number, linked_switch
from core.ui.tradeoffs.logs import PROSE, Chosen

LOG, UPPER, LOWER, SHOW = "behind", "behind-at", "behind-from", "behind-pictures"
MOST_PICTURES = 24
_SHOWN_SIDE, _GAP = 96, 12


def take_click(figure: str) -> Callable[[], None]:
    """What to do when a point of a figure is clicked: look at the images behind it."""

    def take() -> None:
        selection = st.session_state.get(figure, {}).get("selection", {})
        for point in selection.get("points", ()):
            data = point.get("customdata")
            if data and isinstance(data[0], str):
                st.session_state[LOG] = data[0]
                st.session_state[UPPER] = round(float(data[1]), 6)
                st.session_state[LOWER] = min(float(st.session_state.get(LOWER, 0.0)), float(data[1]))

    return take


def draw_images_behind(chosen: Chosen) -> None:
    """Choose a log and a radius, by a click on the curve or here, and see which images make the difference."""
    st.subheader("The images behind a point")
    st.caption(PROSE["behind"])
    first, second, third = st.columns([2, 1, 1])
    keys = list(chosen.logs)
    with first:
        key = linked_choice("Log", chosen.titles, keys[0], LOG)
    with second:
        help = "Right answers with at least this radius count at this point."
        upper = linked_number("Radius", (0.0, 100.0), 0.25, UPPER, step=0.05, format="%.4g", help=help)
    with third:
        help = "0: every right answer that is not certified at the radius beside."
        lower = linked_number("Lost since radius", (0.0, 100.0), 0.0, LOWER, step=0.05, format="%.4g", help=help)
    log = chosen.logs[key]
    if lower > upper:
        st.warning(f"'Lost since' is {lower:g}, above the radius {upper:g}: expected at most that.", icon=":material/warning:")
        return
    groups = _groups(images_behind(log.outcomes, upper, lower))
    total = len(log.outcomes)
    for column, group in zip(keyed_columns("paired-behind", 4), groups.values(), strict=True):
        count, share = len(group.places), f"{len(group.places) / total:.1%} of {total:,}"
        column.metric(group.title, f"{count:,}", share, delta_color="off", delta_arrow="off", help=group.help)
    choose = partial(st.segmented_control, required=True, bind="query-params", label_visibility="collapsed")
    titles = {name: group.title for name, group in groups.items()}
    shown = choose("Images", list(groups), default="lost", format_func=titles.__getitem__, key="behind-group")
    help = "Where their data set is on this machine; nothing is downloaded."
    with_pictures = linked_switch("Show the pictures", False, SHOW, help=help)
    places = groups[str(shown)].places
    if not len(places):
        st.caption("No image is in this group.")
        return
    dataset = dataset_of(log)
    words = classes_of(dataset)
    alt = f"{len(places)} images with label, prediction and radius."
    st.dataframe(_table(log, places, words), hide_index=True, height=250, key=f"behind-table-{key}", alt=alt)
    if with_pictures:
        _draw_pictures(log, places, dataset, words)


class _Group(NamedTuple):
    """Images that a point of a curve has behind it: their places in the log."""

    title: str
    places: NDArray[np.int64]
    help: str


def _groups(behind: Behind) -> dict[str, _Group]:
    since = f"since {behind.lower:g}" if behind.lower else "before"
    certified = f"Certified at {behind.upper:.4g}"
    lost = "Right, but with a smaller radius; those lost last come first."
    abstained = "No class had a majority that the votes could prove; counts as wrong."
    return {
        "kept": _Group(certified, behind.kept, "Right, and with at least this radius."),
        "lost": _Group(f"Lost {since}", behind.lost, lost),
        "wrong": _Group("Never right", behind.wrong, "Another class was predicted, so no radius counts."),
        "abstained": _Group("Abstained", behind.abstained, abstained),
    }


def _table(log: RecordedEvaluation, places: NDArray[np.int64], words: tuple[str, ...] | None) -> pd.DataFrame:
    o = log.outcomes.where(places)
    label, predicted = (
        ["abstains" if c == ABSTAINED else class_name(int(c), words) for c in column] for column in (o.label, o.predict)
    )
    return pd.DataFrame({"image": o.idx, "label": label, "predicted": predicted, "radius": o.radius, "seconds": o.seconds})


def _spaced(picture: Image.Image) -> Image.Image:
    """With a clear margin on the right: Streamlit sets pictures of a list side by side without a gap."""
    spaced = Image.new("RGBA", (picture.width + _GAP, picture.height))
    spaced.paste(picture, (0, 0))
    return spaced


def _draw_pictures(
    log: RecordedEvaluation, places: NDArray[np.int64], dataset: str | None, words: tuple[str, ...] | None
) -> None:
    o = log.outcomes.where(places[:MOST_PICTURES])
    found = pictures_at(dataset, o.idx.tolist())
    if not found:
        what = "Its data set is not known" if dataset is None else f"The test pictures of {dataset} are not on this machine"
        more = " (under LAB_DATA, or in the cache of the Hub)" if dataset == CIFAR10 else ""
        st.info(plain(f"{what}{more}: numbers and classes only."), icon=":material/hide_image:")
        return
    differing = [int(i) for i, label in zip(o.idx, o.label, strict=True) if int(i) in found and found[int(i)][1] != label]
    if differing:
        told = PROSE["other-pictures"].format(count=len(differing), dataset=plain(dataset or ""))
        st.info(told, icon=":material/hide_image:")
        return
    images, captions, alts = [], [], []
    for index, label, predict, radius in zip(o.idx, o.label, o.predict, o.radius, strict=True):
        one = found.get(int(index))
        if one is None:
            continue
        name = class_name(label, words)
        said = "abstains" if predict == -1 else f"radius {radius_text(radius)}"
        if predict not in (-1, label):
            said = f"taken for {class_name(predict, words)}"
        images.append(_spaced(enlarged(one[0], _SHOWN_SIDE)))
        captions.append(plain(f"{name}: {said}"))
        alts.append(f"Image {index}, a {name}; {said}.")
    st.image(images, captions, width=_SHOWN_SIDE + _GAP, alt=alts)
    if len(places) > MOST_PICTURES:
        st.caption(f"The first {MOST_PICTURES} of {len(places):,}.")
