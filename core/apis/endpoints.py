"""Endpoints that the operator of the app has described: TOML files in a folder of the machine that runs it.

Visitors choose among these by name. They cannot bring addresses of their own, since the machine that runs the Lab would send
requests, and headers filled from its environment, wherever a stranger says.
"""

from __future__ import annotations

from pathlib import Path

from core.folders import home_folder


def endpoints_folder() -> Path:
    """``endpoints`` in the Lab's own folder."""
    return home_folder() / "endpoints"


def described_endpoints() -> dict[str, str]:
    """References ``api/http/PATH`` by the names of the files."""
    folder = endpoints_folder()
    return {path.stem: f"api/http/{path}" for path in sorted(folder.glob("*.toml"))} if folder.is_dir() else {}
