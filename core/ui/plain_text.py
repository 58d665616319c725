"""Text of strangers where Streamlit reads Markdown."""

from __future__ import annotations

import re

import streamlit as st

_SIGNS = re.compile(r"([\\`*_\[\]<>~$:!&#|])")


def plain(text: str) -> str:
    r"""Text that Markdown shows as it stands: no word of a stranger's becomes a link, or a picture fetched from elsewhere.

    >>> print(plain("![x](http://a/b.png)"))
    \!\[x\](http\://a/b.png)
    """
    return _SIGNS.sub(r"\\\1", text)


def show_error(error: Exception | str, icon: str = ":material/error:") -> None:
    """What went wrong, as it stands: it may hold a file's name, or what a server answered."""
    st.error(plain(str(error)), icon=icon)
