"""Sampling a certificate's votes again: with its own seed the very same counts, with a fresh one consistent ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from PIL import Image

from core.device import pick_device
from core.errors import LabError
from core.pictures.reading import fit_to
from core.smoothing.bounds import least_n_to_certify
from core.smoothing.certificate import Certificate
from core.smoothing.certify import Progress, certify_picture
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.verification.check import DIFFERS, NOT_CHECKED, SAME, Check
from core.verification.consistency import LEVEL, consistency_p_value
from core.versions import versions

OnSample = Callable[[str, Progress], None]
"""Told which of the two runs is under way (``same seed`` or ``fresh seed``), and how far it is."""


def resample(
    certificate: Certificate,
    picture: Image.Image,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    same_seed: bool = True,
    fresh_seed: int | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    on_progress: OnSample = lambda part, now: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Check]:
    """Sample as many votes as the certificate counted, and compare.

    Args:
        certificate: what to verify.
        picture: the one it certifies, in any size.
        classifier, denoiser: the models that it names.
        same_seed: sample with its own seed.
        fresh_seed: sample with this seed, too.
        device, batch_size: as for :func:`core.certify`.
        on_progress: called after every batch.
        should_stop: asked after every batch; what was stopped is not checked.

    Raises:
        LabError: where the fresh seed is not fresh, or the device is not there.
    """
    place = pick_device(device)
    check_fresh_seed(certificate, fresh_seed)
    checks = []
    runs = ([("same seed", certificate.seed)] if same_seed else []) + (
        [] if fresh_seed is None else [("fresh seed", fresh_seed)]
    )
    for part, seed in runs:
        reason = cannot_resample(certificate)
        if reason is None:
            compare = compare_same_seed if part == "same seed" else compare_fresh_seed
            try:
                again = _sample(
                    certificate, picture, classifier, denoiser, seed, place, batch_size, on_progress, part, should_stop
                )
                checks.append(compare(certificate, again))
                continue
            except LabError as error:  # a stranger's numbers may be possible one by one and not together
                reason = f"It could not be sampled again: {error}"
        checks.append(Check(f"counts, {part}", NOT_CHECKED, reason))
    return checks


def check_fresh_seed(certificate: Certificate, seed: int | None) -> None:
    """Raise LabError where a seed cannot serve as a fresh one."""
    if seed is not None and (seed == certificate.seed or seed < 0):
        raise LabError(f"The seed {seed} is not fresh: choose a whole number of at least 0 other than {certificate.seed}.")


def cannot_resample(certificate: Certificate) -> str | None:
    """Why sampling again can show nothing, whatever the models; None where it can."""
    if certificate.sound and certificate.noise != "gaussian":
        return f"No {certificate.noise} noise is drawn by exact integer sampling, so there is nothing to compare with."
    least = least_n_to_certify(certificate.alpha)
    if certificate.candidate is None or certificate.n < least:
        return f"It counted {certificate.n:,} votes, too few to compare: at least {least} are needed."
    if certificate.candidate >= len(certificate.counts) or sum(certificate.counts) != certificate.n:
        return "Its counts contradict themselves, so there is nothing to compare with."
    return None


def _sample(
    certificate: Certificate,
    picture: Image.Image,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    seed: int,
    device: torch.device,
    batch_size: int | None,
    on_progress: OnSample,
    part: str,
    should_stop: Callable[[], bool],
) -> Certificate:
    c = certificate
    # Sample i depends on the seed and i alone, so a run that stopped after n samples is repeated by one planned with n.
    return certify_picture(
        fit_to(picture, (c.image.height, c.image.width)),
        classifier,
        denoiser,
        Settings(sigma=c.sigma, n0=c.n0, n=c.n, alpha=c.alpha, seed=seed, noise=c.noise, sound=c.sound),
        device=str(device),
        batch_size=batch_size,
        on_progress=lambda now: on_progress(part, now),
        should_stop=should_stop,
    )


def compare_same_seed(certificate: Certificate, again: Certificate) -> Check:
    """Counts must be equal, vote for vote, where device type and library versions are the certificate's; else consistent."""
    name = "counts, same seed"
    if again.stopped:
        return _stopped(name, again)
    where = f"Sampling again with its own seed {certificate.seed} on {again.device}"
    if _comparable(certificate, again) and again.counts == certificate.counts and again.candidate == certificate.candidate:
        return Check(name, SAME, f"{where} gives the same counts, vote for vote.", list(certificate.counts), list(again.counts))
    excuses = _excuses(certificate, again)
    if excuses:
        check = _consistent(name, certificate, again)
        sentence = f"{where}: the same counts are not expected, since {' and '.join(excuses)}. {check.sentence}"
        return Check(name, check.status, sentence, check.stated, check.found, check.p_value)
    if not _comparable(certificate, again):
        return _consistent(name, certificate, again)
    p_value = consistency_p_value(certificate, again.counts)
    if again.counts == certificate.counts:
        sentence = f"{where} chooses another class to count: its n0 samples cannot have been these."
        return Check(name, DIFFERS, sentence, certificate.candidate, again.candidate)
    moved = sum(abs(mine - theirs) for mine, theirs in zip(certificate.counts, again.counts, strict=True)) // 2
    sentence = (
        f"{where} gives other counts: {moved:,} of {certificate.n:,} votes fall on other classes, although device type and"
        f" versions are the same, where none should, but for a few that rounding moves on"
        f" another model of processor. (Read as independent samples: p-value {p_value:.2g}.)"
    )
    return Check(name, DIFFERS, sentence, list(certificate.counts), list(again.counts), p_value)


