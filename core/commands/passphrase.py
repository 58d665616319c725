"""`passphrase`: what the configuration keeps of a passphrase that opens a served app."""

import argparse
import getpass
import sys
from typing import Any

from core.errors import LabError
from core.visitor import hashed_passphrase


def add_passphrase_verb(verbs: Any) -> None:
    parser = verbs.add_parser(
        "passphrase", help="hash a passphrase for LAB_PASSPHRASE or .streamlit/secrets.toml", allow_abbrev=False
    )
    parser.set_defaults(run=run_passphrase)


def run_passphrase(args: argparse.Namespace) -> int:
    """Ask twice, or read one line of standard input, and print the hash."""
    if sys.stdin.isatty():
        said = getpass.getpass("Passphrase: ")
        if getpass.getpass("Once more: ") != said:
            raise LabError("These were two passphrases: say the same one twice.")
    else:
        said = sys.stdin.readline().rstrip("\n")
    print(hashed_passphrase(said))
    return 0
