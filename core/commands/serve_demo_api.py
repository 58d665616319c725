"""`serve-demo-api`: a classifier behind HTTP, as a stranger's API would be."""

import argparse
import sys
from typing import Any

from core.apis.demo import DEMO_CLASSIFIER, DemoServer
from core.errors import LabError


def add_serve_demo_api_verb(verbs: Any) -> None:
    """Add the verb to the parser's sub-commands."""
    parser = verbs.add_parser(
        "serve-demo-api", help="serve a classifier over HTTP, to try certify on an API", allow_abbrev=False
    )
    parser.add_argument("--classifier", default=DEMO_CLASSIFIER, metavar="REF", help="what answers (%(default)s)")
    parser.add_argument("--port", type=int, default=8600, help="0 takes a free one (%(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="where to listen (%(default)s: this machine alone)")
    parser.set_defaults(run=run_serve_demo_api)


def run_serve_demo_api(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    if not 0 <= args.port <= 65535:
        raise LabError(f"--port is {args.port}: expected 0 to 65535.")
    with DemoServer(args.classifier, args.host, args.port) as server:
        try:
            print(f"Serving {args.classifier} at {server.url}", flush=True)
            print("Describe it in a TOML file, and certify with --classifier api/http/FILE:", file=sys.stderr)
            print(f'    url = "{server.url}"\n    price = 0.001', file=sys.stderr, flush=True)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            print(f"serve-demo-api: stopped after {server.asked:,} pictures.", file=sys.stderr)
    return 0
