"""Files of a repository into the cache: with progress, stoppable, resumed, and checked against the hash that the Hub lists.

The cache is laid out as the client library lays it out, so that every program shares it. The transfer is done here, since
the library (2.x) starts a broken download from its first byte, cannot be stopped, and does not compare hashes.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import LabError
from core.models.hub import access
from core.models.hub.cached import repository_lock
from core.models.hub.repository import HubFile, HubRepository, check_file_name
from core.models.references import is_commit

MAX_FILE_BYTES = 5_000_000_000
MAX_TOTAL_BYTES = 10_000_000_000
SPARE_DISK_BYTES = 200_000_000
RETRIES = 3
"""How often a transfer that broke off is taken up again before the user is told."""
SLOWEST = 1_000
"""Bytes a second that a transfer has to bring, after its first seconds: a drip would keep a job for ever."""
SLOW_SECONDS = 60.0

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class DownloadProgress:
    """How far the download of a repository is, and which file is on its way.
    ``done``, ``total``: bytes, of all files together. ``seconds_left``: at the speed so far; None while that is unknown."""

    name: str
    file: str
    done: int
    total: int
    seconds_left: float | None


ProgressListener = Callable[[DownloadProgress], None]


def fetch_files(
    repository: HubRepository,
    names: Sequence[str],
    *,
    on_progress: ProgressListener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Path:
    """Bring files of a commit, but for those that are cached, into the cache; give the folder they lie in (its snapshot).

    Every tenth of a second ``on_progress`` is told how far it is and ``should_stop`` asked, both in the thread of the caller;
    the download then ends within half a second, and what has arrived is kept for the next try.
    Raises LabError where a file is not there, too large for the limits or the disk, does not match its hash, or the Hub fails;
    DownloadStoppedError where it was stopped.
    """
    files = [_find(repository, name) for name in names]
    folder = repository.folder / "snapshots" / repository.commit
    if repository.from_cache:
        return folder
    check_sizes(repository.name, files)
    with access.telling(repository.name, repository.revision), repository_lock(repository.name, repository.kind, should_stop):
        missing = [file for file in files if not _is_there(folder / file.name, file)]
        _check_disk(repository, sum(file.size for file in missing))
        transfer = _Transfer(repository, missing)

        def look() -> None:
            if on_progress is not None and missing:
                on_progress(transfer.progress())

        access.run_stoppable(transfer.run, should_stop, look)
        _remember(repository)
    return folder


def check_sizes(name: str, files: Sequence[HubFile]) -> None:
    """See that files are within the limits, before the first byte. Raises LabError naming the file, its size and the limit."""
    for file in files:
        if file.size > MAX_FILE_BYTES:
            raise LabError(
                f"{file.name!r} of {name!r} has {gigabytes(file.size)}, more than the {gigabytes(MAX_FILE_BYTES)} that the Lab"
                " takes: choose a smaller model."
            )
    total = sum(file.size for file in files)
    if total > MAX_TOTAL_BYTES:
        raise LabError(
            f"The files needed of {name!r} have {gigabytes(total)}, more than the {gigabytes(MAX_TOTAL_BYTES)} that the Lab"
            " takes: choose a smaller model."
        )


def gigabytes(count: int) -> str:
    """A size for people.

    >>> gigabytes(4_870_000), gigabytes(5_000_000_000), gigabytes(900)
    ('4.9 MB', '5.0 GB', '0.9 kB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.1f} kB"


class _Transfer:
    """Brings missing files into the cache in one thread, and is read in the one that waits."""

    def __init__(self, repository: HubRepository, files: Sequence[HubFile]) -> None:
        self._repository, self._files, self._total = repository, files, sum(file.size for file in files)
        self._file, self._before, self._in_file = "", 0, 0
        self._fresh, self._since = 0, time.monotonic()

    def progress(self) -> DownloadProgress:
        done = min(self._before + self._in_file, self._total)
        speed = self._fresh / max(time.monotonic() - self._since, 1e-3)
        left = (self._total - done) / speed if speed > 0 else None
        return DownloadProgress(self._repository.name, self._file, done=done, total=self._total, seconds_left=left)

    def run(self, abandon: access.Abandon) -> None:
        for file in self._files:
            blob = _blob(self._repository, file)
            if _is_there(blob, file):
                self._start(file, file.size)
            else:
                self._fetch(file, blob, abandon)
            _link(blob, self._repository.folder / "snapshots" / self._repository.commit / file.name)

    def _start(self, file: HubFile, already: int) -> None:
        self._before += self._in_file
        self._file, self._in_file = file.name, already

    def _fetch(self, file: HubFile, blob: Path, abandon: access.Abandon) -> None:
        blob.parent.mkdir(parents=True, exist_ok=True)
        part = blob.with_name(blob.name + ".incomplete")
        resumed = part.exists()
        for attempt in range(RETRIES + 1):
            try:
                hashed = access.patiently(lambda: self._receive(file, part, abandon), abandon)
            except Exception as error:
                broke_off = isinstance(
                    access.told(error, self._repository.name, self._repository.revision), access.HubUnreachableError
                )
                transient = broke_off and getattr(error, "response", None) is None  # a status is an answer: it is told at once
                if not transient or attempt == RETRIES or abandon.wait(min(0.5 * 2**attempt, 4)):
                    raise
                resumed = True
                continue
            if abandon.asked:
                return
            if hashed == file.digest:
                part.replace(blob)
                return
            part.unlink()
            if not resumed:
                break
            resumed = False  # an old piece may have been at fault: once more from the first byte
        raise LabError(
            f"{file.name!r} of {self._repository.name!r} arrived, but not with the hash that the Hub lists:"
            " it was thrown away; try again."
        )

    def _receive(self, file: HubFile, part: Path, abandon: access.Abandon) -> str:
        """Append what is missing to the part; give the hash of the whole."""
        from huggingface_hub import get_session
        from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

        if part.exists() and part.stat().st_size > file.size:
            part.unlink()
        have = part.stat().st_size if part.exists() else 0
        self._start(file, have)
        if have < file.size or not part.exists():
            address = _address(self._repository, file)
            headers = access.request_headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
            with get_session().stream("GET", address, headers=headers, timeout=access.TIMEOUT_SECONDS) as response:
                hf_raise_for_status(response)
                abandon.waits_on(response.extensions.get("network_stream"))
                start = _start_of(response) if have else 0
                if start != have:
                    self._in_file = 0
                with part.open("r+b" if have and start == have else "wb") as out:
                    out.seek(0, os.SEEK_END)
                    self._write(response, out, file.size, abandon)
                abandon.waits_on(None)
        if abandon.asked:
            return ""
        digest = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        with part.open("rb") as whole:
            while piece := whole.read(1 << 20):
                digest.update(piece)
                if abandon.asked:
                    return ""
        return digest.hexdigest()

    def _write(self, response: Any, out: BinaryIO, size: int, abandon: access.Abandon) -> None:
        began, before = time.monotonic(), self._fresh
        # Without a chunk size bytes come as they arrive: with one, up to a whole chunk is lost where the connection breaks.
        for piece in response.iter_bytes():
            if abandon.asked:
                return
            if out.tell() + len(piece) > size:
                raise LabError(
                    "The Hub sends more bytes than it lists for a file: nothing of it is used; try again, or choose another"
                    " model."
                )
            out.write(piece)
            self._in_file += len(piece)
            self._fresh += len(piece)
            seconds = time.monotonic() - began
            if seconds > SLOW_SECONDS and self._fresh - before < seconds * SLOWEST:
                raise access.HubUnreachableError(
                    f"The Hub sends less than {gigabytes(SLOWEST)} a second of {self._repository.name!r}: try again later, what"
                    " has arrived is kept."
                )


def _find(repository: HubRepository, name: str) -> HubFile:
    check_file_name(name)
    file = repository.file(name)
    if file is None:
        where = "The cache holds" if repository.from_cache else "The Hub has"
        raise LabError(
            f"{where} no file {name!r} of {repository.name!r} at {repository.commit[:12]}:"
            " connect to the Hub, or choose another."
        )
    return file


def _blob(repository: HubRepository, file: HubFile) -> Path:
    if not _HASH.fullmatch(file.digest):
        raise LabError(
            f"The Hub lists no hash of {file.name!r} in {repository.name!r}, so that it could not be checked: it is not loaded."
        )
    return repository.folder / "blobs" / file.digest


def _is_there(path: Path, file: HubFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size


def _check_disk(repository: HubRepository, needed: int) -> None:
    place = repository.folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed and free < needed + SPARE_DISK_BYTES:
        raise LabError(
            f"The disk has {gigabytes(free)} left and {repository.name!r} needs {gigabytes(needed)}:"
            " make room, or move the cache with HF_HOME."
        )


def _start_of(response: Any) -> int:
    """Where the content of an answer to a range request starts: 0 where the server sends everything."""
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if response.status_code == 206 and found else 0


def _address(repository: HubRepository, file: HubFile) -> str:
    from urllib.parse import quote

    prefix = "datasets/" if repository.kind == "dataset" else ""
    return f"{access.endpoint()}/{prefix}{repository.name}/resolve/{repository.commit}/{quote(file.name)}"


def _link(blob: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:  # no symbolic links here
        shutil.copyfile(blob, path)


def _remember(repository: HubRepository) -> None:
    """Note what the branch stands for, for the day without a network."""
    if is_commit(repository.revision):
        return
    ref = repository.folder / "refs" / repository.revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    ref.write_text(repository.commit)
