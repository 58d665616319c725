"""What denoisers are worth before photographs: PSNR on pictures of any size, and how often classifiers are right after one draw
of noise.

python -m experiments.photographs --help
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.commands.options import add_options, fetched_dataset, load_classifier_remarking
from core.commands.terminal import CommandParser, Countdown, print_json, run_program, say
from core.data.classes import in_classes_of
from core.data.datasets import LabelledImages, load_photographs
from core.device import pick_device
from core.errors import LabError
from core.models.load import load_denoiser
from core.models.network import Classifier
from core.pictures.pixels import psnr
from core.report.notation import read_numbers
from core.smoothing.noise import image_seed
from core.smoothing.sampling import DenoiserLike, ready


@dataclass(frozen=True)
class Row:
    """What came of one denoiser: PSNR in dB by sigma, the mean over pictures; for each classifier the share of draws of which
    it is right, by sigma; and how many pictures of the data set's size it denoises in a second while that is measured."""

    denoiser: str
    psnr: dict[str, float]
    accuracy: dict[str, dict[str, float]]
    pictures_per_second: float | None


def build_parser() -> argparse.ArgumentParser:
    """What it can be asked."""
    parser = CommandParser(prog="python -m experiments.photographs", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--dataset", required=True, help="labelled photographs, such as folder/PATH")
    add("--split", default="test")
    add("--classifier", action="append", metavar="REF", help="once or several times (package/efficientnet-lite0)")
    add("--denoiser", action="append", metavar="REF", help="once or several times (none)")
    add("--sigmas", default="0.12,0.25,0.5", help="of the draws (%(default)s)")
    add("--draws", type=int, default=10, help="of each picture (%(default)s)")
    add("--restore", type=Path, metavar="PATH", help="a folder of photographs of any size, whose PSNR is measured, too")
    add("--restore-sigmas", default="15/255,25/255,50/255", help="of their noise (%(default)s)")
    add("--seed", type=int, default=0, help="of the noise (%(default)s)")
    add_options(parser, "device", "json")
    parser.set_defaults(run=run_photographs)
    return parser


def run_photographs(args: argparse.Namespace) -> int:
    """Measure one denoiser after the other under the same noise, and print a table of them."""
    if args.draws < 1 or args.seed < 0:
        raise LabError("--draws must be at least 1, and --seed at least 0.")
    device, sigmas, restored = pick_device(args.device), _sigmas(args.sigmas), _sigmas(args.restore_sigmas)
    data = fetched_dataset(args.dataset, args.split)
    classifiers = [
        load_classifier_remarking(ref, data.size).to(device) for ref in args.classifier or ["package/efficientnet-lite0"]
    ]
    whole = list(load_photographs(args.restore, 1).pictures) if args.restore else []
    references = args.denoiser or ["none"]
    rows, countdown = list[Row](), Countdown(len(references))
    for reference in references:
        denoiser = load_denoiser(reference)
        ready(denoiser, device, "denoiser")
        seconds, accuracy = _accuracy(data, classifiers, denoiser, sigmas=sigmas, draws=args.draws, seed=args.seed)
        speed = None if denoiser is None else round(len(data) * args.draws * len(sigmas) / seconds, 1)
        decibels = {sigma: round(_mean_psnr(whole, denoiser, value, args.seed, device), 2) for sigma, value in restored.items()}
        rows.append(Row(reference, decibels if whole else {}, accuracy, speed))
        countdown.tell(reference)
    if args.json:
        print_json({"pictures": len(data), "draws": args.draws, "restored": len(whole), "rows": [vars(row) for row in rows]})
    else:
        say(*_table(rows, [one.ref for one in classifiers]))
    return 0


def _sigmas(text: str) -> dict[str, float]:
    """Sigmas by the words they are given in."""
    values, wrong = read_numbers(text, lambda value: 0 < value <= 10)
    if wrong or not values:
        raise LabError(f"{text!r} is no list of sigmas: expected numbers or fractions above 0, such as 0.25,0.5 or 15/255.")
    return dict(zip([part.strip() for part in text.split(",") if part.strip()], values, strict=True))


@torch.inference_mode()
def _accuracy(
    data: LabelledImages,
    classifiers: Sequence[Classifier],
    denoiser: DenoiserLike | None,
    *,
    sigmas: dict[str, float],
    draws: int,
    seed: int,
) -> tuple[float, dict[str, dict[str, float]]]:
    """The seconds that denoising took, and for each classifier the share of all draws of which it is right, by sigma."""
    seconds, right = 0.0, {classifier.ref: dict.fromkeys(sigmas, 0) for classifier in classifiers}
    device = next(classifiers[0].parameters()).device
    labels = [in_classes_of(classifier, data).labels for classifier in classifiers]
    for row, (image, index) in enumerate(zip(data.images, data.indices, strict=True)):
        clean = (image.float() / 255).expand(draws, -1, -1, -1)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(image_seed(seed, int(index))))
        for told, sigma in sigmas.items():
            pixels = (clean + sigma * noise).to(device)
            if denoiser is not None:
                started = time.perf_counter()
                pixels = denoiser(pixels, sigma)
                seconds += time.perf_counter() - started
            for classifier, wanted in zip(classifiers, labels, strict=True):
                right[classifier.ref][told] += int((classifier(pixels).argmax(1).cpu() == wanted[row]).sum())
    count = len(data) * draws
    return seconds, {ref: {told: round(found / count, 4) for told, found in by.items()} for ref, by in right.items()}


@torch.inference_mode()
def _mean_psnr(
    pictures: Sequence[Tensor], denoiser: DenoiserLike | None, sigma: float, seed: int, device: torch.device
) -> float:
    total = 0.0
    for number, picture in enumerate(pictures):
        clean = picture[None].float() / 255
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(image_seed(seed, number)))
        noisy = (clean + sigma * noise).to(device)
        restored = noisy if denoiser is None else denoiser(noisy, sigma)
        total += float(psnr(restored, clean.to(device)))
    return total / max(1, len(pictures))


def _table(rows: Sequence[Row], classifiers: Sequence[str]) -> list[str]:
    first = rows[0]
    heads = [f"{ref} at {' / '.join(first.accuracy[ref])}, %" for ref in classifiers]
    heads += [f"PSNR at {' / '.join(first.psnr)}, dB"] if first.psnr else []
    lines = [f"| denoiser | {' | '.join(heads)} | denoised a second |", "|---" * (len(heads) + 2) + "|"]
    for row in rows:
        cells = [" / ".join(f"{100 * share:.1f}" for share in row.accuracy[ref].values()) for ref in classifiers]
        cells += [" / ".join(f"{value:.2f}" for value in row.psnr.values())] if row.psnr else []
        speed = "" if row.pictures_per_second is None else f"{row.pictures_per_second:g}"
        lines.append(f"| `{row.denoiser}` | {' | '.join(cells)} | {speed} |")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run it and return the exit code, as :func:`core.commands.terminal.run_program`."""
    return run_program(build_parser, argv, "photographs")


if __name__ == "__main__":
    sys.exit(main())
