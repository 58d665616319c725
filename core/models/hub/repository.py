"""A repository of the Hub: one commit, its files with sizes and hashes, licence, task, who may read it; and how one is made."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import LabError
from core.models.hub import access
from core.models.references import check_repository_name, check_revision, is_commit

_OUTSIDE = re.compile(r"^$|^/|[\\:\0]|(^|/)\.\.(/|$)")
UPLOADED = ("model.safetensors", "config.json", "card.json", "README.md")
"""What is uploaded of a model of the Lab; checkpoints and logs stay here."""


@dataclass(frozen=True)
class HubFile:
    """One file of a commit: its path in the repository, its bytes, and what is known of its content.
    ``sha256``: None for small files, which git keeps. ``git_hash``: git's name of the object; None where only the cache was
    asked."""

    name: str
    size: int
    sha256: str | None = None
    git_hash: str | None = None

    @property
    def digest(self) -> str:
        """What it is checked against and kept under; empty where none is known."""
        return self.sha256 or self.git_hash or ""


@dataclass(frozen=True)
class HubRepository:
    """One commit of a repository (``OWNER/NAME``, as the Hub calls it now), of the kind ``model`` or ``dataset``.
    ``revision`` is the branch, tag or hash that was asked for, which stands for ``commit``; ``notes`` are sentences for the
    user. Where only the cache was asked (``from_cache``), ``files`` are those that are cached; else all of the commit, and the
    rest is as the card or the Hub says it, ``config`` in part."""

    name: str
    kind: str
    revision: str
    commit: str
    files: tuple[HubFile, ...]
    license: str | None = None
    task: str | None = None
    library: str | None = None
    tags: tuple[str, ...] = ()
    config: dict[str, Any] | None = None
    gated: bool = False
    private: bool = False
    likes: int | None = None
    downloads: int | None = None
    from_cache: bool = False
    notes: tuple[str, ...] = ()

    @property
    def file_names(self) -> list[str]:
        """Names of all files."""
        return [file.name for file in self.files]

    @property
    def folder(self) -> Path:
        """Where the cache keeps it."""
        return access.repository_folder(self.name, self.kind)

    def file(self, name: str) -> HubFile | None:
        """The file of that name, if there is one."""
        return next((file for file in self.files if file.name == name), None)


def look_up(
    name: str, revision: str | None = None, *, kind: str = "model", should_stop: Callable[[], bool] | None = None
) -> HubRepository:
    """Ask the Hub for a repository and resolve the revision to a commit.
    Offline (HF_HUB_OFFLINE=1), and where the Hub is out of reach, the cache is asked.
    Raises LabError where the name is none, or the Hub says that it is not there, not yours, gone, or busy."""
    check_repository_name(name)
    if revision is not None:
        check_revision(revision)
    if access.is_offline():
        return from_cache(name, revision, kind=kind)
    try:
        return access.ask_hub(name, lambda: _ask(name, revision, kind), should_stop, revision)
    except access.HubUnreachableError as error:
        try:
            found = from_cache(name, revision, kind=kind)
        except LabError:
            raise error from None
        return replace(found, notes=(f"{error} Until then this is the cached commit {found.commit[:12]}.",))


def from_cache(name: str, revision: str | None = None, *, kind: str = "model") -> HubRepository:
    """What the cache holds of a repository, without a word to the Hub. Raises LabError where the cache holds no such commit."""
    check_repository_name(name)
    commit = cached_commit(name, revision, kind)
    if commit is None:
        raise LabError(access.not_cached(name, revision))
    folder = access.repository_folder(name, kind) / "snapshots" / commit
    files = sorted((p.relative_to(folder).as_posix(), p.stat().st_size) for p in folder.rglob("*") if p.is_file())
    held = tuple(HubFile(path, size) for path, size in files)
    return HubRepository(name, kind, revision or "main", commit, files=held, from_cache=True)


def cached_commit(name: str, revision: str | None = None, kind: str = "model") -> str | None:
    """The cached commit that a revision stands for: as the Hub said last time, else, without a revision, the newest one."""
    snapshots = access.repository_folder(name, kind) / "snapshots"
    ref = snapshots.parent / "refs" / (revision or "main")
    commit = revision
    if revision is None or not is_commit(revision):
        commit = ref.read_text().strip() if ref.is_file() else None
    if commit is not None and (snapshots / commit).is_dir():
        return commit
    if revision is None and snapshots.is_dir():
        newest = sorted((p for p in snapshots.iterdir() if is_commit(p.name)), key=lambda p: p.stat().st_mtime)
        return newest[-1].name if newest else None
    return None


def _ask(name: str, revision: str | None, kind: str) -> HubRepository:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=access.endpoint(), library_name="denoised-smoothing-lab")
    ask: Callable[..., Any] = api.dataset_info if kind == "dataset" else api.model_info
    found = ask(name, revision=revision, files_metadata=True, timeout=access.TIMEOUT_SECONDS)
    if not isinstance(found.sha, str) or not is_commit(found.sha):
        raise LabError(f"The Hub names no commit for {name!r}: check HF_ENDPOINT.")
    # Whatever the Hub is asked, its answers may not lead out of the cache either.
    check_repository_name(found.id)
    notes = (f"{name} was renamed: it is called {found.id} now.",) if found.id != name else ()
    return HubRepository(
        name=found.id,
        kind=kind,
        revision=revision or "main",
        commit=found.sha,
        files=tuple(_file(sibling) for sibling in found.siblings or ()),
        config=getattr(found, "config", None),
        notes=notes,
        **described(found),
    )


def described(info: Any) -> dict[str, Any]:
    """What the Hub says of a repository beside its files, by the names of :class:`HubRepository`."""
    named, tags = getattr(getattr(info, "card_data", None), "license", None), tuple(info.tags or ())
    if isinstance(named, list):
        named = ", ".join(str(part) for part in named)
    return {
        "license": named or next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), None),
        "task": getattr(info, "pipeline_tag", None),
        "library": getattr(info, "library_name", None),
        "tags": tags,
        "gated": bool(info.gated),
        "private": bool(info.private),
        "likes": info.likes,
        "downloads": info.downloads,
    }


def _file(sibling: Any) -> HubFile:
    check_file_name(sibling.rfilename)
    lfs = sibling.lfs
    size, digest = (sibling.size, None) if lfs is None else (lfs.size, lfs.sha256)
    return HubFile(sibling.rfilename, int(size or 0), digest, sibling.blob_id)


def check_file_name(name: str) -> None:
    """See that a file's name stays within its folder.
    Raises LabError where it is absolute, climbs up, or would mean something else on another system."""
    if _OUTSIDE.search(name) or Path(name).is_absolute():
        raise LabError(f"The repository lists a file {name!r}, whose name leads out of its folder: it is not touched.")


def check_upload(name: str) -> None:
    """See that an upload has a chance: before the training, not after it. The Hub itself is not asked.
    Raises LabError where the name is none, the network is forbidden, or there is no token."""
    check_repository_name(name)
    if access.is_offline():
        raise LabError("HF_HUB_OFFLINE=1 forbids the network: unset it, or leave out --push-to-hub.")
    if access.access_token() is None:
        raise LabError(f"To upload to {name!r} the Hub wants a token that may write: set HF_TOKEN, or run 'hf auth login'.")


def upload_model(folder: Path, name: str, *, private: bool = False) -> str:
    """Make the repository where there is none (a private one if asked), commit a model's files to it, and give the commit hash.
    Raises LabError where the Hub does not answer, or the token may not write there."""
    check_upload(name)
    from huggingface_hub import HfApi

    api = HfApi(endpoint=access.endpoint(), token=access.access_token(), library_name="denoised-smoothing-lab")
    with access.telling(name):
        try:
            # None where it may be public: an organisation's own default then holds.
            api.create_repo(name, exist_ok=True, private=private or None)
            commit = api.upload_folder(
                repo_id=name, folder_path=folder, allow_patterns=list(UPLOADED), commit_message="A model of the Lab"
            )
        except Exception as error:
            if getattr(getattr(error, "response", None), "status_code", None) in (401, 403):
                raise LabError(
                    f"The Hub does not let your token write to {name!r}: give HF_TOKEN one with write access to that owner."
                ) from error
            if isinstance(error, RuntimeError) and isinstance(error.__cause__, Exception):
                raise error.__cause__ from error  # how the client wraps what went wrong with a large file
            raise
    return str(commit.oid)
