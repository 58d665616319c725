"""One queue of work for the whole process: progress, stop, results that survive a rerun, turns that are fair to sessions.

A page never computes: it submits work here and looks at the job. Up to :data:`MAX_RUNNING` jobs are under way, one a
session, but only one computes at a time: whenever a job reports progress it hands its turn to the one that waited
longest. So a long certificate slows another user's short one to half speed at worst, and never makes it wait for the end.
"""

import atexit
import sys
import threading
import time
import traceback
import weakref
from collections import Counter, OrderedDict
from typing import Any

from core.errors import LabError
from core.ui.jobs.job import FairLock, Job, JobContext, JobWork, Pages, result_size

MAX_RUNNING = 8
MAX_QUEUED = 64
MAX_QUEUED_PER_SESSION = 16
KEPT_RESULTS = 256
KEPT_BYTES = 512 * 2**20
"""What finished jobs may hold in memory together; those looked at longest ago go first. The newest stays, however large."""
SWITCHED = 0.0005
"""Seconds that a thread may hold Python while others wait. The server's loop lets go of it with each message it sends: with
Python's own 0.005, 100 visitors at once had their page after 25 s while jobs ran, instead of 15."""


class JobQueue:
    """Runs submitted work in threads of its own. One instance serves all sessions of the process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queued: list[Job] = []
        self._running: list[Job] = []
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = FairLock()
        self.pages = Pages()
        self._last_served: dict[str, float] = {}
        self._away: set[str] = set()
        sys.setswitchinterval(SWITCHED)
        # A thread that computes while the interpreter is taken down brings the whole process down with it.
        atexit.register(_close, weakref.ref(self))

    def submit(self, session: str, title: str, work: JobWork, key: tuple[Any, ...] | None = None) -> Job:
        """Queue work for a session.

        Args:
            session: whose turn it uses.
            title: what the page calls it.
            work: called with a :class:`JobContext` in a thread of the queue; returns the result.
            key: names the result; where a job of the same key was finished before, and is still kept, it comes back at once;
                and one under way whose session is away, perhaps to load its page again, is gone on with.

        Raises:
            LabError: where the queue, or this session's share of it, is full.
        """
        job = Job(title, session, key, work)
        with self._changed:
            for other in [j for j in self._queued if j.abandoned]:
                self._stop(other)
            same = None if key is None else next((j for j in self._jobs.values() if j.key == key and self._serves(j)), None)
            if same is not None:
                same.session, same.looked_at = (same.session if same.whole else session), time.monotonic()
                self._jobs.move_to_end(same.id)
                return same
            if sum(j.session == session for j in self._queued) >= MAX_QUEUED_PER_SESSION:
                raise LabError(f"{MAX_QUEUED_PER_SESSION} computations of yours are waiting already: stop one, or wait.")
            if len(self._queued) >= MAX_QUEUED:
                raise LabError("The queue is full: try again in a minute.")
            self._queued.append(job)
            self._jobs[job.id] = job
            self._start_next()
        return job

    def look(self, job_id: str) -> Job | None:
        """The job with this id, or None where it was dropped for others. Looking keeps it alive."""
        with self._changed:
            job = self._jobs.get(job_id)
            if job is not None:
                job.looked_at = time.monotonic()
                self._jobs.move_to_end(job.id)
        return job

    def stop(self, job: Job) -> None:
        """Stop a job: a queued one never starts, a running one returns what it has."""
        with self._changed:
            self._stop(job)

    def mark_away(self, session: str) -> None:
        """A session's connection has ended; it may come back, or its page may be loaded again as another session."""
        with self._changed:
            self._away.add(session)

    def mark_present(self, session: str) -> None:
        """A session is there, or there again."""
        with self._changed:
            self._away.discard(session)

    def leave(self, session: str) -> None:
        """A session is gone for good: its jobs are stopped, and what only it could have looked at is dropped."""
        with self._changed:
            self._away.discard(session)
            for job in [job for job in self._jobs.values() if job.session == session]:
                job.orphan = True
                if not job.finished:
                    self._stop(job)
                elif not job.shared:
                    del self._jobs[job.id]

    def close(self, seconds: float = 5.0) -> None:
        """Stop everything, and wait that long at most for what is under way."""
        with self._changed:
            left = [*self._queued, *self._running]
            for job in left:
                self._stop(job)
        until = time.monotonic() + seconds
        for job in left:
            job.wait(max(0.0, until - time.monotonic()))

    def ahead_of(self, job: Job) -> int:
        """How many queued jobs will probably start before this one."""
        with self._changed:
            order = self._order()
            return order.index(job) if job in order else 0

    def _serves(self, job: Job) -> bool:
        """Whether a job gives what another one of its key would."""
        return job.whole or (not job.finished and not job.stopping and job.session in self._away)

    def _stop(self, job: Job) -> None:
        job.stop()
        if job in self._queued:
            self._queued.remove(job)
            job.state, job.error = "failed", "Stopped before it began."
            self._finish(job)
        self._lock.wake()

    def _finish(self, job: Job) -> None:
        """Mark a job finished, and drop the finished ones that were looked at longest ago where there are too many."""
        job.work = None  # it holds the uploaded picture at its full size
        self._jobs.move_to_end(job.id)
        job._finished.set()
        if job.orphan and not job.shared:
            del self._jobs[job.id]
        finished = [j for j in self._jobs.values() if j.finished]
        held = sum(j.size for j in finished)
        for number, old in enumerate(finished[:-1]):
            if held <= KEPT_BYTES and len(finished) - number <= KEPT_RESULTS:
                return
            held -= old.size
            del self._jobs[old.id]

    def _order(self) -> list[Job]:
        """Queued jobs, the session that was served longest ago first; within a session in the order of asking."""
        place: Counter[str] = Counter()
        ranks = {}
        for job in self._queued:
            ranks[job.id] = place[job.session], self._last_served.get(job.session, 0.0)
            place[job.session] += 1
        return sorted(self._queued, key=lambda job: ranks[job.id])

    def _start_next(self) -> None:
        busy = {job.session for job in self._running}
        for job in self._order():
            if len(self._running) >= MAX_RUNNING:
                return
            if job.session not in busy:
                busy.add(job.session)
                self._queued.remove(job)
                self._running.append(job)
                self._last_served[job.session] = time.monotonic()
                job.state = "running"
                threading.Thread(target=self._run, args=(job,), name=f"job-{job.id[:8]}", daemon=True).start()

    def _run(self, job: Job) -> None:
        self._lock.take(job)
        try:
            assert job.work is not None
            job.result = job.work(JobContext(job, self._lock, self.pages))
            job.size = result_size((job.result, job.progress))
            state = "done"
        except LabError as error:
            job.error, job.progress, state = str(error), None, "failed"
        except Exception as error:
            # A fault of the program: the log gets the traceback, the user a sentence, other jobs go on.
            traceback.print_exc()
            job.progress, state = None, "failed"
            job.error = f"Something went wrong inside the Lab ({type(error).__name__}): {error}"
        finally:
            self._lock.give_back(job)
        with self._changed:
            job.state, job.whole = state, state == "done" and not job.stopping
            self._running.remove(job)
            if not any(j.session == job.session for j in [*self._queued, *self._running]):
                self._last_served.pop(job.session, None)
            self._finish(job)
            self._start_next()


def _close(queue: weakref.ref[JobQueue]) -> None:
    if (there := queue()) is not None:
        there.close()
