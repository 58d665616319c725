"""A certificate as a document: JSON of a published form (docs/certificate.schema.json), read with care: strangers send it.

Needs no torch, so that the app opens on a stored certificate at once.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any

from core.engines import ENGINES, PRECISIONS
from core.errors import LONGEST_FILE, LabError, one_line
from core.pictures.reading import MAX_PIXELS, ImageRecord
from core.smoothing.bounds import GROUP_SEQUENTIAL, METHODS, MIXTURE, UNIFORM
from core.smoothing.certificate import CERTIFICATE_SCHEMA, Certificate, ModelRecord
from core.smoothing.conclusion import OUTCOMES
from core.smoothing.radius import NOISES, NORMS
from core.smoothing.settings import HALF, MOST_RADII, MOST_TRIES, NEARLY_ALL

MAX_DOCUMENT_BYTES = 4 * 2**20
MAX_CLASSES = 100_000
MAX_SAMPLES = 1_000_000
MAX_TEXT = 1_024
BESIDE = ("path", "api")
"""Keys that are put beside a certificate: the picture's path, what a remote API cost. They are not part of it."""

_FAMILY, _, _VERSION = CERTIFICATE_SCHEMA.rpartition("/")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_certificate(source: bytes | str | os.PathLike[str], name: str | None = None) -> Certificate:
    """A certificate from its document: :func:`read_document` without what stands beside it."""
    return read_document(source, name)[0]


def read_document(source: bytes | str | os.PathLike[str], name: str | None = None) -> tuple[Certificate, dict[str, Any]]:
    """Read a certificate's document, and what stands :data:`BESIDE` the certificate.

    Args:
        source: the file's bytes, or its path.
        name: what to call it in messages; by default the file's name.

    Raises:
        LabError: where it cannot be read, is too large, cut short, no certificate, of another version of the schema, or
            where a key is missing, unknown, twice there, or holds something impossible.
    """
    if isinstance(source, bytes):
        data, name = source, one_line(name or "The certificate", LONGEST_FILE)
    else:
        path = Path(source)
        data, name = _read_bytes(path), name or path.name
    raw = _parse(data, name)
    _check_schema(raw, name)
    try:
        beside = {key: raw.pop(key) for key in BESIDE if key in raw}
        return certificate_of(raw), beside
    except LabError as error:
        raise LabError(f"{name} is no certificate that can be verified: {error}") from error


def certificate_of(raw: Mapping[str, Any]) -> Certificate:
    """A certificate from the dictionary that :meth:`Certificate.to_dict` makes.

    Raises LabError where a key is missing or unknown, or its value is of the wrong type or out of its range.
    """
    values = dict(raw)
    schema = values.pop("schema", None)
    if schema != CERTIFICATE_SCHEMA:
        raise LabError(f"'schema' is {_shown(schema)}, expected {CERTIFICATE_SCHEMA!r}.")
    wanted = [field for field in fields(Certificate) if field.name != "label"]
    unknown = values.keys() - {field.name for field in wanted}
    if unknown:
        raise LabError(f"the key {_shown(min(unknown))} is none of the schema.")
    read: dict[str, Any] = {"label": None}
    for field in wanted:
        if field.name in values:
            read[field.name] = _READERS[field.name](values[field.name], field.name)
        elif field.default is MISSING and field.default_factory is MISSING:  # those that came later say what was so before
            raise LabError(f"the key {field.name!r} is missing; it was altered or is incomplete.")
    if read["prediction"] is not None:
        read["prediction"], read["label"] = read["prediction"]
    return Certificate(**read)


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_DOCUMENT_BYTES + 1)
    except FileNotFoundError as error:
        raise LabError(f"There is no file {str(path)!r}: name a certificate, as 'certify --save FILE' writes it.") from error
    except OSError as error:
        raise LabError(f"{str(path)!r} cannot be read ({error.strerror}): name a certificate's JSON file.") from error


