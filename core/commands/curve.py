"""`curve`: read certified accuracy off logs."""

import argparse
import dataclasses
import math
from pathlib import Path
from typing import Any

from core.commands.options import numbers_of
from core.commands.terminal import print_json, remark
from core.errors import LabError
from core.evaluation.curve import CurveSummary, PublishedCurve, by_class, envelope, published_curves, summarise
from core.evaluation.projection import Projection, project, vote_shares
from core.evaluation.recorded import RecordedEvaluation, read_recorded
from core.evaluation.tables import FORMATS, curve_table, models_document, models_table
from core.smoothing.radius import asked_text


def add_curve_verb(verbs: Any) -> None:
    parser = verbs.add_parser("curve", help="certified accuracy from logs", allow_abbrev=False)
    add = parser.add_argument
    add("logs", nargs="+", type=Path, metavar="LOG")
    add("--radii", default="0.25,0.5,0.75,1.0", help="in [0, 1] pixel units (%(default)s)")
    add("--by-models", action="store_true", help="one row for each choice of models, at each radius the best of their sigmas")
    add("--published", metavar="KEY", help="with --by-models: published figures beside them, such as cifar10-salman")
    add("--per-class", action="store_true", help="a row for each true class, too")
    expected = "what that many samples would be expected to give: a projection from the votes"
    add("--project-n", type=int, metavar="N", help=expected)
    add("--project-alpha", type=float, metavar="ALPHA", help="the same for another alpha; by default the log's")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--format", choices=FORMATS, default="table", help="of what is printed (%(default)s)")
    how.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.set_defaults(run=run_curve)


def run_curve(args: argparse.Namespace) -> int:
    """Print certified accuracy of each log, and the best of them at each radius."""
    radii = _radii(args.radii)
    if len({path.resolve() for path in args.logs}) < len(args.logs):
        raise LabError("A log is named twice: give each once.")
    logs = {str(path): read_recorded(path) for path in args.logs}
    _check(args, logs)
    published = _find_published(args.published, next(iter(logs.values())).made_by.norm) if args.published else []
    _remark_on(logs, radii)
    if args.by_models and not args.json:
        print(models_table(logs, radii, published).as_format(args.format), end="")
        return 0
    projections, best = _projections(args, logs), envelope(logs, radii)
    if args.json:
        document = {
            "logs": [
                _log_document(path, log, radii, projections.get(path), per_class=args.per_class) for path, log in logs.items()
            ],
            "envelope": {asked_text(r): one.certified for r, one in best.items()},
            "best": {asked_text(r): dataclasses.asdict(one) for r, one in best.items()},
        }
        if args.by_models:
            document["models"] = models_document(logs, radii)
        if published:
            document["published"] = [dataclasses.asdict(curve) for curve in published]
        print_json(document)
        return 0
    # Names without their folders, where that tells them apart.
    short = {path: Path(path).stem for path in logs}
    short = short if len(set(short.values())) == len(short) else {path: path for path in logs}
    shown = _with_extra(logs, projections, radii, per_class=args.per_class)
    table = curve_table(
        {short[path] + more: summary for (path, more), summary in shown.items()},
        radii,
        {"best": {r: dataclasses.replace(one, path=short[one.path]) for r, one in best.items()}} if len(logs) > 1 else None,
        {short[path]: log.made_by.sigma for path, log in logs.items()},
    )
    print(table.as_format(args.format), end="")
    return 0


def _radii(text: str) -> list[float]:
    radii = sorted(set(numbers_of("--radii", text, example="0.25,0.5 or 2/255,8/255")))
    if not all(math.isfinite(r) and r >= 0 for r in radii):
        raise LabError(f"--radii {text!r}: expected finite numbers of at least 0, such as 0.25,0.5.")
    return radii


def _find_published(text: str, norm: str) -> list[PublishedCurve]:
    """The published curves of a norm that have ``text`` in their key, such as ``cifar10-salman``."""
    of_norm = [curve for curve in published_curves() if curve.norm == norm]
    found = [curve for curve in of_norm if text in curve.key]
    if not found:
        known = ", ".join(curve.key for curve in of_norm) or "none"
        raise LabError(f"--published {text!r} is in no key of the published curves in {norm}. They are: {known}.")
    return found


