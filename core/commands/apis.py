"""`certify` and `evaluate` with `--classifier api/...`, within a budget a picture; `serve-demo-api`, to try it on."""

import argparse
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from core.apis.certify import RemoteProgress, RemoteResult, certify_remote
from core.apis.demo import DEMO_CLASSIFIER, DemoServer
from core.apis.labels import LabelMap, read_label_map
from core.apis.ledger import Ledger
from core.apis.provider import Described
from core.apis.providers import describe_provider, load_provider
from core.apis.queries import make_plan
from core.apis.study import evaluate_remote, names_of_classes
from core.commands.options import chosen_images, image_choice, load_denoiser_remarking, read_picture_remarking, settings_of
from core.commands.results import certificate_lines
from core.commands.terminal import Countdown, InterruptFlag, ProgressLine, print_json, remark, say
from core.device import pick_device
from core.errors import LabError
from core.folders import answers_file
from core.pictures.reading import MIN_SIDE, Picture
from core.plain_text import named
from core.report.notation import duration, radius_text
from core.runs.resuming import LogFiles, seed_of
from core.smoothing.certificate import model_record
from core.smoothing.settings import Settings

DECIDING = ("sigma", "n0", "n", "alpha", "seed", "method", "mixture")
"""Settings that decide a line of an evaluation by an API."""

LONGEST_SIDE = 224  # larger pictures are cut and scaled to this side before the noise: denoising them takes seconds a copy


def add_api_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("with --classifier api/NAME, whose every query is paid for").add_argument
    add("--budget", type=float, metavar="DOLLARS", help="the most this picture may cost, earlier runs included")
    add("--price", type=float, metavar="DOLLARS", help="of a query, where it is not the public price")
    add("--rate", type=float, metavar="PER_SECOND", help="queries a second, where it is not the public limit")
    add("--label-map", type=Path, metavar="FILE", help='TOML with lines like cat = ["tabby", "kitten"]')
    add("--answers", type=Path, metavar="FILE", help="where answers are kept (%(default)s)", default=answers_file())
    add("--offline", action="store_true", help="count the answers kept; ask nothing")


def run_certify_api(args: argparse.Namespace) -> int:
    any_seed = args.seed is None
    settings = settings_of(args, method="anytime")
    settings.check()
    pick_device(args.device)
    facts = describe_provider(args.classifier, args.price, args.rate)
    budget = checked_budget(args)
    labels = LabelMap() if args.label_map is None else read_label_map(args.label_map)
    pictures = [read_picture_remarking(path) for path in args.images]
    provider = facts if args.offline else load_provider(args.classifier, price=args.price, rate=args.rate)
    denoiser = load_denoiser_remarking(args)
    if not args.offline:
        _tell_plan(facts, budget, len(pictures), settings)
    results: list[tuple[Picture, RemoteResult]] = []
    ledger = Ledger(args.answers)
    with InterruptFlag() as interrupt:
        for picture in pictures:
            line = ProgressLine()
            result = certify_remote(
                picture.image,
                provider,
                denoiser,
                settings,
                ledger=ledger,
                budget=budget,
                labels=labels,
                device=args.device,
                size=picture_size(picture, args.noise_size),
                offline=args.offline,
                any_seed=any_seed,
                on_progress=partial(_show, line, picture.name),
                should_stop=interrupt.is_set,
            )
            line.clear()
            results.append((picture, result))
            if not args.json:
                say(*_lines(picture.name, result))
            if interrupt.is_set() or (result.halt is not None and result.halt.reason in ("refused", "unreachable")):
                break
    ledger.close()
    if args.json:
        documents = [_document(result) for _, result in results]
        failed = [{"path": str(path), "error": "not begun"} for path in args.images[len(results) :]]
        print_json(documents[0] if len(pictures) == 1 else {"certificates": documents, "failed": failed})
    for _, result in results:
        if result.halt is not None:
            say(f"certify: {result.halt.message}", file=sys.stderr)
    if interrupt.is_set():
        return 130
    return 2 if any(r.halt is not None and r.halt.reason in ("refused", "unreachable") for _, r in results) else 0


def checked_budget(args: argparse.Namespace) -> float:
    """Dollars a picture. Raises LabError where none are given although queries would be paid for, or it is no sum."""
    if args.budget is None and not args.offline:
        facts = describe_provider(args.classifier, args.price, args.rate)
        raise LabError(
            f"Every query to {facts.destination} costs ${facts.limits.price:g}: say with --budget how many dollars a picture"
            " may cost, or count kept answers with --offline."
        )
    budget = 0.0 if args.budget is None else float(args.budget)
    if not 0 <= budget < 1e6:
        raise LabError(f"--budget is {budget:g}: expected dollars, at least 0.")
    return budget


def picture_size(picture: Picture, side: int | None = None) -> tuple[int, int] | None:
    """The size a picture is brought to before the noise: as asked, else its own, unless it is larger than LONGEST_SIDE."""
    if side is not None:
        if not MIN_SIDE <= side <= 1024:
            raise LabError(f"--size is {side}: expected {MIN_SIDE} to 1024 pixels.")
        return side, side
    width, height = picture.image.size
    return None if max(width, height) <= LONGEST_SIDE else (LONGEST_SIDE, LONGEST_SIDE)