def _parse(data: bytes, name: str) -> dict[str, Any]:
    if len(data) > MAX_DOCUMENT_BYTES:
        raise LabError(f"{name} has more than {MAX_DOCUMENT_BYTES // 2**20} MB: a certificate is smaller than that.")
    try:
        raw = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise LabError(f"{name} is no text: expected a certificate's JSON file.") from error
    except json.JSONDecodeError as error:
        raise LabError(
            f"{name} is cut short or damaged (no JSON from line {error.lineno}, column {error.colno} on): save it again."
        ) from error
    except LabError as error:
        raise LabError(f"{name} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, lists nested thousands deep
        raise LabError(f"{name} holds JSON that no certificate holds: save it again.") from error
    if not isinstance(raw, dict):
        raise LabError(f"{name} holds a JSON {_kind(raw)}: expected one certificate, an object with the key 'schema'.")
    return raw


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise LabError(f"the key {_shown(twice)} stands in it twice.")
    return found


def _no_number(text: str) -> None:
    raise LabError(f"{text} is no number that JSON knows.")


def _check_schema(raw: dict[str, Any], name: str) -> None:
    schema = raw.get("schema")
    if schema == CERTIFICATE_SCHEMA:
        return
    if "schema" not in raw:
        several = raw.get("certificates")
        if isinstance(several, list):
            raise LabError(f"{name} holds a list of {len(several)} certificates: save the one to verify in a file of its own.")
        raise LabError(f"{name} is no certificate: the key 'schema' is missing, expected {CERTIFICATE_SCHEMA!r}.")
    if isinstance(schema, str) and schema.startswith(_FAMILY + "/"):
        raise LabError(
            f"{name} is of version {_shown(schema.removeprefix(_FAMILY + '/'))} of the schema, and this Lab reads version"
            f" {_VERSION}: use the version of the Lab that made it."
        )
    raise LabError(f"{name} is no certificate of the Lab: its 'schema' is {_shown(schema)}, expected {CERTIFICATE_SCHEMA!r}.")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _kind(value: object) -> str:
    return {list: "list", str: "text", bool: "truth value", type(None): "null"}.get(type(value), "number")


def _wrong(name: str, value: object, expected: str) -> LabError:
    return LabError(f"{name!r} is {_shown(value)}, expected {expected}.")


def _whole(value: Any, name: str, least: int = 0, most: int | None = None) -> int:
    # True is an int in Python and no number in JSON.
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        raise _wrong(name, value, f"a whole number of at least {least:,}" if most is None else f"{least:,} to {most:,}")
    return value


def _real(value: Any, name: str, least: float = 0.0, most: float | None = None, *, open_: bool = False) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
    except OverflowError:
        number = float("nan")
    inside = isfinite(number) and (least < number if open_ else least <= number)
    if not inside or (most is not None and not (number < most if open_ else number <= most)):
        words = f"above {least:g}" if open_ else f"of at least {least:g}"
        until = "" if most is None else f" and {'below' if open_ else 'at most'} {most:g}"
        raise _wrong(name, value, f"a number {words}{until}")
    return number


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _wrong(name, value, f"a text of at most {MAX_TEXT:,} characters")
    return value


def _one_of(value: Any, name: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _wrong(name, value, f"one of {', '.join(choices)}")
    return value


def _one_number(value: Any, name: str, choices: tuple[float, ...]) -> float:
    return float(_one_of(str(_real(value, name)), name, tuple(map(str, choices))))


def _or_null(reader: Callable[..., Any]) -> Callable[[Any, str], Any]:
    return lambda value, name: None if value is None else reader(value, name)


def _object(value: Any, name: str, readers: Mapping[str, Callable[..., Any]], later: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """What stands under each key, in the order of the readers; None where one that came later is missing."""
    if not isinstance(value, dict) or not readers.keys() - set(later) <= value.keys() <= readers.keys():
        raise _wrong(name, value, f"an object with the keys {', '.join(readers)}")
    return tuple(reader(value.get(key), f"{name}.{key}") for key, reader in readers.items())


def _list(value: Any, name: str, reader: Callable[[Any, str], Any]) -> tuple[Any, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_CLASSES:
        raise _wrong(name, value, f"a list with one entry a class, 2 to {MAX_CLASSES:,}")
    return tuple(reader(entry, f"{name}[{number}]") for number, entry in enumerate(value))


def _image(value: Any, name: str) -> ImageRecord:
    side = partial(_whole, least=1, most=MAX_PIXELS)
    image = ImageRecord(*_object(value, name, {"sha256": _hash, "height": side, "width": side}))
    if image.height * image.width > MAX_PIXELS:
        raise _wrong(name, value, f"a picture of at most {MAX_PIXELS:,} pixels")
    return image


def _hash(value: Any, name: str) -> str:
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise _wrong(name, value, "a sha256, 64 hexadecimal digits")
    return value


def _model(value: Any, name: str) -> ModelRecord:
    readers = {"ref": _text, "revision": _or_null(_text), "weights": _or_null(_hash)}
    return ModelRecord(*_object(value, name, readers, later=("weights",)))


def _versions(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 64:
        raise _wrong(name, value, "an object of names and versions")
    return {_text(key, name): _text(version, f"{name}.{key}") for key, version in value.items()}


def _radii(value: Any, name: str) -> dict[str, float]:
    if not isinstance(value, dict) or not value.keys() <= set(NORMS):
        raise _wrong(name, value, f"an object with radii by norm ({', '.join(NORMS)})")
    return {norm: _real(radius, f"{name}.{norm}") for norm, radius in value.items()}


def _table_radii(value: Any, name: str) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) > MOST_RADII:
        raise _wrong(name, value, f"a list of at most {MOST_RADII} radii")
    radii = tuple(_real(radius, f"{name}[{number}]") for number, radius in enumerate(value))
    if list(radii) != sorted(set(radii)):
        raise _wrong(name, value, "ascending radii")
    return radii


_class = partial(_whole, most=MAX_CLASSES - 1)
_samples = partial(_whole, most=MAX_SAMPLES)
_planned = partial(_whole, least=1, most=MAX_SAMPLES)
_share = partial(_real, most=1.0)
_method = partial(_one_of, choices=(*METHODS, GROUP_SEQUENTIAL))

_READERS: dict[str, Callable[[Any, str], Any]] = {
    "prediction": _or_null(partial(_object, readers={"index": _class, "label": _or_null(_text)})),
    "abstained": _truth,
    "counts": partial(_list, reader=_samples),
    "n": _samples,
    "alpha": partial(_real, most=0.5, open_=True),
    "sigma": partial(_real, most=1e6, open_=True),
    "seed": _whole,
    "stopped": _truth,
    "image": _image,
    "classifier": _model,
    "denoiser": _model,
    "labels": _or_null(partial(_list, reader=_text)),
    "device": _text,
    "seconds": _real,
    "samples_per_second": _real,
    "versions": _versions,
    "candidate": _or_null(_class),
    "radius": _real,
    "radius_ceiling": _real,
    "p_lower": _share,
    "n0": _planned,
    "n_planned": _planned,
    "norm": partial(_one_of, choices=NORMS),
    "noise": partial(_one_of, choices=NOISES),
    "method": _method,
    "method_planned": _or_null(_method),
    "failure_probability": partial(_real, most=1.0, open_=True),
    "sound": _truth,
    "two_sided": _truth,
    "runner_up": _or_null(_class),
    "p_upper": _or_null(_share),
    "radii": _radii,
    "until_radius": _or_null(partial(_real, open_=True)),
    "settled": _or_null(partial(_one_of, choices=OUTCOMES)),
    "within": _or_null(partial(_real, most=1.0, open_=True)),
    "table_radii": _table_radii,
    "mixture": partial(_one_number, choices=(MIXTURE, UNIFORM)),
    "lower_part": partial(_one_number, choices=(HALF, NEARLY_ALL)),
    "tries": partial(_whole, least=1, most=MOST_TRIES),
    "engine": partial(_one_of, choices=ENGINES[1:]),
    "precision": partial(_one_of, choices=PRECISIONS[1:]),
}
