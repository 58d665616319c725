"""Who visits: the login that the operator's configuration switches on, and what is said where others come in without one."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitAuthError, StreamlitMissingAuthlibError

from core.errors import LabError, first_line
from core.plain_text import plain
from core.ui.sentences import show_error
from core.visitor import OPERATOR, Door, Visitor, is_admitted, visitor_named

ENTERED = "entered"
FROM_ENVIRONMENT = "visitors"
"""What the passphrase of LAB_PASSPHRASE is called."""
SIGN_IN_FIRST = "Sign in first."
OPEN = (
    "There is no login: all who reach this address are one and the same visitor, and what one of them keeps, the others see,"
    " rename, delete and spend. The page 'Running the app for others' of the documentation says how to switch one on."
)


@dataclass(frozen=True)
class _Login:
    """What the configuration offers.

    Attributes:
        providers: of OpenID Connect, by name; the unnamed one is empty.
        passphrases: hashes by name.
        admitted: addresses and domains; where there are none, whoever a provider signs in.
    """

    providers: tuple[str, ...] = ()
    passphrases: tuple[tuple[str, str], ...] = ()
    admitted: tuple[str, ...] = ()


def visitor() -> Visitor:
    """Who visits in this session; the operator where the configuration has no login.

    Raises:
        LabError: where nobody has signed in, or may not come in.
    """
    login = _login()
    if not login.providers and not login.passphrases:
        return OPERATOR
    name, said = st.session_state.get(ENTERED, ("", ""))
    if name and dict(login.passphrases).get(name) == said:  # else it was taken out of the configuration since
        return visitor_named(name, f"passphrase:{name}", "passphrase", name)
    if login.providers and st.user.get("is_logged_in"):
        return _of_provider(login)
    raise LabError(SIGN_IN_FIRST)


def enter() -> None:
    """Let a visitor in, or draw the login and end the page there."""
    try:
        who = visitor()
    except LabError as error:
        _draw_login(str(error))
        st.stop()
    if who.operates:
        if others_come_in():
            st.warning(OPEN, icon=":material/group:")
        return
    with st.sidebar.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/person: {plain(who.name)}")
        _offer_to_leave()


def _login() -> _Login:
    """The login of the configuration. A configuration that cannot be read lets nobody in."""
    if st.secrets.load_if_toml_exists():
        sections = st.secrets.to_dict()
    elif any(Path(path).exists() for path in st.get_option("secrets.files")):
        raise LabError("The secrets of this Lab cannot be read, so nobody can sign in: its operator has to mend them.")
    else:
        sections = {}
    auth, lab = (_table(sections.get(name, {}), f"[{name}]") for name in ("auth", "lab"))
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and "client_id" in value]
    providers = (*([""] if "client_id" in auth else []), *named)
    if "auth" in sections and not providers:
        raise LabError("The section [auth] of this Lab's secrets names no provider: its operator has to add client_id.")
    passphrases = {str(k): str(v) for k, v in _table(lab.get("passphrases", {}), "passphrases of [lab]").items()}
    if "LAB_PASSPHRASE" in os.environ:  # an empty one is no hash, and opens nothing
        passphrases[FROM_ENVIRONMENT] = os.environ["LAB_PASSPHRASE"]
    admitted = lab.get("visitors", [])
    if not isinstance(admitted, list):
        raise LabError("In this Lab's secrets, visitors of [lab] is to be a list of e-mail addresses and @domains.")
    if ("visitors" in lab or "passphrases" in lab) and not providers and not passphrases:
        raise LabError("The section [lab] of this Lab's secrets is for a login, and there is none: its operator has to add it.")
    return _Login(providers, tuple(sorted(passphrases.items())), tuple(map(str, admitted)))


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise LabError(f"In this Lab's secrets, {name} is to be a table.")
    return value


def _of_provider(login: _Login) -> Visitor:
    """The visitor whom a provider signed in."""
    user = st.user
    email, subject = str(user.get("email") or ""), str(user.get("sub") or "")
    name = email or str(user.get("name") or "") or "signed in"
    if user.get("provider", "default") not in {provider or "default" for provider in login.providers}:
        raise LabError(SIGN_IN_FIRST)  # by one that was taken out of the configuration since
    if not subject:
        raise LabError("The provider does not say who you are (its answer has no 'sub'): sign in in another way.")
    address = "" if user.get("email_verified") is False or "@" not in email else email
    if login.admitted and not is_admitted(address, login.admitted):
        raise LabError(f"You are signed in as {name}, who is not among this Lab's visitors: ask its operator.")
    return visitor_named(name, address, "oidc", str(user.get("iss") or user.get("provider") or ""), subject)


def _draw_login(why: str) -> None:
    """The ways in, and why one did not lead there."""
    st.title("Denoised Smoothing Lab")
    try:
        login = _login()
    except LabError as error:
        show_error(error)
        return
    if why != SIGN_IN_FIRST:
        show_error(why)
        _offer_to_leave()
        return
    st.markdown("Sign in to use it. What you make is kept as yours.")
    for provider in login.providers:
        label = f"Sign in with {plain(provider)}" if provider else "Sign in"
        if st.button(label, type="primary", icon=":material/login:", key=f"login-{provider}"):
            try:
                st.login(provider or None)
            except (StreamlitAuthError, StreamlitMissingAuthlibError) as error:
                show_error(f"Nobody can sign in this way: {first_line(error)}")
    if login.passphrases:
        with st.form("passphrase", width=400):
            said = st.text_input("Passphrase", type="password", max_chars=1000)
            pressed = st.form_submit_button("Enter", icon=":material/key:")
        if pressed:
            try:
                name = _door(login.passphrases).enter(said, st.context.ip_address or "")
            except LabError as error:
                show_error(error)
                return
            st.session_state[ENTERED] = (name, dict(login.passphrases)[name])
            st.rerun()


@st.cache_resource(show_spinner=False, max_entries=1)
def _door(passphrases: tuple[tuple[str, str], ...]) -> Door:
    """One for the whole process, so that tries are counted together."""
    return Door(dict(passphrases))


def _offer_to_leave() -> None:
    if st.button("Sign out", icon=":material/logout:", key="sign-out"):
        left = st.session_state.get(ENTERED)
        st.session_state.clear()  # whoever comes next in this tab finds nothing of what was looked at
        if left is None:
            st.logout()
            st.stop()  # the browser goes to where its cookie is taken away: until then, it is not said to be
        st.rerun()


def others_come_in() -> bool:
    """Whether there is a login, or the app is reached by others than this machine's own browsers."""
    if not visitor().operates:
        return True
    here = st.context.url
    return not _is_loopback(st.get_option("server.address")) or (here is not None and not _is_loopback(urlsplit(here).hostname))


def _is_loopback(host: str | None) -> bool:
    if host is None or host == "localhost" or host.endswith(".localhost"):
        return host is not None
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
