"""``python -m tests.fuzz --minutes N``: hostile inputs of every kind, each from a seed, so that what fails can be repeated."""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

from tests.fuzz.trials import KINDS, Outcome, Trials


def fuzz(seconds: float, kinds: Sequence[str] = tuple(KINDS), first: int = 0) -> dict[str, list[Outcome]]:
    """Try inputs of each kind for as long, from that number on; what fails is told on stderr at once."""
    found: dict[str, list[Outcome]] = {kind: [] for kind in kinds}
    spent = defaultdict[str, float](float)
    with Trials({kind: KINDS[kind] for kind in kinds}) as trials:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            kind = min(kinds, key=lambda kind: spent[kind])
            begin = time.monotonic()
            outcome = trials.one(kind, first + len(found[kind]))
            spent[kind] += time.monotonic() - begin
            found[kind].append(outcome)
            if outcome.fault is not None:
                print(f"{outcome.seed} {outcome.fault}", file=sys.stderr, flush=True)
    return found


def table(found: dict[str, list[Outcome]]) -> str:
    """What was tried of each kind, the slowest and the largest with their seeds."""
    lines = [f"{'kind':<10} {'inputs':>7} {'values':>7} {'refused':>7} {'faults':>6}  slowest, largest"]
    for kind, outcomes in found.items():
        if not outcomes:
            continue
        slow, large = (max(outcomes, key=lambda o, by=by: getattr(o, by)) for by in ("seconds", "megabytes"))
        refused, faults = sum(o.refused for o in outcomes), sum(o.fault is not None for o in outcomes)
        values = len(outcomes) - sum(o.refused or o.fault is not None for o in outcomes)
        most = f"{slow.seconds:.2f} s ({slow.seed}), {large.megabytes:.0f} MB ({large.seed})"
        lines.append(f"{kind:<10} {len(outcomes):>7,} {values:>7,} {refused:>7,} {faults:>6,}  {most}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where an input failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="the number of each kind's first input")
    parser.add_argument("--repeat", metavar="KIND:NUMBER", help="one input again, by its seed")
    args = parser.parse_args(arguments)
    if args.repeat:
        kind, _, number = args.repeat.partition(":")
        with Trials({kind: KINDS[kind]}) as trials:
            outcome = trials.one(kind, int(number))
        print(f"{outcome.seed} {outcome.fault or ('was refused' if outcome.refused else 'gave a value')}")
        print(f"{outcome.seconds:.2f} s, {outcome.megabytes:.0f} MB")
        return int(outcome.fault is not None)
    found = fuzz(60 * args.minutes, args.kinds, args.first)
    print(table(found))
    return int(any(outcome.fault for outcomes in found.values() for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
