"""The command line: `python -m core VERB`."""

import argparse
import sys
from collections.abc import Sequence

from core.commands.apis import add_serve_demo_api_verb
from core.commands.attack import add_attack_verb
from core.commands.bench import add_bench_verb
from core.commands.certify import add_certify_verb, add_predict_verb
from core.commands.curve import add_curve_verb
from core.commands.denoise import add_denoise_verb
from core.commands.evaluate import add_evaluate_verb
from core.commands.models import add_models_verb
from core.commands.passphrase import add_passphrase_verb
from core.commands.quantize import add_quantize_verb
from core.commands.terminal import CommandParser, run_program
from core.commands.train import add_training_verbs
from core.commands.verify import add_verify_verb
from core.versions import LAB_VERSION

PROGRAM = "python -m core"


def build_parser() -> argparse.ArgumentParser:
    """The parser with all verbs."""
    parser = CommandParser(prog=PROGRAM, description="Denoised smoothing: certified image classification.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"Denoised Smoothing Lab {LAB_VERSION}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    add_certify_verb(verbs)
    add_predict_verb(verbs)
    add_denoise_verb(verbs)
    add_attack_verb(verbs)
    add_evaluate_verb(verbs)
    add_curve_verb(verbs)
    add_models_verb(verbs)
    add_training_verbs(verbs)
    add_verify_verb(verbs)
    add_bench_verb(verbs)
    add_quantize_verb(verbs)
    add_serve_demo_api_verb(verbs)
    add_passphrase_verb(verbs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code, as :func:`core.commands.terminal.run_program`."""
    arguments = sys.argv[1:] if argv is None else argv
    return run_program(build_parser, arguments, next((word for word in arguments if not word.startswith("-")), PROGRAM))


if __name__ == "__main__":
    sys.exit(main())
