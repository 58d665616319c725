"""Sampling a certificate's votes again: with its own seed the very same counts, with a fresh one consistent ones.

Whether two runs drew their votes from the same probabilities is told by tests with a known rate of false alarms.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from PIL import Image

from core.device import pick_device
from core.engines import FLOAT32
from core.errors import LabError
from core.pictures.reading import fit_to
from core.smoothing.bounds import (
    FIXED_N,
    anytime_lower,
    clopper_pearson_lower,
    clopper_pearson_upper,
    least_n_to_certify,
    upper_bound,
)
from core.smoothing.certificate import Certificate
from core.smoothing.certify import Progress, certify_picture
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import Settings
from core.verification.verify import DIFFERS, NOT_CHECKED, SAME, Check, models_of_catalogue

LEVEL = 0.001
"""The chance that a true certificate is called inconsistent with fresh samples."""

_LEAST = 1e-300
MAX_SAMPLES_HERE = 101_000
MAX_SIDE_HERE = 512

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
        picture: the one it certifies, in any size; the models are those that it names.
        same_seed: sample with its own seed.
        fresh_seed: sample with this seed, too.
        should_stop: asked after every batch, as ``on_progress`` is called; what was stopped is not checked.

    Raises:
        LabError: where the fresh seed is not fresh, or the device is not there.
    """
    place = str(pick_device(device))
    check_fresh_seed(certificate, fresh_seed)
    c = certificate
    own = Settings(sigma=c.sigma, n0=c.n0, n=c.n, alpha=c.alpha, seed=c.seed, noise=c.noise, sound=c.sound)
    own = replace(own, engine=c.engine, precision=c.precision, two_sided=c.two_sided)  # another is another base classifier
    runs = [("same seed", own, compare_same_seed)] if same_seed else []
    if fresh_seed is not None:
        runs.append(("fresh seed", replace(own, seed=fresh_seed), compare_fresh_seed))
    checks = []
    for part, settings, compare in runs:
        reason = cannot_resample(certificate)
        if reason is None:
            try:
                # Sample i depends on the seed and i alone, so one planned with n repeats a run that stopped after n samples.
                again = certify_picture(
                    fit_to(picture, (c.image.height, c.image.width)),
                    classifier,
                    denoiser,
                    settings,
                    device=place,
                    batch_size=batch_size,
                    on_progress=partial(on_progress, part),
                    should_stop=should_stop,
                )
                reason = _unlike(certificate, again)
                if not again.stopped and reason is None:
                    checks.append(compare(certificate, again))
                    continue
                reason = reason or f"Sampling was stopped after {again.n:,} of {again.n_planned:,} votes."
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


def cannot_sample_here(certificate: Certificate) -> str | None:
    """Why the app does not sample for this certificate; None where it does."""
    here = models_of_catalogue(certificate)
    if isinstance(here, str):
        return here
    if certificate.engine == "compile":
        return "The app compiles nothing for a stranger's certificate: use 'python -m core verify' on the command line."
    side = max(certificate.image.height, certificate.image.width)
    if certificate.n0 + certificate.n > MAX_SAMPLES_HERE or side > MAX_SIDE_HERE:
        return (
            f"The app samples at most {MAX_SAMPLES_HERE:,} copies of at most {MAX_SIDE_HERE} x {MAX_SIDE_HERE} pixels:"
            " use 'python -m core verify' on the command line."
        )
    return None


def compare_same_seed(certificate: Certificate, again: Certificate) -> Check:
    """Counts must be equal, vote for vote, where device type and library versions are the certificate's; else consistent."""
    name = "counts, same seed"
    where = f"Sampling again with its own seed {certificate.seed} on {again.device}"
    chosen, found = ((c.candidate, c.lower_part) for c in (certificate, again))
    if _comparable(certificate, again) and again.counts == certificate.counts and found == chosen:
        sentence = f"{where} gives the same counts, vote for vote."
        return Check(name, SAME, sentence, stated=list(certificate.counts), found=list(again.counts))
    if excuses := _excuses(certificate, again):
        check = _consistent(name, certificate, again)
        why = f"the same counts are not expected, since {' and '.join(excuses)}"
        return replace(check, sentence=f"{where}: {why}. {check.sentence}")
    if not _comparable(certificate, again):
        return _consistent(name, certificate, again)
    p_value = consistency_p_value(certificate, again.counts)
    if again.counts == certificate.counts:
        other = "class to count" if again.candidate != certificate.candidate else "part of alpha for the lower bound"
        sentence = f"{where} chooses another {other}: its n0 samples cannot have been these."
        return Check(name, DIFFERS, sentence, stated=chosen, found=found)
    moved = sum(abs(mine - theirs) for mine, theirs in zip(certificate.counts, again.counts, strict=True)) // 2
    sentence = (
        f"{where} gives other counts: {moved:,} of {certificate.n:,} votes fall on other classes, although device type and"
        f" versions are the same, where none should, but for a few that rounding moves on"
        f" another model of processor. (Read as independent samples: p-value {p_value:.2g}.)"
    )
    return Check(name, DIFFERS, sentence, stated=list(certificate.counts), found=list(again.counts), p_value=p_value)


def compare_fresh_seed(certificate: Certificate, again: Certificate) -> Check:
    """Counts must be consistent with the same probabilities of every class."""
    check = _consistent("counts, fresh seed", certificate, again)
    return replace(check, sentence=f"Sampling with the fresh seed {again.seed} on {again.device}. {check.sentence}")