def _check(args: argparse.Namespace, logs: dict[str, RecordedEvaluation]) -> None:
    norms = {path: log.made_by.norm for path, log in logs.items()}
    if len(set(norms.values())) > 1:
        named = ", ".join(f"{Path(path).name} {norm}" for path, norm in norms.items())
        raise LabError(f"The logs certify radii in different norms ({named}): give those of one norm.")
    if args.published and not args.by_models:
        raise LabError("--published stands beside rows of models: give --by-models, too.")
    if args.by_models and (args.per_class or args.project_n is not None or args.project_alpha is not None):
        raise LabError("--by-models has one row for all logs of the models: leave --per-class and the projection out.")


def _remark_on(logs: dict[str, RecordedEvaluation], radii: list[float]) -> None:
    """What is odd about the logs, the radii that none of them could have certified, and different images."""
    for sentence in (sentence for log in logs.values() for sentence in log.remarks):
        remark(sentence)
    beyond = [r for r in radii if not any(log.made_by.allows(r) for log in logs.values())]
    if beyond:
        most = max(log.made_by.ceiling or 0.0 for log in logs.values())
        named = ", ".join(map(asked_text, beyond))
        remark(f"No sigma and n of these logs can certify a radius of {named}: their ceiling is {most:.4g}.")
    if len({frozenset(log.outcomes.idx.tolist()) for log in logs.values()}) > 1:
        remark("The logs hold different images, so their differences are not those of the models alone.")


def _projections(args: argparse.Namespace, logs: dict[str, RecordedEvaluation]) -> dict[str, Projection]:
    if args.project_n is None and args.project_alpha is None:
        return {}
    found = {}
    for path, log in logs.items():
        shares = vote_shares(log)
        alpha = args.project_alpha if args.project_alpha is not None else float(log.made_by.alpha or 0)
        found[path] = project(shares, shares.n if args.project_n is None else args.project_n, alpha)
    remark("Projected rows are expectations at the observed share of votes, and no certificates.")
    unknown = sum(projection.unknown for projection in found.values())
    if unknown:
        remark(
            f"The votes of {unknown:,} abstentions are not known: they are projected to abstain, which is too few certified."
        )
    return found


def _with_extra(
    logs: dict[str, RecordedEvaluation], projections: dict[str, Projection], radii: list[float], *, per_class: bool
) -> dict[tuple[str, str], CurveSummary]:
    """Every row of the table by its log and what is added to the log's name."""
    rows = {}
    for path, log in logs.items():
        rows[path, ""] = summarise(log.outcomes, radii, ceiling=log.made_by.ceiling)
        if path in projections:
            there = projections[path]
            rows[path, f", projected to n={there.n:,}, alpha={there.alpha:g}"] = summarise(there.outcomes, radii)
        if per_class:
            classes = by_class(log.outcomes, radii)
            rows |= {(path, f", class {label}"): of_class for label, of_class in classes.items()}
    return rows


def _log_document(
    path: str, log: RecordedEvaluation, radii: list[float], projection: Projection | None, *, per_class: bool
) -> dict[str, Any]:
    made = {"path": path, "norm": log.made_by.norm, "sigma": log.made_by.sigma}
    row = made | _document(summarise(log.outcomes, radii, ceiling=log.made_by.ceiling))
    if per_class:
        row["per_class"] = {str(label): _document(s) for label, s in by_class(log.outcomes, radii).items()}
    if projection is not None:
        told = {"n": projection.n, "alpha": projection.alpha, "certificate": False, "votes_unknown": projection.unknown}
        told |= {"unanimous": projection.unanimous}
        row["projection"] = told | _document(summarise(projection.outcomes, radii))
    return {**row, "remarks": list(log.remarks)}


def _document(s: CurveSummary) -> dict[str, Any]:
    by_radius = {name: {asked_text(r): v for r, v in getattr(s, name).items()} for name in ("certified", "interval")}
    return dataclasses.asdict(s) | by_radius
