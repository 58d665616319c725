"""Sampling again, for a certificate that was handed over, as a job of the queue."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image

from core.device import pick_device
from core.smoothing.certificate import Certificate
from core.smoothing.certify import Progress
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models
from core.verification.check import Check
from core.verification.resampling import resample

VERIFICATIONS = SessionJobs("verifications")


@dataclass(frozen=True)
class Sampling:
    """Which sampling a visitor asked for: with the certificate's own seed where ``seed`` is None, else with this one."""

    document: bytes
    seed: int | None

    @property
    def key(self) -> Key:
        """Names the job: the document's bytes and the seed. The picture is fixed by the hash in the document."""
        return ("verify", hashlib.sha256(self.document).hexdigest(), self.seed)


def start_sampling(asked: Sampling, certificate: Certificate, picture: Image.Image) -> Job:
    """Queue a sampling. Raises LabError where the queue is full."""
    cache, device = models(), pick_device("auto")
    size = (certificate.image.height, certificate.image.width)

    def work(context: JobContext) -> list[Check]:
        classifier = cache.classifier(certificate.classifier.ref, device, size=size, should_stop=context.should_stop)
        denoiser = cache.denoiser(certificate.denoiser.ref, device, should_stop=context.should_stop)

        def tell(part: str, now: Progress) -> None:
            context.report(now)

        return resample(
            certificate,
            picture,
            classifier,
            denoiser,
            same_seed=asked.seed is None,
            fresh_seed=asked.seed,
            device=str(device),
            on_progress=tell,
            should_stop=context.should_stop,
        )

    return VERIFICATIONS.start(asked.key, "Verify a certificate", work)