def compare_fresh_seed(certificate: Certificate, again: Certificate) -> Check:
    """Counts must be consistent with the same probabilities of every class."""
    name = "counts, fresh seed"
    if again.stopped:
        return _stopped(name, again)
    check = _consistent(name, certificate, again)
    sentence = f"Sampling with the fresh seed {again.seed} on {again.device}. {check.sentence}"
    return Check(name, check.status, sentence, check.stated, check.found, check.p_value)


def _consistent(name: str, certificate: Certificate, again: Certificate) -> Check:
    stated, found = list(certificate.counts), list(again.counts)
    if not _comparable(certificate, again):
        sentence = f"The classifier has {len(found)} classes, and the certificate counts {len(stated)}."
        return Check(name, DIFFERS, sentence, stated, found)
    p_value = consistency_p_value(certificate, again.counts)
    votes = f"{_votes(certificate, certificate.counts)} in the certificate, {_votes(certificate, again.counts)} here"
    if p_value > LEVEL:
        sentence = f"The counts are consistent ({votes}; p-value {p_value:.2g})."
        return Check(name, SAME, sentence, stated, found, p_value)
    sentence = (
        f"The counts are not consistent ({votes}; p-value {p_value:.2g}): a true certificate fails this test at most once in"
        f" {round(1 / LEVEL):,} times."
    )
    return Check(name, DIFFERS, sentence, stated, found, p_value)


def _votes(certificate: Certificate, counts: Sequence[int]) -> str:
    return f"{counts[certificate.candidate or 0]:,} of {sum(counts):,}"


def _comparable(certificate: Certificate, again: Certificate) -> bool:
    return len(certificate.counts) == len(again.counts)


def _stopped(name: str, again: Certificate) -> Check:
    return Check(name, NOT_CHECKED, f"Sampling was stopped after {again.n:,} of {again.n_planned:,} votes.")


def _excuses(certificate: Certificate, again: Certificate) -> list[str]:
    """Why the very same counts cannot be expected here; empty where they can."""
    excuses = []
    made, here = (c.device.partition(":")[0] for c in (certificate, again))
    if made != here:
        excuses.append(f"it was made on {made!r} and this is {here!r}")
    for package in ("torch", "numpy"):
        made, here = certificate.versions.get(package, "unknown"), versions()[package]
        if made != here:
            excuses.append(f"it was made with {package} {made!r} and this is {here!r}")
    return excuses
