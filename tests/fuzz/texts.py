"""Certificates, logs, votes and endpoint descriptions for the fuzzer: what the Lab itself writes, damaged."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import requests
import urllib3

from core.apis.http import HttpEndpoint, parse_endpoint
from core.evaluation.curve import by_class, quantile_radii, summarise
from core.evaluation.log import parse_votes
from core.evaluation.recorded import recorded_from
from core.folders import EVALUATIONS
from core.report.page import html_report
from core.report.words import caveats, headline
from core.smoothing.document import read_certificate
from core.studies.records import STORED_FOLDER
from core.verification.verify import verify
from tests.fuzz.mutations import NAMES, altered, damaged, dumped, encoded, reworded

ENDPOINT = """url = "https://vision.example.org/v1/classify"
price = 0.001
rate = 10
model = "2026-11"
[send]
how = "json-base64"
field = "instances.b64"
headers = { Authorization = "Bearer ${TOKEN}" }
json = { parameters = { top = 5 } }
[answer]
labels = "predictions[*].label"
scores = "predictions[*].score"
[picture]
min_side = 50
max_bytes = 4000000
"""
ANSWER = {"predictions": [{"label": "cat", "score": 0.9}, {"label": "dog", "score": 0.1}]}


def make_document(random: Random) -> tuple[str, bytes]:
    """A certificate's name and document."""
    return random.choice(NAMES), dumped(altered(random.choice(_certificates()), random), random)


def use_document(made: tuple[str, bytes], folder: Path) -> Iterator[str]:
    """Read it, check it, and say what it says."""
    certificate = read_certificate(made[1], made[0])
    found = verify(certificate, None, "No models were looked at.")
    yield found.summary()
    yield from (check.sentence for check in found.checks)
    yield from (headline(certificate), *caveats(certificate))
    assert html_report(certificate, made[0], {})


def make_log(random: Random) -> tuple[str, bytes, bytes | None, bytes | None]:
    """A log's name, its lines, and what lies beside it."""
    log, side, votes = random.choice(_evaluations())
    spoilt = encoded(reworded(log, random), random) if random.random() < 0.7 else log.encode()
    beside = dumped(altered(json.loads(side), random), random) if random.random() < 0.5 else None
    return random.choice(NAMES), spoilt, beside, encoded(votes, random) if random.random() < 0.3 else None


def use_log(made: tuple[str, bytes, bytes | None, bytes | None], folder: Path) -> Iterator[str]:
    """Read it as an upload is, and draw what its curve needs."""
    recorded = recorded_from(*made)
    yield from recorded.remarks
    summarise(recorded.outcomes, quantile_radii(recorded.outcomes))
    by_class(recorded.outcomes, [0.0, 0.5])


def make_votes(random: Random) -> tuple[str, bytes]:
    """The name of a file of votes and its lines."""
    votes = random.choice(_evaluations())[2].splitlines()
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(votes))
        votes[place] = json.dumps(altered(json.loads(votes[place]), random)) if random.random() < 0.7 else votes[place][1:]
        if not votes[place].startswith("{"):
            break
    text = "\n".join(votes) + random.choice(("\n", ""))
    return random.choice(NAMES), encoded(reworded(text, random) if random.random() < 0.3 else text, random)


def use_votes(made: tuple[str, bytes], folder: Path) -> Iterator[str]:
    """Read them."""
    yield from parse_votes(made[1], made[0])[1]


def make_endpoint(random: Random) -> tuple[str, str, bytes]:
    """An endpoint's name and description, and what the endpoint answers."""
    text = reworded(ENDPOINT, random) if random.random() < 0.5 else ENDPOINT
    if random.random() < 0.3:
        text = encoded(text, random).decode("utf-8", "replace")
    answer = dumped(altered(ANSWER, random), random)
    return random.choice(NAMES), text, damaged(answer, random) if random.random() < 0.2 else answer


def use_endpoint(made: tuple[str, str, bytes], folder: Path) -> Iterator[str]:
    """Read the description, and ask the endpoint, which answers without a network."""
    name, text, answer = made
    provider = HttpEndpoint("api/http/fuzz", parse_endpoint(text, name), {"TOKEN": "secret"})

    def send(self: object, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response.raw = urllib3.HTTPResponse(io.BytesIO(answer), status=200, preload_content=False)
        return response

    with patch.object(requests.adapters.HTTPAdapter, "send", send):
        provider.ask(b"\x89PNG")
    yield provider.destination


@cache
def _certificates() -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8"))["certificate"] for path in sorted(STORED_FOLDER.glob("*.json"))]


@cache
def _evaluations() -> list[tuple[str, str, str]]:
    """Twenty lines of each log that comes with the Lab and has its votes, what made it, and those votes."""
    found = []
    for path in sorted(EVALUATIONS.glob("*.votes.jsonl"))[:6]:
        log = path.with_name(path.name.replace(".votes.jsonl", ".tsv"))
        lines = [text.read_text("utf-8").splitlines(keepends=True)[:20] for text in (log, path)]
        found.append(("".join(lines[0]), log.with_suffix(".json").read_text("utf-8"), "".join(lines[1])))
    return found
