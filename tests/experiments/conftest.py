"""The experiments are run as the verbs are."""

from tests.commands.conftest import run

__all__ = ["run"]
