"""Processes that write to a store at once, and may be killed. Started once, it forks itself for every writer.

Reads a JSON document a line: ``{"url": ..., "work": [[name or run, [idx, ...]], ...]}``; prints the pids of the writers, one
for each piece of work, and when all have ended their exit statuses. A writer that is given a name begins a run of its own.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from core.errors import LabError
from core.evaluation.log import ImageVotes, LogLine
from core.runs.store import RunStore

REFUSED = 7


def image(idx: int) -> tuple[LogLine, ImageVotes]:
    """What every writer says of an image."""
    line = LogLine(idx, idx % 10, idx % 7, idx / 1024, idx % 10 == idx % 7, 0.5)
    return line, ImageVotes(idx, idx % 7, {idx % 7: 90, 9: 10}, 100, 0.75)


def write(url: str, run: int | str, numbers: list[int]) -> int:
    """One writer's part: image after image."""
    try:
        store = RunStore(url)
        if isinstance(run, str):
            run = store.begin(run, {"sigma": 0.25}, len(numbers))
        for idx in numbers:
            store.add(run, [image(idx)])
    except LabError as error:
        print(error, file=sys.stderr, flush=True)
        return REFUSED
    return 0


if __name__ == "__main__":
    for request in iter(sys.stdin.readline, ""):
        asked = json.loads(request)
        children = []
        for run, numbers in asked["work"]:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = write(asked["url"], run, numbers)
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            children.append(child)
        print(json.dumps(children), flush=True)
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]), flush=True)
