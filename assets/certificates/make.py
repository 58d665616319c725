"""Computes the finished certificates that the app opens on: ``python -m assets.certificates.make``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # so that it runs by its path, too

from core.data.samples import sample_picture, samples
from core.device import pick_device
from core.models.cache import ModelCache
from core.models.catalogue import usual_denoiser
from core.smoothing.settings import Settings
from core.studies.certify import study
from core.studies.records import STORED_FOLDER, StudyRequest, dump_study


def main() -> None:
    """Certify each sample with its classifier's usual denoiser, with the numbers the Certify page starts with."""
    parser = argparse.ArgumentParser(prog="python -m assets.certificates.make", description=__doc__)
    parser.add_argument("--sigma", type=float, default=0.25)
    parser.add_argument("--n", type=int, default=1_000)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    device, cache = pick_device(args.device), ModelCache()
    STORED_FOLDER.mkdir(parents=True, exist_ok=True)
    for sample in samples():
        request = StudyRequest(
            sample.classifier, usual_denoiser(sample.classifier), Settings(sigma=args.sigma, n=args.n, method="anytime")
        )
        classifier, denoiser = cache.classifier(request.classifier, device), cache.denoiser(request.denoiser, device)
        result = study(sample_picture(sample.name).image, classifier, denoiser, request, device=device)
        (STORED_FOLDER / f"{sample.name}.json").write_text(dump_study(result, request))
        c = result.certificate
        verdict = "abstains" if c.abstained else f"{c.label}, radius {c.radius:.3f}"
        print(f"{sample.name} ({sample.label}): {verdict}", file=sys.stderr)


if __name__ == "__main__":
    main()