def _tell_plan(facts: Described, budget: float, pictures: int, settings: Settings) -> None:
    plan = make_plan(facts.limits, settings, budget=budget)
    remark(
        f"noisy pictures go to {facts.destination}: at most {plan.affordable:,} of {plan.queries:,} queries a picture"
        f" (${facts.limits.price:g} each, {pictures} times at most ${min(budget, plan.dollars):g}), at"
        f" least {duration(plan.affordable / facts.limits.rate)} each at {facts.limits.rate:g} a second; {settings.n:,}"
        f" answers can show a radius of {radius_text(plan.radius_ceiling)} at most."
    )


def _show(line: ProgressLine, name: str, now: RemoteProgress) -> None:
    parts = [f"{name}: {now.answered:,} of {now.planned:,} answers", f"${now.spent:.4f} spent"]
    parts.append(now.waiting or f"at most {duration(now.seconds_left)} left")
    if now.votes.candidate is not None:
        parts.append(f"{now.votes.candidate}, radius at least {radius_text(now.radius)} so far")
    line.show(", ".join(parts))


def _lines(name: str, result: RemoteResult) -> list[str]:
    lines = certificate_lines(name, result.certificate)
    lines.append(f"  money     ${result.spent:.4f} for this picture in all; {result.asked:,} queries asked just now")
    if result.settled:
        lines.append(f"  settled   {result.settled}")
    return lines + [f"  note      {note}" for note in result.notes]


def _document(result: RemoteResult) -> dict[str, Any]:
    api = {name: value for name, value in vars(result).items() if name != "certificate"}
    return result.certificate.to_dict() | {"api": api | {"halt": None if result.halt is None else asdict(result.halt)}}


def run_evaluate_api(args: argparse.Namespace) -> int:
    """Certify image after image; answers are kept one by one, lines one by one."""
    if args.resume and args.seed is None:
        args.seed = seed_of(args.out)
    settings = settings_of(args)
    settings.check()
    if args.offline:
        raise LabError("--offline counts the answers of one picture: use it with certify.")
    budget = checked_budget(args)
    labels = LabelMap() if args.label_map is None else read_label_map(args.label_map)
    provider = load_provider(args.classifier, price=args.price, rate=args.rate)
    denoiser = load_denoiser_remarking(args)
    data = chosen_images(args)
    names_of_classes(data)
    device = str(pick_device(args.device))
    made_by = {
        **image_choice(args),
        "images": len(data),
        **{name: value for name, value in settings.document().items() if name in DECIDING},
        "device": device,
        "budget_a_picture": budget,
        "labels": [list(group) for group in labels.groups],
        "classifier": {"ref": provider.ref, "destination": provider.destination},
        "denoiser": asdict(model_record(denoiser)),
    }
    files = LogFiles(args.out, made_by, args.resume, remark)
    left, spent = len(data) - len(files.done), 0.0
    countdown = Countdown(left)
    remark(f"{left:,} pictures, at most ${budget:g} each, ${left * budget:g} in all, to {provider.destination}.")
    ledger = Ledger(args.answers)
    with files, InterruptFlag() as interrupt:
        for line, result in evaluate_remote(
            data,
            provider,
            denoiser,
            settings,
            ledger=ledger,
            device=device,
            budget=budget,
            labels=labels,
            done=files.done,
            should_stop=interrupt.is_set,
        ):
            files.add(line)
            c = result.certificate
            if c.method != settings.method and not c.stopped:
                remark(f"image {line.idx}: its answers were looked at with another n before, so it has the anytime bound.")
            spent += result.spent
            said = named(result.certificate.label or "abstains")
            countdown.tell(f"image {line.idx}  {said}  radius {radius_text(line.radius)}  ${spent:.4f} spent")
    ledger.close()
    if interrupt.is_set():
        return 130
    remark(f"Wrote {args.out}: read it with 'python -m core curve {args.out}'.")
    return 0


def add_serve_demo_api_verb(verbs: Any) -> None:
    parser = verbs.add_parser(
        "serve-demo-api", help="serve a classifier over HTTP, to try certify on an API", allow_abbrev=False
    )
    add = parser.add_argument
    add("--classifier", default=DEMO_CLASSIFIER, metavar="REF", help="what answers (%(default)s)")
    add("--port", type=int, default=8600, help="0 takes a free one (%(default)s)")
    add("--host", default="127.0.0.1", help="where to listen (%(default)s: this machine alone)")
    parser.set_defaults(run=run_serve_demo_api)


def run_serve_demo_api(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= 65535:
        raise LabError(f"--port is {args.port}: expected 0 to 65535.")
    with DemoServer(args.classifier, args.host, args.port) as server:
        try:
            say(f"Serving {args.classifier} at {server.url}")
            told = ("Describe it in a TOML file, and certify with --classifier api/http/FILE:", f'    url = "{server.url}"')
            say(*told, "    price = 0.001", file=sys.stderr)
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            say(f"serve-demo-api: stopped after {server.asked:,} pictures.", file=sys.stderr)
    return 0
