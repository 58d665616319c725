"""`quantize`: round a pair to int8 by what noisy pictures make of it, and keep the graph for `--precision int8`."""

import argparse
import itertools
from typing import Any

import torch
from torch import Tensor

from core.commands.options import FIXED_SEED, add_options, fetched_dataset, load_models
from core.commands.terminal import print_result, remark
from core.engines import not_installed
from core.engines.pair import Pair, PairModule, compiled, quantised, read_quantised, store_quantised
from core.errors import LabError
from core.models.load import Classifier
from core.pictures.pixels import to_picture, to_pixels
from core.report.notation import sigma_text
from core.smoothing.noise import NoiseStream, noisy_copies
from core.smoothing.radius import check_sigma
from core.smoothing.sampling import default_batch_size

LEAST, MOST, COMPARED = 32, 100_000, 256
"""Pictures to calibrate with; and others, by which the graph is compared with the networks."""


def add_quantize_verb(verbs: Any) -> None:
    parser = verbs.add_parser("quantize", help="round classifier and denoiser to int8, for OpenVINO", allow_abbrev=False)
    add_options(parser, "classifier", "denoiser", "size", "sigma")
    parser.add_argument("--dataset", required=True, help="of the classifier's kind of pictures: as for evaluate")
    parser.add_argument("--split", default="train", help="what is measured later is better not among them (%(default)s)")
    parser.add_argument("--pictures", type=int, default=1024, help="noisy pictures to calibrate with (%(default)s)")
    parser.add_argument("--bundled", action="store_true", help="keep it among what comes with the Lab, instead of in LAB_HOME")
    add_options(parser, "seed", "json", seed=FIXED_SEED)
    parser.set_defaults(run=run_quantize, device="cpu")


def run_quantize(args: argparse.Namespace) -> int:
    """Calibrate, compare with the networks on other noisy pictures, and keep the graph."""
    check_sigma(args.sigma)
    if not LEAST <= args.pictures <= MOST:
        raise LabError(f"--pictures is {args.pictures}: expected {LEAST} to {MOST:,}.")
    reason = not_installed("openvino") or not_installed("nncf")
    if reason is not None:
        raise LabError(f"A graph of int8 cannot be made: {reason}.")
    classifier, denoiser = load_models(args)
    if denoiser is not None and not isinstance(denoiser, torch.nn.Module):
        raise LabError(f"{args.denoiser} is no network, so it cannot be rounded: choose another --denoiser.")
    noisy = _noisy_pictures(args, classifier)
    shape, cpu = tuple(noisy.shape[1:]), torch.device("cpu")
    pair = Pair(classifier, denoiser, args.sigma, shape, rows=default_batch_size(noisy[0]), device=cpu)
    others, batches = noisy[:COMPARED], [part for part in noisy[COMPARED:].split(pair.rows) if len(part) == pair.rows]
    remark(f"Calibrating with {len(batches) * pair.rows:,} noisy pictures of {shape[2]} x {shape[1]} pixels.")
    calibration = {"dataset": args.dataset, "split": args.split, "pictures": len(batches) * pair.rows, "seed": args.seed}
    models = {"refs": {"classifier": classifier.ref, "denoiser": args.denoiser}}
    with torch.inference_mode():
        folder = store_quantised(pair, quantised(pair, batches), models | {"calibration": calibration}, bundled=args.bundled)
        stored = read_quantised(folder, pair)
        run, own = compiled(stored.graph, "f32"), PairModule(pair)
        answers = [(run(part).argmax(1), own(part).argmax(1)) for part in others.split(pair.rows) if len(part) == pair.rows]
    rounded, exact = (torch.cat(list(classes)) for classes in zip(*answers, strict=True))
    size, same = sum(file.stat().st_size for file in folder.iterdir()), float((rounded == exact).float().mean())
    lines = [
        f"{pair.names} at sigma {sigma_text(args.sigma)}, rounded to int8: {size / 1e6:.1f} MB in {folder}",
        f"  of {len(exact)} other noisy pictures {same:.1%} get the class that float32 gives them",
        "  it is another network: measure its certified accuracy with 'python -m core evaluate --precision int8 ...'",
    ]
    found = {"folder": str(folder), "sha256": stored.sha256, "bytes": size, "compared": len(exact), "same_class": same}
    print_result(args, found, lines)
    return 0


def _noisy_pictures(args: argparse.Namespace, classifier: Classifier) -> Tensor:
    """(compared and to calibrate with, 3, H, W) noisy pictures, at random from the data set, at the classifier's size."""
    data = fetched_dataset(args.dataset, args.split)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(args.seed))
    count = COMPARED + args.pictures
    chosen = list(itertools.islice(itertools.cycle(order.tolist()), count))  # of few pictures each is taken with other noise
    pixels = torch.stack([to_pixels(to_picture(data.images[row] / 255), classifier.input_size) for row in chosen])
    noise = NoiseStream(tuple(pixels.shape[1:]), args.seed, "show", torch.device("cpu"))
    return torch.cat([noisy_copies(pixels[row], args.sigma, noise(row, row + 1)) for row in range(count)])
