"""The folded-away controls of the Certify page, which make one Settings: numbers, and the kind of guarantee. All are linked."""

from dataclasses import replace
from functools import partial

import streamlit as st

from core.errors import LabError
from core.report.notation import norm_name
from core.smoothing.radius import NORMS, OWN_NORM, raised
from core.smoothing.settings import MOST_TRIES, Settings
from core.studies.records import Study, StudyRequest
from core.ui.linked import (
    SHARED,
    choose_alpha,
    choose_seed,
    linked_choice,
    linked_number,
    linked_switch,
    newly_asked,
    write_link,
)
from core.ui.sentences import stored_texts

PROSE = stored_texts("pages/certify")
LARGEST_RADIUS = 100.0


def choose_samples(sigma: float) -> tuple[Settings, bool, int | None]:
    """Samples, alpha and bound, folded away, at a sigma; whether to compare with no denoiser; and a seed that is asked for."""
    with st.expander("Samples, confidence, seed", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            n = linked_number("n: samples counted", (20, 100_000), 1_000, "n", step=100, help=PROSE["n"])
            n0 = linked_number("n0: samples that choose the class", (10, 1_000), 100, "n0", step=10, help=PROSE["n0"])
        with middle:
            alpha = choose_alpha("alpha", "alpha: chance the certificate is wrong")
            seed = choose_seed()
            spent = bool(st.toggle("All tries together keep alpha", key=_SPENT, help=PROSE["spent"], persist_state="session"))
            tries = 1 if spent else _choose_tries()
        with right:
            method = linked_choice("Bound", SHARED["methods"], "anytime", "bound", help=PROSE["bound"])
            compare = linked_switch("Compare with no denoiser", True, "compare")
    return Settings(sigma, n0=n0, n=n, alpha=alpha, method=method, tries=tries), compare, seed


def _choose_tries() -> int:
    """Not bound to the link by Streamlit, since :func:`link_part` writes there, too."""
    if asked := newly_asked("tries"):
        known = asked[-1].isdecimal() and len(asked[-1]) < 8 and 1 <= int(asked[-1]) <= MOST_TRIES
        st.session_state["tries"] = int(asked[-1]) if known else 1
    field = partial(st.number_input, step=1, help=PROSE["tries"], persist_state="session")
    tries = int(field("Tries that share alpha", 1, MOST_TRIES, key="tries"))
    write_link("tries", [] if tries == 1 else [str(tries)])
    return tries


_SPENT, _MADE = "spend-alpha", "tries-made"
Tried = tuple[str, str, int | None, Settings]


def _made(picture: str) -> dict[Tried, float]:
    """The certificates of a picture that were begun in this session, the first first, and the chance that each is wrong."""
    found: dict[Tried, float] = st.session_state.setdefault(_MADE, {}).setdefault(picture, {})
    return found


def _tried(request: StudyRequest) -> list[Tried]:
    """The certificates of a request. In another norm, or at another alpha, the same votes are no other try."""
    same = replace(request.settings, norm=None, alpha=0.001, tries=1)
    alone = request.compare and request.denoiser != "none"
    return [(request.classifier, name, request.size, same) for name in (request.denoiser, *(("none",) if alone else ()))]


def with_part(picture: str, request: StudyRequest) -> StudyRequest:
    """The request with its part of alpha, where alpha is spent over all tries on a picture: of the k-th alpha / (k (k + 1))."""
    if not st.session_state.get(_SPENT):
        return request
    tried = _tried(request)
    order = list(dict.fromkeys([*_made(picture), *tried]))
    k = 1 + max(map(order.index, tried))
    return replace(request, settings=replace(request.settings, tries=k * (k + 1)))


def link_part(request: StudyRequest) -> None:
    """Put what alpha was divided by into the link, where no field holds it, so that whoever follows it gets the same."""
    if st.session_state.get(_SPENT):
        write_link("tries", [str(request.settings.tries)])


def note_tries(picture: str, request: StudyRequest, study: Study | None = None) -> None:
    """Count the certificates of a request among the tries on a picture: begun, or with what came of them."""
    made, s = _made(picture), request.settings
    certificates = (None, None) if study is None else (study.certificate, study.without)
    for one, c in zip(_tried(request), certificates, strict=False):
        made[one] = max(made.get(one, 0.0), s.alpha / s.tries if c is None else c.failure_probability)


def say_tries(picture: str, alpha: float) -> None:
    """How many certificates of a picture this session has begun, and how often the best of them errs."""
    chances = list(_made(picture).values())
    if len(chances) < 2:
        return
    together = round(min(1.0, sum(chances)), 12)
    each = f" = {len(chances)} x {chances[0]:g}" if len(set(chances)) == 1 else ""
    known = {"count": len(chances), "together": raised(together, ".3g") + each, "alpha": f"{alpha:g}"}
    st.caption(PROSE["tried-within" if together <= alpha else "tried-beyond"].format(**known))


def choose_guarantee(settings: Settings) -> Settings:
    """The settings with noise, norm, kind of proof and a radius to settle, folded away with a sentence on what is chosen."""
    with st.expander("Noise, norm, kind of proof", icon=":material/shield:"):
        left, middle, right = st.columns(3)
        with left:
            noise = linked_choice("Noise", PROSE["noises"], "gaussian", "noise", help=PROSE["noise"])
            own = OWN_NORM[noise]
            names = {norm: f"{norm_name(norm)} (this noise's own)" if norm == own else norm_name(norm) for norm in NORMS}
            key = "norm" if noise == "gaussian" else f"norm-{noise}"  # each noise begins with its own norm
            norm = linked_choice("Norm of the radius", names, own, key, help=PROSE["norm"])
        with middle:
            sound = linked_switch("Sound (exact 8-bit noise)", False, "sound", help=PROSE["sound"])
            two_sided = linked_switch("Both classes (two-sided)", False, "two-sided", help=PROSE["two-sided"])
        with right:
            span, title = (0.0, LARGEST_RADIUS), "Radius to settle (0: run to n)"
            until = linked_number(title, span, 0.0, "until", step=0.05, format="%g", help=PROSE["until"])
        st.caption(_explained(noise, sound))
    chosen = None if norm == own else norm
    return replace(settings, noise=noise, norm=chosen, sound=sound, two_sided=two_sided, until_radius=until or None)


def objection(settings: Settings) -> str | None:
    """One sentence where these choices do not go together; None where they do. What depends on the picture comes later."""
    if settings.sound and settings.noise != "gaussian":
        return PROSE["objection-sound"].format(noise=settings.noise)
    if settings.until_radius is not None and settings.method != "anytime":
        return PROSE["objection-until"]
    try:
        settings.check()
    except LabError as error:
        return str(error)
    return None


def _explained(noise: str, sound: bool) -> str:
    own, others = norm_name(OWN_NORM[noise]), PROSE[f"noise-{noise}"]
    words = PROSE["explained"].format(noise=PROSE["noises"][noise], own=own, others=others)
    words += PROSE["explained-not-gaussian"] if noise != "gaussian" else ""
    return words + (PROSE["explained-sound"] if sound else "")
