"""`denoise`: add noise to a picture, take it off again, and measure."""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.commands.options import FIXED_SEED, add_options, load_denoiser_remarking, read_picture_remarking, writable_folder
from core.commands.terminal import print_result, remark
from core.device import pick_device
from core.errors import LabError
from core.pictures.pixels import image_record, psnr, ssim, to_picture, to_pixels
from core.report.notation import sigma_text
from core.smoothing.certificate import model_record
from core.smoothing.noise import NoiseStream
from core.smoothing.radius import check_sigma
from core.smoothing.sampling import BaseClassifier, ready

MAX_PIXELS = 2_000_000  # what is denoised at once: a network holds tens of numbers a pixel


def add_denoise_verb(verbs: Any) -> None:
    parser = verbs.add_parser("denoise", help="show what noise and denoiser do to a picture", allow_abbrev=False)
    parser.add_argument("image", type=Path, metavar="IMAGE", help="PNG, JPEG or WebP")
    add_options(parser, "denoiser", "sigma")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for original, noisy and denoised PNGs")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="bring the picture to a square of this side first")
    add_options(parser, "seed", "device", "json", seed=FIXED_SEED)
    parser.set_defaults(run=run_denoise)


def run_denoise(args: argparse.Namespace) -> int:
    """Write three pictures and print how close the noisy and the denoised one are to the original."""
    check_sigma(args.sigma)
    if args.seed < 0:
        raise LabError(f"seed is {args.seed}: expected a whole number of at least 0.")
    if args.size is not None and not 8 <= args.size <= 1024:
        raise LabError(f"--size is {args.size}: expected 8 to 1024 pixels.")
    device = pick_device(args.device)
    picture = read_picture_remarking(args.image)
    original = to_pixels(picture.image, None if args.size is None else (args.size, args.size))
    _, height, width = original.shape
    if height * width > MAX_PIXELS:
        most = f"{MAX_PIXELS // 1_000_000} million"
        raise LabError(f"{picture.name} has {width:,} x {height:,} pixels: at most {most} are denoised at once; use --size.")
    denoiser = load_denoiser_remarking(args)
    trained = getattr(denoiser, "own_size", None) or (height, width)
    if trained != (height, width):
        remark(
            f"{args.denoiser} was trained on {trained[1]} x {trained[0]} pixels, and this picture has {width} x {height}:"
            f" --size {trained[0]} shows what a classifier behind it gets."
        )
    folder = writable_folder(args.out)

    ready(denoiser, device, "denoiser")
    started = time.perf_counter()
    noise = NoiseStream(tuple(original.shape), args.seed, "show", device)(0, 1)
    noisy = original.to(device)[None] + args.sigma * noise  # (1, 3, H, W)
    with torch.inference_mode():
        denoised = BaseClassifier(lambda pixels: pixels, denoiser).denoise(noisy, args.sigma)
    if not bool(denoised.isfinite().all()):
        raise LabError(f"{args.denoiser} returned NaN or infinite pixels: it is damaged, or not made for this noise.")
    stages = {"original": original, "noisy": noisy[0].cpu(), "denoised": denoised[0].cpu()}
    seconds = time.perf_counter() - started

    files = {}
    for name, pixels in stages.items():
        path = folder / f"{name}.png"
        to_picture(pixels).save(path)
        files[name] = str(path)
    document: dict[str, Any] = {
        "image": vars(image_record(original)),
        "sigma": args.sigma,
        "sigma_255": 255 * args.sigma,
        "seed": args.seed,
        "denoiser": vars(model_record(denoiser)),
        "noisy": _figures(stages["noisy"], original),
        "denoised": _figures(stages["denoised"], original),
        "files": files,
        "device": str(device),
        "seconds": seconds,
    }
    head = f"{picture.name}, {width} x {height} pixels, sigma {sigma_text(args.sigma)}, seed {args.seed}, by {args.denoiser}"
    lines = []
    for name in ("noisy", "denoised"):
        decibels = "infinite" if document[name]["psnr"] is None else f"{document[name]['psnr']:.2f} dB"
        lines.append(f"  {name:9} PSNR {decibels}, SSIM {document[name]['ssim']:.4f}   {files[name]}")
    print_result(args, document, [head, *lines, f"  {'original':9} {files['original']}"])
    return 0


def _figures(pixels: Tensor, original: Tensor) -> dict[str, float | None]:
    """PSNR in dB (None where infinite) and SSIM, to the last digit."""
    decibels = float(psnr(pixels.double(), original.double()))
    return {"psnr": decibels if math.isfinite(decibels) else None, "ssim": ssim(pixels.double(), original.double())}
