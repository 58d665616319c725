"""What a training leaves: the model's folder, its card, and on request a copy on the Hub."""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from core.commands.terminal import print_json, remark
from core.commands.train_options import recipe_of
from core.device import describe_device
from core.errors import LabError
from core.models.hub.repository import upload_model
from core.models.storage import WEIGHTS, ModelConfig, round_to_half, save_model
from core.training.model_card import figures, write_readme

Trained = tuple[nn.Module, ModelConfig, list[dict[str, float]]]


def keep_result(
    args: argparse.Namespace,
    trained: Trained,
    card: dict[str, Any],
    measure: Callable[[nn.Module], dict[str, Any]],
    device: torch.device,
    started: float,
    interrupted: bool,
    troubles: list[str],
) -> int:
    """Save the network, then measure it on the test split, complete its card and upload it where asked to.

    Returns the exit code: 0, 130 where Ctrl-C ended the training, 1 where trouble did.

    Raises:
        LabError: where the folder cannot be written to, a weight is too large for --half-weights, or the upload fails.
    """
    network, config, history = trained
    stopped = interrupted and not troubles and len(history) < args.epochs
    if stopped and not history and (args.out / WEIGHTS).exists():
        remark(f"stopped within the first epoch: the model that was in {str(args.out)!r} is left as it was.")
        return 130
    if args.half_weights:
        round_to_half(network)  # before it is saved and measured: the figures are those of what is kept
    card = card | {
        "recipe": asdict(recipe_of(args)),
        "stopped_early": stopped or bool(troubles),
        **({"weights": "float16"} if args.half_weights else {}),
        "parameters": sum(p.numel() for p in network.parameters()),
        "history": history,
        **({"trouble": troubles[0]} if troubles else {}),
        "device": describe_device(device) + (f" x {args.devices}" if args.devices > 1 else ""),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "command": "python -m core " + shlex.join(args.argv),
    }
    _save(args, network, config, card)  # before it is measured: hours of training wait for nothing
    for trouble in troubles:
        remark(trouble)
    if stopped:
        remark(f"stopped after {len(history)} of {args.epochs} epochs; the averaged network so far is kept. Measuring it.")
    card = measure(network) | card
    _save(args, network, config, card)
    pushed = None
    if args.push_to_hub and not (stopped or troubles):
        try:
            pushed = {"repository": args.push_to_hub, "commit": upload_model(args.out, args.push_to_hub, private=args.private)}
        except LabError as error:
            raise LabError(
                f"{error} The model is kept in {str(args.out)!r}: the same command with --resume tries again."
            ) from error
    elif args.push_to_hub:
        remark(f"not uploaded to {args.push_to_hub}: the training did not end as planned.")
    if args.json:
        print_json(card | ({"pushed": pushed} if pushed else {}))
    else:
        told = "".join(f"  {name}{'_' + sigma if sigma else ''} {value:g}" for name, sigma, value in figures(card))
        print(f"Saved {args.out}: use it as local/{args.out}{told}", file=sys.stderr)
        if pushed:
            print(f"Uploaded: use it anywhere as hub/{pushed['repository']}@{pushed['commit']}", file=sys.stderr)
    return 130 if stopped else 1 if troubles else 0


def _save(args: argparse.Namespace, network: nn.Module, config: ModelConfig, card: dict[str, Any]) -> None:
    try:
        save_model(args.out, network, config, card, half=args.half_weights)
        write_readme(args.out, config, card, args.push_to_hub)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise LabError(
            f"The model cannot be written to {str(args.out)!r} ({why}): make room there, then run the same command with"
            " --resume, which goes on from the last checkpoint."
        ) from error
