"""A process that runs commands and may be killed at any moment. Started once, it forks itself for every command.

Reads the arguments of a command as a JSON list; prints the pid of the process that runs it, then, when it has ended, a line
that says so; reads a line, and prints the exit status.
"""

from __future__ import annotations

import json
import os
import sys

import torch

from core.__main__ import main

if __name__ == "__main__":
    torch.set_num_threads(1)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            code, sys.stdout = 1, sys.stderr
            try:
                code = main(json.loads(line))
            finally:
                os._exit(code)
        print(child, flush=True)
        # Its number stays its own until the next line, so that whoever kills it late kills nobody else.
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        print("ended", flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
