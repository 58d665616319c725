"""`evaluate --classifier api/...`: certified accuracy of a vision API over a data set, within a budget a picture."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from typing import Any

from core.apis.evaluate import class_names, evaluate_remote
from core.apis.labels import LabelMap, read_label_map
from core.apis.ledger import Ledger
from core.apis.providers import load_provider
from core.commands.certify_api import checked_budget
from core.commands.downloading import fetched_dataset
from core.commands.image_choice import chosen_images
from core.commands.options import load_denoiser_remarking
from core.commands.terminal import InterruptFlag, remark
from core.device import pick_device
from core.errors import LabError
from core.runs.log_files import LogFiles
from core.smoothing.certify import check_certify_settings
from core.smoothing.model_records import model_record


def run_evaluate_api(args: argparse.Namespace) -> int:
    """Certify image after image; answers are kept one by one, lines one by one."""
    settings: dict[str, Any] = {
        "sigma": args.sigma,
        "n0": args.n0,
        "n": args.n,
        "alpha": args.alpha,
        "seed": args.seed,
        "method": args.method,
    }
    check_certify_settings(**settings)
    if args.offline:
        raise LabError("--offline counts the answers of one picture: use it with certify.")
    budget = checked_budget(args)
    labels = LabelMap() if args.label_map is None else read_label_map(args.label_map)
    provider = load_provider(args.classifier, price=args.price, rate=args.rate)
    denoiser = load_denoiser_remarking(args)
    data = chosen_images(fetched_dataset(args.dataset, args.split), args)
    class_names(data)
    settings["device"] = str(pick_device(args.device))
    made_by = {
        "dataset": args.dataset,
        "split": args.split,
        "start": args.start,
        "stop": args.stop,
        "every": args.every,
        **settings,
        "budget_a_picture": budget,
        "labels": [list(group) for group in labels.groups],
        "classifier": {"ref": provider.ref, "destination": provider.destination},
        "denoiser": dataclasses.asdict(model_record(denoiser)),
    }
    files = LogFiles(args.out, made_by, args.resume, remark)
    left, finished, spent, began = len(data) - len(files.done), 0, 0.0, time.monotonic()
    remark(f"{left:,} pictures, at most ${budget:g} each, ${left * budget:g} in all, to {provider.destination}.")
    ledger = Ledger(args.answers)
    with files, InterruptFlag() as interrupt:
        for line, result in evaluate_remote(
            data,
            provider,
            denoiser,
            ledger,
            settings,
            budget=budget,
            labels=labels,
            done=files.done,
            should_stop=interrupt.is_set,
        ):
            files.add(line)
            finished, spent = finished + 1, spent + result.spent
            minutes = (time.monotonic() - began) / finished * (left - finished) / 60
            print(
                f"{finished}/{left}  image {line.idx}  {result.certificate.label or 'abstains'}  radius {line.radius:.3f}"
                f"  ${spent:.4f} spent  {minutes:.1f} min left",
                file=sys.stderr,
                flush=True,
            )
    ledger.close()
    if interrupt.is_set():
        return 130
    remark(f"Wrote {args.out}: read it with 'python -m core curve {args.out}'.")
    return 0
