"""The app as ``streamlit run`` starts it, in a process that says what it uses to whoever connects to the socket LAB_METER."""

from __future__ import annotations

import os
import sys
import threading
import time
from multiprocessing.connection import Listener
from pathlib import Path

from streamlit.web.cli import main

OWN = Path("/proc/self")


def usage() -> dict[str, float]:
    """Seconds of CPU (all, and of the threads that compute jobs), resident MB, threads, open files."""
    known = {thread.native_id: thread.name for thread in threading.enumerate()}
    # What Python does not know are torch's own threads.
    jobs = sum(_seconds(task) for task in (OWN / "task").iterdir() if known.get(int(task.name), "job-").startswith("job-"))
    return {
        "cpu": time.process_time(),
        "jobs": jobs,
        "memory": int((OWN / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "threads": len(list((OWN / "task").iterdir())),
        "files": len(list((OWN / "fd").iterdir())) - 1,
    }


def _seconds(task: Path) -> float:
    try:
        fields = (task / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # ended meanwhile
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answer(listener: Listener) -> None:
    """Tell everybody who connects."""
    while True:
        with listener.accept() as connection:
            connection.send(usage())


if __name__ == "__main__":
    threading.Thread(target=answer, args=(Listener(os.environ["LAB_METER"], "AF_UNIX"),), daemon=True).start()
    sys.argv = ["streamlit", "run", *sys.argv[1:]]
    main()
