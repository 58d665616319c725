"""The versions a certificate or a model card names."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


def versions() -> dict[str, str]:
    """Versions of Python, of the Lab and of the packages that decide a result."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:  # milliseconds, which every certificate would pay
    found = {"lab": LAB_VERSION, "python": platform.python_version()}
    for package in ("torch", "numpy", "scipy", "pillow"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a GPU box may hold a package under another distribution name
            found[package] = "unknown"
    return found


LAB_VERSION = "0.1.0"
