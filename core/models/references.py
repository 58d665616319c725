"""Model references: one string that names a model everywhere (pages, links, command line, certificates).

The grammar is described in docs/model-references.md.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import LabError
from core.folders import ASSETS, home_folder
from core.models.labels import NAME_LISTS

BUNDLED_FOLDER = ASSETS / "models"
KINDS = ("bundled", "package", "torchvision", "hub", "local", "trained", "classical", "none")
PRECISIONS = ("bf16",)
"""What may stand behind a colon: the number format in which the network computes, where it is not float32."""
MAX_LENGTH = 1024

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_ARCHITECTURE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_WEIGHTS = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95}){0,3}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Reference:
    """A parsed reference: ``kind/name[@revision][:names][:precision]``, or just ``none``.

    Attributes:
        kind, name: one of :data:`KINDS`; ``OWNER/NAME`` on the Hub, an architecture of torchvision, a path, or a plain name.
        revision: branch, tag or commit hash on the Hub; the weights' name for torchvision; None where not given.
        names: one of :data:`~core.models.labels.NAME_LISTS`: what the user says a classifier's classes are; None for its own.
        precision: one of :data:`PRECISIONS`, or None for float32. A network that rounds is another network, so this belongs to
            its name.
    """

    kind: str
    name: str
    revision: str | None = None
    names: str | None = None
    precision: str | None = None

    def __str__(self) -> str:
        plain = self.kind if self.kind == "none" else f"{self.kind}/{self.name}"
        at = "" if self.revision is None else f"@{self.revision}"
        return f"{plain}{at}{self.suffix}"

    @property
    def suffix(self) -> str:
        """``:names:precision``, as far as they were given."""
        return "".join(f":{said}" for said in (self.names, self.precision) if said is not None)


def is_commit(revision: str) -> bool:
    """Whether it is a full commit hash: 40 hexadecimal digits."""
    return _COMMIT.fullmatch(revision) is not None


def pinned(ref: str, revision: str | None) -> str:
    """The reference that loads exactly this model again: on the Hub with the commit, elsewhere as it is.

    >>> pinned("hub/timm/resnet18.a1_in1k", "0123456789abcdef0123456789abcdef01234567")
    'hub/timm/resnet18.a1_in1k@0123456789abcdef0123456789abcdef01234567'
    >>> pinned("bundled/cifar10", "93d2"), pinned("none", None)
    ('bundled/cifar10', 'none')
    """
    if not ref.startswith("hub/") or "@" in ref or not revision or not is_commit(revision):
        return ref
    return str(replace(parse_reference(ref), revision=revision))


def parse_reference(text: str) -> Reference:
    """Parse ``bundled/NAME``, ``package/NAME``, ``torchvision/ARCH[@WEIGHTS]``, ``hub/OWNER/NAME[@REVISION]``,
    ``local/PATH``, ``trained/NAME``, ``classical/NAME`` or ``none``; behind all but the last two may stand ``:bf16``, and
    before it what data set the classes of a classifier without names are of, such as ``:imagenet``.
    Raises LabError where it is none of these, or where a name could lead out of the place that it names.

    >>> parse_reference("hub/timm/resnet18.a1_in1k@main")
    Reference(kind='hub', name='timm/resnet18.a1_in1k', revision='main', names=None, precision=None)
    >>> str(parse_reference("torchvision/resnet50"))
    'torchvision/resnet50'
    >>> parsed = parse_reference("hub/someone/digits:cifar10:bf16")
    >>> parsed.names, parsed.precision, str(parsed)
    ('cifar10', 'bf16', 'hub/someone/digits:cifar10:bf16')
    """
    text, precision = _without(text.strip(), PRECISIONS)
    text, names = _without(text, NAME_LISTS)
    if precision is not None or names is not None:
        plain = parse_reference(text)
        if plain.kind in ("none", "classical"):
            lacks, said = ("precision", precision) if precision else ("classes", names)
            raise LabError(f"{_shown(text)} is no network: it has no {lacks}. Leave :{said} out.")
        return replace(plain, names=names, precision=precision)
    kind, slash, name = text.partition("/")
    if kind == "none" and not slash:
        return Reference("none", "")
    if kind not in KINDS or kind == "none" or not name:
        raise LabError(
            f"Unknown model reference {_shown(text)}: expected bundled/NAME or local/PATH, package/NAME,"
            " hub/OWNER/NAME[@REVISION] or torchvision/ARCH[@WEIGHTS] (denoisers also none, classical/NAME and trained/NAME);"
            " 'python -m core models' lists what is bundled."
        )
    if len(text) > MAX_LENGTH or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise LabError(f"The model reference {_shown(text)} is too long or holds control characters: type it again.")
    if kind == "hub":
        return _hub(text, name)
    if kind == "torchvision":
        return _torchvision(text, name)
    if kind == "package" and not _PLAIN.fullmatch(name):
        raise LabError(
            f"{_shown(text)} names no model of a package: expected package/NAME, such as package/efficientnet-lite0."
        )
    if kind == "trained" and not _PLAIN.fullmatch(name):
        raise LabError(
            f"{_shown(text)} names no model that was trained here: expected trained/NAME in letters, digits and '-'."
        )
    return Reference(kind, name)


def check_repository_name(name: str) -> None:
    """See that a Hub repository is named ``OWNER/NAME``, as the Hub allows it.
    Raises LabError for anything else, paths above all."""
    parts = name.split("/")
    fine = len(parts) == 2 and all(_PLAIN.fullmatch(part) for part in parts)
    if not fine or "--" in name or ".." in name or name.endswith((".git", ".", "-")) or "./" in name or "-/" in name:
        raise LabError(
            f"{_shown(name)} names no repository of the Hub: expected OWNER/NAME in letters, digits, '-', '_' and '.',"
            " such as timm/resnet18.a1_in1k."
        )


def check_revision(revision: str) -> None:
    """See that a revision is a branch, a tag or a commit hash. Raises LabError for anything else."""
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise LabError(f"{_shown(revision)} is no revision: expected a branch, a tag or a commit hash, such as main.")


def _without(text: str, known: Iterable[str]) -> tuple[str, str | None]:
    """A reference and what stands behind its last colon, where that is one of ``known``."""
    plain, _, last = text.rpartition(":")
    return (plain, last) if last in known and plain else (text, None)


def _hub(text: str, name: str) -> Reference:
    repository, at, revision = name.partition("@")
    check_repository_name(repository)
    if at:
        check_revision(revision)
    return Reference("hub", repository, revision if at else None)


def _torchvision(text: str, name: str) -> Reference:
    architecture, at, weights = name.partition("@")
    if not _ARCHITECTURE.fullmatch(architecture) or (at and not _WEIGHTS.fullmatch(weights)):
        raise LabError(
            f"{_shown(text)} names no model of torchvision: expected torchvision/ARCH[@WEIGHTS], such as torchvision/resnet50."
        )
    return Reference("torchvision", architecture, weights if at else None)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:117] + "...")


def model_folder(reference: Reference) -> Path:
    """The folder a ``bundled`` or ``trained`` reference names, or the folder or weights file of a ``local`` one.
    Raises LabError where there is none."""
    if reference.kind == "bundled":
        known = bundled_names()
        if reference.name not in known:
            raise LabError(f"There is no bundled model {reference.name!r}: choose one of {', '.join(known)}.")
        return BUNDLED_FOLDER / reference.name
    if reference.kind == "trained":
        folder = trained_folder() / reference.name
        if not folder.is_dir():
            raise LabError(f"There is no denoiser {reference.name!r} that was trained here; it may have been deleted.")
        return folder
    folder = Path(reference.name).expanduser()
    if not folder.exists():
        raise LabError(f"There is no folder or file {str(folder)!r}: local/PATH must name a model's folder or weights file.")
    return folder


def trained_folder() -> Path:
    """Where the denoisers lie that were trained on the Train page, and models that the operator puts there."""
    return home_folder() / "models"


def bundled_names() -> list[str]:
    """Names of the models that come with the project."""
    return sorted(p.parent.name for p in BUNDLED_FOLDER.glob("*/config.json"))