def _consistent(name: str, certificate: Certificate, again: Certificate) -> Check:
    stated, found = list(certificate.counts), list(again.counts)
    if not _comparable(certificate, again):
        sentence = f"The classifier has {len(found)} classes, and the certificate counts {len(stated)}."
        return Check(name, DIFFERS, sentence, stated=stated, found=found)
    p_value = consistency_p_value(certificate, again.counts)
    votes = f"{_votes(certificate, certificate.counts)} in the certificate, {_votes(certificate, again.counts)} here"
    if p_value > LEVEL:
        sentence = f"The counts are consistent ({votes}; p-value {p_value:.2g})."
        return Check(name, SAME, sentence, stated=stated, found=found, p_value=p_value)
    sentence = (
        f"The counts are not consistent ({votes}; p-value {p_value:.2g}): a true certificate fails this test at most once in"
        f" {round(1 / LEVEL):,} times."
    )
    return Check(name, DIFFERS, sentence, stated=stated, found=found, p_value=p_value)


def _votes(certificate: Certificate, counts: Sequence[int]) -> str:
    return f"{counts[certificate.candidate or 0]:,} of {sum(counts):,}"


def _comparable(certificate: Certificate, again: Certificate) -> bool:
    return len(certificate.counts) == len(again.counts)


def _excuses(certificate: Certificate, again: Certificate) -> list[str]:
    """Why the very same counts cannot be expected here; empty where they can."""
    made, here = (c.device.partition(":")[0] for c in (certificate, again))
    pairs = [("on ", made, here)]
    packages = ("torch", "numpy", *(["openvino"] if certificate.engine == again.engine == "openvino" else []))
    then, now = certificate.versions, again.versions
    pairs += [(f"with {name} ", then.get(name, "unknown"), now.get(name, "unknown")) for name in packages]
    pairs.append(("by the engine ", certificate.engine, again.engine))
    excuses = [f"it was made {how}{made!r} and this is {here!r}" for how, made, here in pairs if made != here]
    if certificate.precision != FLOAT32:
        excuses.append(f"how {certificate.precision} rounds is the processor's own affair")
    return excuses


def _unlike(certificate: Certificate, again: Certificate) -> str | None:
    """Why the votes here are another network's; None where they are not."""
    if certificate.precision == FLOAT32 or certificate.engine == again.engine:
        return None  # the engines of float32 differ in the last digits, as devices do
    return (
        f"It was computed by {certificate.engine} in {certificate.precision}, which cannot be had here: computed by"
        f" {again.engine}, which rounds otherwise, the votes are another network's and say nothing about it."
    )


def consistency_p_value(certificate: Certificate, counts: Sequence[int]) -> float:
    """A p-value for the hypothesis that fresh counts and the certificate's come from the same probabilities.

    It is at most x with probability at most x, for every x, where the certificate is true. Tested are the candidate's
    votes and, of a two-sided certificate, the runner-up's as well; that one was picked by its votes, so the least p-value is
    multiplied as if every other class had been tested (Bonferroni).

    Args:
        counts: votes of the fresh samples, one entry a class; how many samples was fixed beforehand.
    """
    # Whoever may stop at will can stop at a lucky moment, so Fisher's test, which takes n as given, would alarm too often.
    test = fisher_p_value if certificate.method in FIXED_N else anytime_p_value
    candidate = certificate.candidate or 0
    k, n = certificate.counts[candidate], certificate.n
    p_value = test(k, n, counts[candidate], sum(counts))
    runner_up = certificate.runner_up
    if not certificate.two_sided or runner_up is None:
        return p_value
    other = test(certificate.counts[runner_up], n, counts[runner_up], sum(counts)) * (len(counts) - 1)
    return min(1.0, 2 * min(p_value, other))


def fisher_p_value(k: int, n: int, fresh_k: int, fresh_n: int) -> float:
    """Fisher's exact test, two-sided, that ``k`` of ``n`` and ``fresh_k`` of ``fresh_n`` have the same probability.

    >>> fisher_p_value(990, 1000, 988, 1000) > 0.5, fisher_p_value(1000, 1000, 950, 1000) < 1e-12
    (True, True)
    """
    from scipy import stats  # a second to import, which only this needs

    return min(1.0, float(stats.fisher_exact([[k, n - k], [fresh_k, fresh_n - fresh_k]]).pvalue))


def anytime_p_value(k: int, n: int, fresh_k: int, fresh_n: int) -> float:
    """The same where ``n`` may have been chosen while looking at the votes; ``fresh_n`` was fixed beforehand.

    At level x the hypothesis is rejected where an interval for the first run that holds at every n at once (each end at
    x/4) and the Clopper-Pearson interval of the second (likewise) have no point in common: if both cover the one true
    probability they do. The p-value is the least x that rejects.

    >>> anytime_p_value(990, 1000, 988, 1000), anytime_p_value(1000, 1000, 950, 1000) < 1e-3
    (1.0, True)
    """

    def apart(level: float) -> bool:
        part = level / 4
        low, high = anytime_lower(k, n, part), upper_bound(k, n, part, "anytime")
        fresh_low, fresh_high = clopper_pearson_lower(fresh_k, fresh_n, part), clopper_pearson_upper(fresh_k, fresh_n, part)
        return low > fresh_high or fresh_low > high

    if not apart(1.0):
        return 1.0
    if apart(_LEAST):
        return _LEAST
    rejects, keeps = 0.0, math.log(_LEAST)  # both intervals only shrink as the level grows
    while rejects - keeps > 1e-3:
        middle = (rejects + keeps) / 2
        if apart(math.exp(middle)):
            rejects = middle
        else:
            keeps = middle
    return math.exp(rejects)
