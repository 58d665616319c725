"""A process that asks an API and may be killed at any moment. Started once, it forks itself for every round.

Reads ``URL LEDGER BUDGET N`` a line; prints the pid of the process that asks, then, when it has ended, its exit status.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.apis.certify import certify_remote
from core.apis.http import HttpEndpoint, parse_endpoint
from core.apis.ledger import Ledger
from core.smoothing.settings import Settings


def ask(url: str, path: str, budget: float, n: int) -> None:
    endpoint = parse_endpoint(f'url = "{url}"\nprice = 0.01\nrate = 2000\nconcurrency = 4\ntimeout = 5.0', "test")
    picture = Image.fromarray(np.full((8, 8, 3), 150, dtype=np.uint8))
    certify_remote(
        picture,
        HttpEndpoint("api/http/test", endpoint, {}),
        None,
        Settings(sigma=0.5, n0=10, n=n),
        ledger=Ledger(Path(path)),
        budget=budget,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in sys.stdin:
        url, path, budget, n = line.split()
        child = os.fork()
        if child == 0:
            try:
                ask(url, path, float(budget), int(n))
            finally:
                os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)
