"""A finished log in the order of its data set, whichever worker finished first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from core.evaluation.log import HEADER, read_log
from core.evaluation.votes import read_votes, votes_path


def put_in_order(log: Path, indices: Sequence[int]) -> None:
    """Write a log and its votes anew in the order of ``indices``, each in one step, where they are in another.

    While images are certified, each is written as it is finished, so that a kill loses nothing that is finished; several
    workers finish out of order. A line or votes that a kill left twice is kept once: the later.
    """
    places = {index: place for place, index in enumerate(indices)}
    found = [line.idx for line in read_log(log)]
    wanted = sorted(set(found), key=lambda index: places.get(index, len(places)))
    if found != wanted:
        lines = {int(line.split("\t", 1)[0]): line for line in log.read_text(encoding="utf-8").splitlines()[1:] if line}
        _replace(log, ["\t".join(HEADER), *(lines[index] for index in wanted)])
    votes = read_votes(log)
    kept = [index for index in wanted if index in votes]
    if list(votes) != kept:
        _replace(votes_path(log), [json.dumps(votes[index].to_dict()) for index in kept])


def _replace(path: Path, lines: Sequence[str]) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    new.replace(path)
