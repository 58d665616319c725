"""Controls and links in step: what a control holds stands in the link, and a link that is followed moves the control.

Numbers and switches are bound by Streamlit's own ``bind="query-params"``. Menus are not: it would write titles into the link,
where model references belong. Here the link has what stands for an option, a value that is no option is dropped, the choice is
kept across pages, and a control at its default is left out of the link. What was dropped is said at the top of the page.
Imports no torch.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import streamlit as st

from core.engines import ENGINES, PRECISIONS, TITLES, not_installed
from core.plain_text import plain
from core.smoothing.settings import MAX_SEED, Settings, fresh_seed
from core.ui.sentences import stored_texts

SHARED = stored_texts("pages/shared")
N = TypeVar("N", int, float)
PENDING, SEEN, PLACE, DRAWN = "link-pending", "link-seen", "link-place", "drawn-seeds"
LONGEST = 40
ALPHAS = (0.05, 0.01, 0.001, 0.0001)
_AUTO = {"auto": "what suits the models"}
_ENGINES = _AUTO | {name: TITLES[name] for name in ENGINES[1:] if name != "compile"}  # which takes a minute to begin
_PRECISIONS = _AUTO | {name: name for name in PRECISIONS[1:]}


def newly_asked(key: str) -> list[str]:
    """What a link that was followed since the last run asks for under a key; nothing where :func:`write_link` wrote it."""
    asked = st.query_params.get_all(key)
    return [] if asked == st.session_state.get(f"{key}-in-link") else asked


def write_link(key: str, values: Sequence[str]) -> None:
    """Put what a control holds into the link; nothing where it holds its default."""
    if values:
        st.query_params[key] = list(values)
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[f"{key}-in-link"] = st.query_params.get_all(key)


def linked_choice(
    label: str, titles: Mapping[str, str], default: str, key: str, *, help: str | None = None, disabled: bool = False
) -> str:
    """A select box bound to the query parameter ``key``; ``titles`` are what the menu shows, by what stands for it in links."""
    draw = partial(st.selectbox, format_func=titles.__getitem__, help=help, disabled=disabled)
    return _linked_one(label, titles, default, key, draw=draw)


def linked_steps(label: str, titles: Mapping[str, str], default: str, key: str) -> str:
    """A row of steps bound to the query parameter ``key``; arguments as for :func:`linked_choice`."""
    draw = partial(st.segmented_control, format_func=titles.__getitem__, required=True, label_visibility="collapsed")
    return _linked_one(label, titles, default, key, draw=draw)


def _linked_one(label: str, titles: Mapping[str, str], default: str, key: str, *, draw: Callable[..., Any]) -> str:
    asked = newly_asked(key)
    if asked and asked[-1] in titles:
        st.session_state[key] = asked[-1]
    elif st.session_state.get(key) not in titles:
        st.session_state[key] = default
    chosen: str = draw(label, list(titles), key=key, persist_state="session") or default
    write_link(key, [] if chosen == default else [chosen])
    return chosen


def linked_choices(
    label: str,
    titles: Mapping[str, str],
    default: Sequence[str],
    key: str,
    *,
    most: int | None = None,
    help: str | None = None,
    placeholder: str | None = None,
) -> list[str]:
    """A multi-select as :func:`linked_choice`, one value an option; ``most`` may be chosen, all where it is None.
    An empty choice stands in links as ``none``."""
    asked = newly_asked(key)
    if asked:
        known = list(dict.fromkeys(value for value in asked if value in titles))[:most]
        st.session_state[key] = known if known or asked == ["none"] else list(default)
    else:
        st.session_state[key] = [value for value in st.session_state.get(key, default) if value in titles]
    field = partial(st.multiselect, max_selections=most, help=help, placeholder=placeholder, persist_state="session")
    chosen = field(label, list(titles), format_func=titles.__getitem__, key=key)
    write_link(key, [] if chosen == list(default) else chosen or ["none"])
    return list(chosen)


def linked_number(label: str, span: tuple[N, N], default: N, key: str, *, draw: Any = st.number_input, **look: Any) -> N:
    """A field for a number within a span, bound to the query parameter ``key``; whole where the default is.
    ``look`` is its ``step``, and may be its ``format`` and its ``help``."""
    return type(default)(draw(label, *span, value=default, key=key, bind="query-params", **look))


def linked_slider(label: str, span: tuple[N, N], default: N, key: str, **look: Any) -> N:
    """A slider over a span; arguments as for :func:`linked_number`."""
    return linked_number(label, span, default, key, draw=st.slider, **look)


def linked_switch(label: str, default: bool, key: str, *, help: str | None = None) -> bool:
    """A switch bound to the query parameter ``key``."""
    return bool(st.toggle(label, default, key=key, bind="query-params", help=help))


def choose_sigma() -> float:
    """The sigma slider, in [0, 1] units with grey levels beside it."""
    sigma = linked_slider("Noise sigma", (0.01, 1.0), 0.25, "sigma", step=0.01, help=SHARED["sigma"])
    st.caption(f"= {sigma * 255:.0f}/255 grey levels")
    return sigma


def choose_seed(key: str = "seed", blank: str = "drawn") -> int | None:
    """The seed of the noise; None where the field is blank. :func:`link_seed` puts what is used then into the link."""
    asked = newly_asked(key)
    if asked:
        st.session_state[key] = int(asked[-1]) if asked[-1].isdecimal() and int(asked[-1]) <= MAX_SEED else None
    field = partial(st.number_input, placeholder=blank, help=SHARED["seed"], persist_state="session")
    value = field("seed", 0, MAX_SEED, value=None, step=1, key=key)
    return None if value is None else int(value)


def drawn_seed(*asked: Hashable) -> int:
    """A seed that was drawn for what is asked, when it was asked first in this session."""
    seeds: dict[tuple[Hashable, ...], int] = st.session_state.setdefault(DRAWN, {})
    return seeds.setdefault(asked, fresh_seed())


def link_seed(seed: int | None, key: str = "seed") -> None:
    """Put the seed that is used into the link, so that whoever follows it gets the same; None for an example that is stored."""
    write_link(key, [] if seed is None else [str(seed)])


def choose_alpha(key: str, label: str = "alpha") -> float:
    """The chance that a certificate may be wrong."""
    alpha = st.selectbox(label, ALPHAS, index=2, format_func=lambda a: f"{a:g}", key=key, bind="query-params")
    return float(alpha)


def choose_program(settings: Settings) -> Settings:
    """The settings with what computes the networks and their number format, folded away; says what cannot be had here."""
    with st.expander("Device: engine, number format", icon=":material/memory:"):
        left, right = st.columns(2)
        with left:
            engine = linked_choice("Engine", _ENGINES, "auto", "engine", help=SHARED["engine"])
        with right:
            precision = linked_choice("Number format", _PRECISIONS, "auto", "precision", help=SHARED["precision"])
        missing = not_installed(engine)
        if missing is not None:
            st.warning(f"{missing}; the networks are computed eagerly.", icon=":material/memory:")
        if precision == "bfloat16":
            from core.device import pick_device  # torch takes seconds: not before it is asked
            from core.engines.programs import computes

            if not computes("bfloat16", pick_device()):
                st.warning(SHARED["slow"], icon=":material/memory:")
    return replace(settings, engine=engine, precision=precision)


def key_for(name: str, classifier: str) -> str:
    """The key of a control whose choices depend on the classifier, so that another one starts from its own default."""
    return name if classifier == "bundled/cifar10" else f"{name}-{classifier.rpartition('/')[2]}"


def read_link() -> None:
    """Keep what the link asks for, before any widget takes it up. Call first on a page."""
    # What stood in the link when the last page was done was put there by controls, and they may have been moved since.
    seen: dict[str, list[str]] = st.session_state.get(SEEN, {})
    asked = {key: values for key in st.query_params if (values := st.query_params.get_all(key)) != seen.get(key)}
    # A rerun half way through the page has lost what was refused: keep it until a page was drawn to its end.
    st.session_state[PENDING] = st.session_state.get(PENDING, {}) | asked
    st.session_state[PLACE] = st.empty()


def say_refused() -> None:
    """Name the values that were replaced by defaults, at the top of the page. Call last on a page."""
    asked: dict[str, list[str]] = st.session_state.pop(PENDING, {})
    st.session_state[SEEN] = {key: st.query_params.get_all(key) for key in st.query_params}
    state: Mapping[str, Any] = {key: st.session_state[key] for key in asked if key in st.session_state}
    sentences = refused(asked, state)
    place = st.session_state.pop(PLACE, None)
    if sentences and place is not None:
        place.warning(plain(" ".join(sentences)), icon=":material/link_off:")


def refused(asked: Mapping[str, Sequence[str]], used: Mapping[str, Any]) -> list[str]:
    """A sentence for each value of a link that is not the one in use.

    Args:
        asked: the values of the link, by key.
        used: what the controls hold now; keys that no control has are not spoken of.

    >>> refused({"sigma": ["lots"], "n": ["1000"]}, {"sigma": 0.25, "n": 1000})
    ["The link asks for sigma = 'lots', which is not possible here: 0.25 is used."]
    """
    sentences = []
    for key, value in used.items():
        # A control for several that holds nothing stands as "none" in a link.
        held = ([_text(v) for v in value] or ["none"]) if isinstance(value, list | tuple) else [_text(value)]
        wrong = [text for text in asked.get(key, ()) if not any(_same(text, h) for h in held)]
        if wrong:
            told = ", ".join(repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") for text in wrong)
            sentences.append(f"The link asks for {key} = {told}, which is not possible here: {', '.join(held)} is used.")
    return sentences


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def _same(asked: str, held: str) -> bool:
    if asked.strip().lower() == held.lower() or (held == "true" and asked.strip().lower() in ("1", "yes", "on")):
        return True
    try:
        return float(asked) == float(held)
    except ValueError:
        return False
