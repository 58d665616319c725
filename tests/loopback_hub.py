"""A small Hub on loopback that speaks the protocol of the Hugging Face Hub, with every fault a test can ask for.

Model and data set information, search with pages, trees, files with commit and entity-tag headers, ranges, large files
behind a redirect to another origin (as the Hub's storage is), renamed, gated and private repositories. Repositories can be
made and committed to: small files in the commit itself, large ones by the LFS batch protocol to the other origin.

>>> hub = LoopbackHub()
>>> commit = hub.add("owner/name", {"config.json": "{}", "model.safetensors": b"..."}, pipeline_tag="image-classification")
>>> hub.url.startswith("http://127.0.0.1:")
True
>>> hub.close()
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import yaml

LARGE = (".safetensors", ".bin", ".pth", ".pt", ".parquet", ".msgpack", ".h5", ".ckpt")
"""Files that the Hub keeps in its large file storage: their entity tag is the sha256, others' the git object's name."""
PIECE = 64 * 1024


@dataclass
class Stored:
    """One file of one commit."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def git_hash(self) -> str:
        content = self.content if not self.large else f"oid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_hash


@dataclass
class Repository:
    """One repository: commits, branches and what its page says. Tests may change every attribute at any time."""

    id: str
    kind: str = "model"
    commits: dict[str, dict[str, Stored]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: str | bool = False
    disabled: bool = False
    readers: set[str] = field(default_factory=set)
    downloads: int = 0
    likes: int = 0
    tags: list[str] = field(default_factory=list)
    pipeline_tag: str | None = None
    library_name: str | None = None
    license: str | None = None
    parameters: int | None = None

    def resolve(self, revision: str) -> str | None:
        """Commit hash of a branch, tag or hash; None where there is no such revision."""
        return revision if revision in self.commits else self.branches.get(revision)


@dataclass
class Asked:
    """One request that came in."""

    method: str
    path: str
    headers: dict[str, str]


class LoopbackHub:
    """The Hub. Attributes named here are its faults; all are off at first and may be changed at any time.

    Attributes:
        status: every answer has this HTTP status (429, 500, 503, ...) while set.
        status_on: shell pattern of the paths that ``status`` applies to, such as ``*/resolve/*``.
        status_times: how many answers ``status`` lasts for; None for ever.
        headers: more headers for those answers, such as Retry-After.
        cut_after: file downloads end after that many bytes, the connection is cut.
        cut_times: how many downloads are cut; None for ever.
        stall_after: file downloads fall silent after that many bytes, the connection stays open.
        pace: seconds between pieces of 64 KiB of a file.
        delay: seconds before every answer.
        corrupt: file names whose bytes arrive changed, with the right length.
        ranges: whether Range is honoured; the whole file is sent otherwise.
        size_lie: declared size of large files by name, where it shall differ from the real one.
        renamed: old id -> new id.
        page: most entries on a page of search results.
        requests: everything that was asked, in order.
        token: the token that opens private and gated repositories whose ``readers`` name it.
        writers: tokens that may make repositories and commit to them.
        uploads: large files by sha256, as they came in, committed or not.
        lose_uploads: whether large files are taken and forgotten, so that verifying them fails.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[Asked] = []
        self.renamed: dict[str, str] = {}
        self.page = 100
        self.writers: set[str] = set()
        self.uploads: dict[str, bytes] = {}
        self.clear_faults()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        # Large files come from another origin than the Hub itself: no token may travel there.
        self._servers = [_server(self) for _ in range(2)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url, self.storage_url = (f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers)

    def clear_faults(self) -> None:
        """Be a healthy Hub again."""
        self.status: int | None = None
        self.status_on = "*"
        self.status_times: int | None = None
        self.headers: dict[str, str] = {}
        self.cut_after: int | None = None
        self.cut_times: int | None = None
        self.stall_after: int | None = None
        self.pace = 0.0
        self.delay = 0.0
        self.corrupt: set[str] = set()
        self.ranges = True
        self.size_lie: dict[str, int] = {}
        self.lose_uploads = False

    def add(
        self, id: str, files: Mapping[str, bytes | str] | Path, *, kind: str = "model", branch: str = "main", **about: Any
    ) -> str:
        """Commit files (name -> content, or a folder) to a repository, made where there is none; give the commit hash.

        Args:
            id: ``owner/name``.
            files: all files of the new commit.
            kind: ``model`` or ``dataset``.
            branch: what the commit becomes the head of.
            about: attributes of :class:`Repository`, such as ``gated="manual"`` or ``license="mit"``.
        """
        if isinstance(files, Path):
            folder = files
            files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        stored = {}
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            stored[name] = Stored(data, name.endswith(LARGE))
        listing = json.dumps([id, {name: file.sha256 for name, file in stored.items()}])
        commit = hashlib.sha1(listing.encode()).hexdigest()
        repository = self.repositories.setdefault((kind, id), Repository(id, kind))
        repository.commits[commit] = stored
        repository.branches[branch] = commit
        for name, value in about.items():
            if not hasattr(repository, name):
                raise AttributeError(f"a repository has no {name!r}")
            setattr(repository, name, value)
        return commit

    def environment(self, home: Path) -> dict[str, str]:
        """Environment variables that make a process use this Hub, with its cache in ``home``."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def asked(self, pattern: str, method: str = "*") -> list[Asked]:
        """The requests whose path fits a shell pattern."""
        return [r for r in self.requests if fnmatch.fnmatch(r.path, pattern) and fnmatch.fnmatch(r.method, method)]

    def close(self) -> None:
        """Stop listening; connections that stall are let go."""
        self._closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _take_status(self, path: str) -> int | None:
        with self._lock:
            if self.status is None or self.status_times == 0 or not fnmatch.fnmatch(path, self.status_on):
                return None
            if self.status_times is not None:
                self.status_times -= 1
            return self.status

    def _take_cut(self) -> int | None:
        with self._lock:
            if self.cut_after is None or self.cut_times == 0:
                return None
            if self.cut_times is not None:
                self.cut_times -= 1
            return self.cut_after


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no fault of the Hub."""


def _server(hub: LoopbackHub) -> _Server:
    return _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))


_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(?:/(.*))?)?")
_PREUPLOAD = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/preupload/([^/]+)")
_COMMIT = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/commit/([^/]+)")
_LFS = re.compile(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/(batch|verify)")
_FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: LoopbackHub

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub, url = self.hub, urlsplit(self.path)
        hub.requests.append(Asked(self.command, self.path, dict(self.headers.items())))
        if hub.delay:
            hub._closing.wait(hub.delay)
        status = hub._take_status(url.path)
        if status is not None:
            return self._json({"error": "made to fail"}, status, hub.headers)
        query = parse_qs(url.query)
        if url.path in ("/api/models", "/api/datasets"):
            return self._search(url.path.rpartition("/")[2], query)
        if url.path.startswith("/storage/"):
            return self._stored(url.path.removeprefix("/storage/"))
        if found := _API.fullmatch(url.path):
            kind, name, verb, revision, below = found.groups()
            return self._about(kind.removesuffix("s"), unquote(name), verb, unquote(revision or "main"), below or "", query)
        if found := _FILE.fullmatch(url.path):
            prefix, name, revision, path = found.groups()
            return self._file("dataset" if prefix else "model", unquote(name), unquote(revision), unquote(path))
        return self._refuse(404, "", "Not found")

    # what is written

    def do_POST(self) -> None:
        body = self._body()
        if not self._passes():
            return None
        path = unquote(urlsplit(self.path).path)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if found := _PREUPLOAD.fullmatch(path):
            return self._preupload(found[1].removesuffix("s"), found[2], json.loads(body))
        if found := _LFS.fullmatch(path):
            answer = self._lfs_batch if found[3] == "batch" else self._lfs_verify
            return answer("dataset" if found[1] else "model", found[2], json.loads(body))
        if found := _COMMIT.fullmatch(path):
            return self._commit(found[1].removesuffix("s"), found[2], found[3], body)
        return self._refuse(404, "", "Not found")

    def do_PUT(self) -> None:
        """A large file, to the storage: the address is the permission, and what it names must come in."""
        body = self._body()
        if not self._passes():
            return None
        path = urlsplit(self.path).path
        sha256 = hashlib.sha256(body).hexdigest()
        if path != f"/upload/{sha256}":
            return self._refuse(400, "", "The content does not match the object id")
        if not self.hub.lose_uploads:
            self.hub.uploads[sha256] = body
        return self._send(200, {"Content-Length": "0"})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _passes(self) -> bool:
        """Take note of the request; False where a fault has answered it already."""
        hub = self.hub
        hub.requests.append(Asked(self.command, self.path, dict(self.headers.items())))
        if hub.delay:
            hub._closing.wait(hub.delay)
        status = hub._take_status(urlsplit(self.path).path)
        if status is not None:
            self._json({"error": "made to fail"}, status, hub.headers)
        return status is None

    def _writer(self, kind: str, name: str) -> Repository | None:
        """The repository, for those who may write to it; None where a refusal was already sent."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.hub.writers:
            self._refuse(403 if token else 401, "", "You don't have the rights to write to this repository")
            return None
        repository = self.hub.repositories.get((kind, name))
        if repository is None:
            self._refuse(404, "RepoNotFound", "Repository not found")
        return repository

    def _create(self, asked: dict[str, Any]) -> None:
        hub, token = self.hub, self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in hub.writers:
            return self._refuse(403 if token else 401, "", "You don't have the rights to create a model under this namespace")
        kind, name = asked.get("type") or "model", f"{asked['organization']}/{asked['name']}"
        address = f"{hub.url}/{'datasets/' if kind == 'dataset' else ''}{name}"
        if (kind, name) in hub.repositories:
            return self._json({"error": "You already created this model repo", "url": address}, 409)
        hub.add(name, {".gitattributes": "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}, kind=kind)
        hub.repositories[kind, name].private = asked.get("visibility") == "private"
        hub.repositories[kind, name].readers.add(token)
        return self._json({"url": address, "name": name})

    def _preupload(self, kind: str, name: str, asked: dict[str, Any]) -> None:
        repository = self._writer(kind, name)
        if repository is None:
            return None
        head = repository.commits[repository.branches["main"]]
        files = []
        for file in asked["files"]:
            path = file["path"]
            mode = "lfs" if path.endswith(LARGE) else "regular"
            oid = {"oid": head[path].sha256 if mode == "lfs" else head[path].git_hash} if path in head else {}
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, **oid})
        return self._json({"files": files})

    def _lfs_batch(self, kind: str, name: str, asked: dict[str, Any]) -> None:
        if self._writer(kind, name) is None:
            return None
        objects = []
        for wanted in asked["objects"]:
            entry: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"], "authenticated": True}
            if wanted["oid"] not in self.hub.uploads:
                verify = self.hub.url + self.path.replace("/batch", "/verify")
                upload = f"{self.hub.storage_url}/upload/{wanted['oid']}"
                entry["actions"] = {"upload": {"href": upload, "header": {}}, "verify": {"href": verify, "header": {}}}
            objects.append(entry)
        return self._json({"transfer": "basic", "objects": objects})

    def _lfs_verify(self, kind: str, name: str, asked: dict[str, Any]) -> None:
        if self._writer(kind, name) is None:
            return None
        if len(self.hub.uploads.get(asked["oid"], b"")) != asked["size"]:
            return self._refuse(404, "", "Object does not exist on the server")
        return self._json({})

    def _commit(self, kind: str, name: str, revision: str, body: bytes) -> None:
        repository = self._writer(kind, name)
        if repository is None:
            return None
        parent = repository.resolve(revision)
        files = {} if parent is None else {path: file.content for path, file in repository.commits[parent].items()}
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                if value["oid"] not in self.hub.uploads:
                    return self._refuse(400, "", f"LFS pointer pointed to a file that does not exist: {value['path']}")
                files[value["path"]] = self.hub.uploads[value["oid"]]
            elif entry["key"] == "deletedFile":
                files.pop(value["path"], None)
        commit = self.hub.add(name, files, kind=kind, branch=revision, **_card(files.get("README.md", b"")))
        address = f"{self.hub.url}/{name}/commit/{commit}"
        return self._json({"success": True, "commitOid": commit, "commitUrl": address, "hookOutput": ""})

    # who may see what

    def _find(self, kind: str, name: str, *, content: bool) -> Repository | None:
        """The repository, or None where an answer (not found, moved, gated, private) was already sent."""
        hub = self.hub
        if name in hub.renamed:
            target = self.path.replace(name, hub.renamed[name], 1)
            self._send(307, {"Location": target, "Content-Length": "0"})
            return None
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        repository = hub.repositories.get((kind, name))
        allowed = repository is not None and token in repository.readers
        if repository is None or (repository.private and not allowed):
            # Without a token the Hub does not even say whether the name exists.
            if token:
                self._refuse(404, "RepoNotFound", "Repository not found")
            else:
                self._refuse(401, "RepoNotFound", "Invalid username or password.")
            return None
        if repository.disabled:
            self._refuse(403, "", "Access to this resource is disabled.")
            return None
        if content and repository.gated and not allowed:
            why = f"Access to model {name} is restricted." + (" You are not in the authorized list." if token else "")
            self._refuse(403 if token else 401, "GatedRepo", why)
            return None
        return repository

    # the answers

    def _about(self, kind: str, name: str, verb: str | None, revision: str, below: str, query: dict[str, list[str]]) -> None:
        repository = self._find(kind, name, content=verb == "tree")
        if repository is None:
            return None
        commit = repository.resolve(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if verb == "tree":
            return self._json(_tree(repository.commits[commit], below, "recursive" in query))
        document = _information(repository, commit, self.hub, blobs="blobs" in query)
        return self._json(document)

    def _search(self, kind: str, query: dict[str, list[str]]) -> None:
        hub = self.hub
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        words = " ".join(query.get("search", [])).lower().split()
        author = query.get("author", [None])[0]
        filters = query.get("filter", []) + query.get("pipeline_tag", [])
        found = []
        for repository in hub.repositories.values():
            labels = {*repository.tags, repository.pipeline_tag, repository.library_name}
            if (
                repository.kind == kind.removesuffix("s")
                and (not repository.private or token in repository.readers)
                and (author is None or repository.id.startswith(f"{author}/"))
                and all(word in repository.id.lower() for word in words)
                and all(part in labels for item in filters for part in item.split(","))
            ):
                found.append(repository)
        key = query.get("sort", ["downloads"])[0]
        found.sort(key=lambda repository: (-(getattr(repository, key, 0) or 0), repository.id))
        start, limit = int(query.get("cursor", ["0"])[0]), min(int(query.get("limit", ["1000"])[0]), hub.page)
        headers = {}
        if start + limit < len(found):
            following = urlencode({**query, "cursor": [str(start + limit)]}, doseq=True)
            headers["Link"] = f'<{hub.url}/api/{kind}?{following}>; rel="next"'
        entries = []
        for repository in found[start : start + limit]:
            document = _information(repository, repository.branches["main"], hub, blobs=False)
            wanted = query.get("expand", [])
            if wanted:
                document = {k: v for k, v in document.items() if k in {"id", "modelId", "_id", *wanted}}
            elif "full" not in query:
                document.pop("siblings")
            entries.append(document)
        return self._json(entries, headers=headers)

    def _file(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self._find(kind, name, content=True)
        if repository is None:
            return None
        commit = repository.resolve(revision)
        if commit is None:
            return self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        file = repository.commits[commit].get(path)
        if file is None:
            return self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
        headers = {"X-Repo-Commit": commit, "ETag": f'"{file.git_hash}"', "Accept-Ranges": "bytes"}
        if file.large:
            size = self.hub.size_lie.get(path, len(file.content))
            location = f"{self.hub.storage_url}/storage/{kind}/{name}/{commit}/{path}"
            linked = {"X-Linked-Etag": f'"{file.etag}"', "X-Linked-Size": str(size)}
            return self._send(302, headers | linked | {"Location": location, "Content-Length": "0"})
        return self._content(file, path, headers)

    def _stored(self, path: str) -> None:
        kind, owner, name, commit, file_path = unquote(path).split("/", 4)
        file = self.hub.repositories[kind, f"{owner}/{name}"].commits[commit][file_path]
        return self._content(file, file_path, {"ETag": f'"{file.sha256}"', "Accept-Ranges": "bytes"})

    def _content(self, file: Stored, path: str, headers: dict[str, str]) -> None:
        hub, content = self.hub, file.content
        if path in hub.corrupt:
            content = bytes(255 - byte for byte in content)
        start, status = 0, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked and hub.ranges:
            start, end = int(asked[1]), int(asked[2] or len(content) - 1)
            if start >= len(content):
                return self._send(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            headers = headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            content, status = content[start : end + 1], 206
        self._send(status, headers | {"Content-Length": str(len(content)), "Content-Type": "application/octet-stream"})
        if self.command == "HEAD":
            return None
        cut = hub._take_cut()
        sent = 0
        while sent < len(content):
            piece = content[sent : sent + PIECE]
            for limit in (cut, hub.stall_after):
                if limit is not None:
                    piece = piece[: max(limit - sent, 0)]
            self.wfile.write(piece)
            sent += len(piece)
            if cut is not None and sent >= cut:
                self.close_connection = True
                return None
            if hub.stall_after is not None and sent >= hub.stall_after:
                hub._closing.wait(60)
                self.close_connection = True
                return None
            if hub.pace:
                time.sleep(hub.pace)
        return None

    # the wire

    def _refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        self._json(
            {"error": message},
            status,
            {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}) | (headers or {}),
        )

    def _json(self, document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self._send(status, {"Content-Type": "application/json", "Content-Length": str(len(body))} | dict(headers or {}))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _card(readme: bytes) -> dict[str, Any]:
    """What the Hub reads off the head of a README.md."""
    parts = readme.decode().split("---\n")
    head = yaml.safe_load(parts[1]) if len(parts) > 2 else {}
    return {name: head[name] for name in ("license", "library_name", "pipeline_tag", "tags") if name in head}


def _information(repository: Repository, commit: str, hub: LoopbackHub, *, blobs: bool) -> dict[str, Any]:
    files = repository.commits[commit]
    siblings: list[dict[str, Any]] = []
    for name, file in sorted(files.items()):
        sibling: dict[str, Any] = {"rfilename": name}
        if blobs:
            size = hub.size_lie.get(name, len(file.content))
            sibling |= {"size": size, "blobId": file.git_hash}
            if file.large:
                sibling["lfs"] = {"sha256": file.sha256, "size": size, "pointerSize": 134}
        siblings.append(sibling)
    card = {} if repository.license is None else {"license": repository.license}
    tags = [*repository.tags, *([f"license:{repository.license}"] if repository.license else [])]
    document: dict[str, Any] = {
        "_id": hashlib.md5(repository.id.encode(), usedforsecurity=False).hexdigest()[:24],
        "id": repository.id,
        "author": repository.id.partition("/")[0],
        "sha": commit,
        "lastModified": "2024-05-01T12:00:00.000Z",
        "createdAt": "2023-05-01T12:00:00.000Z",
        "private": repository.private,
        "gated": repository.gated,
        "disabled": repository.disabled,
        "downloads": repository.downloads,
        "likes": repository.likes,
        "tags": tags,
        "cardData": card,
        "siblings": siblings,
        "usedStorage": sum(len(file.content) for file in files.values()),
    }
    if repository.kind == "model":
        document["modelId"] = repository.id
        config = files.get("config.json")
        if config is not None:
            try:
                parsed = json.loads(config.content)
            except ValueError:
                parsed = {}
            if isinstance(parsed, dict):  # the Hub lists a part of the config, and diffusers' in a place of its own
                kept = ("architectures", "model_type", "auto_map", "quantization_config")
                document["config"] = {k: parsed[k] for k in kept if k in parsed}
                if "_class_name" in parsed:
                    document["config"]["diffusers"] = {"_class_name": parsed["_class_name"]}
        for name in ("pipeline_tag", "library_name"):
            if getattr(repository, name) is not None:
                document[name] = getattr(repository, name)
        if repository.parameters is not None:
            document["safetensors"] = {"parameters": {"F32": repository.parameters}, "total": repository.parameters}
    return document


def _tree(files: dict[str, Stored], below: str, recursive: bool) -> list[dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    prefix = f"{below}/" if below else ""
    for name, file in sorted(files.items()):
        if not name.startswith(prefix):
            continue
        parts = name.removeprefix(prefix).split("/")
        for depth in range(1, len(parts)):
            if recursive or depth == 1:
                folder = prefix + "/".join(parts[:depth])
                oid = hashlib.sha1(folder.encode()).hexdigest()
                entries.setdefault(folder, {"type": "directory", "oid": oid, "size": 0, "path": folder})
        if recursive or len(parts) == 1:
            entry: dict[str, Any] = {"type": "file", "oid": file.git_hash, "size": len(file.content), "path": name}
            if file.large:
                entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 134}
            entries[name] = entry
    return list(entries.values())
