"""Sampling a certificate's votes again: with its own seed the very same counts, with a fresh one consistent ones.

Whether two runs drew their votes from the same probabilities, and whether fresh votes contradict what is claimed, is told by
tests with a known rate of false alarms.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PIL import Image
from scipy import special

from core.device import pick_device
from core.engines import FLOAT32, INT8
from core.errors import LabError
from core.pictures.reading import fit_to
from core.plain_text import named
from core.smoothing.bounds import FIXED_N, METHODS, anytime_p_value, fisher_p_value, least_n_to_certify, samples_to_reject
from core.smoothing.certificate import Certificate
from core.smoothing.certification import Certification
from core.smoothing.certify import Progress, certify_picture
from core.smoothing.conclusion import conclude, outcome
from core.smoothing.radius import floored
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import MAX_N, Settings
from core.smoothing.table import looks
from core.verification.verify import DIFFERS, NOT_CHECKED, SAME, Check, models_of_catalogue

LEVEL = 0.001
"""The chance that each of the tests calls a certificate false that is true."""
TOO_HIGH, POWER = 0.02, 0.99
"""A claim so much too high in p is contradicted with this probability by the number of fresh samples that is usual."""
ROUNDING = 0.005
"""The share of votes that another device or version may move where the noise is the same: several times what was seen."""

MAX_SAMPLES_HERE = 101_000
MAX_SIDE_HERE = 512

OnSample = Callable[[str, Progress], None]
"""Told which of the two runs is under way (``same seed`` or ``fresh seed``), and how far it is."""


class Replay(Certification):
    """A certificate's votes, sampled again to the sample at which it ended.

    Sample i depends on the seed and i alone, so a run of a fixed n repeats one that ended before all were taken.

    Attributes:
        ended: the look before that sample at which a run that was asked the same would have ended; None where it would not.
    """

    def __init__(self, certificate: Certificate) -> None:
        c = self._replayed = certificate
        # Runs from before the plan was recorded may have looked at other numbers of samples.
        asks = c.method_planned is not None and c.settings.may_end_early
        at = [look for look in looks(c.n_planned) if look < c.n] if asks else []
        super().__init__(_settings_of(c), c.terms.shape, at=at)
        self.ended: int | None = None

    def _outcome(self) -> None:
        c = self._replayed
        if self.candidate is not None and self.ended is None and self.done < c.n:
            self.ended = self.done if outcome(self.counts.tolist(), self.candidate, c.settings, c.terms) else None


def resample(
    certificate: Certificate,
    picture: Image.Image,
    classifier: ClassifierLike,
    denoiser: DenoiserLike | None,
    *,
    same_seed: bool = True,
    fresh_seed: int | None = None,
    fresh_n: int | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    on_progress: OnSample = lambda part, now: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Check]:
    """Sample votes again, and compare; what is stopped is not checked.

    Args:
        picture: the one it certifies, in any size; the models are those that it names.
        same_seed: sample with its own seed, as many as it counted.
        fresh_seed: sample with this seed, too.
        fresh_n: so many; by default :func:`usual_fresh_n`.

    Raises LabError as :func:`check_fresh`, and where the device is not there.
    """
    place = str(pick_device(device))
    check_fresh(certificate, fresh_seed, fresh_n)
    c = certificate
    runs = [("same seed", _settings_of(c))] if same_seed else []
    if fresh_seed is not None:
        runs.append(("fresh seed", replace(_settings_of(c), seed=fresh_seed, n=fresh_n or usual_fresh_n(c))))
    checks = []
    for part, settings in runs:
        reason = cannot_resample(certificate)
        if reason is None:
            try:
                replay = Replay(c) if settings.seed == c.seed else None
                again = certify_picture(
                    fit_to(picture, (c.image.height, c.image.width)),
                    classifier,
                    denoiser,
                    settings,
                    counter=replay,
                    device=place,
                    batch_size=batch_size,
                    on_progress=partial(on_progress, part),
                    should_stop=should_stop,
                )
                reason = _unlike(certificate, again)
                if not again.stopped and reason is None:
                    checks += compare_fresh_seed(c, again) if replay is None else [compare_same_seed(c, again, replay.ended)]
                    continue
                reason = reason or f"Sampling was stopped after {again.n:,} of {again.n_planned:,} votes."
            except LabError as error:  # a stranger's numbers may be possible one by one and not together
                reason = f"It could not be sampled again: {error}"
        checks.append(Check(f"counts, {part}", NOT_CHECKED, reason))
    return checks


def _settings_of(c: Certificate) -> Settings:
    """What its votes depend on; another engine or precision is another base classifier."""
    known = Settings(sigma=c.sigma, n0=c.n0, n=c.n, alpha=c.alpha, seed=c.seed, noise=c.noise, sound=c.sound)
    return replace(known, engine=c.engine, precision=c.precision, two_sided=c.two_sided)


def check_fresh(certificate: Certificate, seed: int | None, n: int | None) -> None:
    """Raise LabError where a seed cannot serve as a fresh one, or so many fresh samples cannot be taken or certify nothing."""
    if seed is not None and (seed == certificate.seed or seed < 0):
        raise LabError(f"The seed {seed} is not fresh: choose a whole number of at least 0 other than {certificate.seed}.")
    least = least_n_to_certify(certificate.terms.alpha * (certificate.lower_part if certificate.two_sided else 1))
    if n is not None and not least <= n <= MAX_N:
        raise LabError(f"{n:,} fresh samples are asked for: expected {least:,} to {MAX_N:,}, since fewer can certify nothing.")


def usual_fresh_n(certificate: Certificate) -> int:
    """As many fresh samples as it counted, and at least so many that, were the candidate's probability :data:`TOO_HIGH` below
    the ``p_lower`` of a certificate that claims a radius, they contradict it with probability :data:`POWER`.
    """
    if certificate.abstained:
        return certificate.n
    level = LEVEL / (2 if certificate.two_sided else 1)
    return max(certificate.n, samples_to_reject(certificate.p_lower, TOO_HIGH, level, POWER))


def cannot_resample(certificate: Certificate) -> str | None:
    """Why sampling again can show nothing, whatever the models; None where it can."""
    least = least_n_to_certify(certificate.alpha)
    if certificate.candidate is None or certificate.n < least:
        return f"It counted {certificate.n:,} votes, too few to compare: at least {least} are needed."
    if certificate.candidate >= len(certificate.counts) or sum(certificate.counts) != certificate.n:
        return "Its counts contradict themselves, so there is nothing to compare with."
    try:
        _settings_of(certificate).check()
    except LabError as error:
        return f"It cannot be sampled again: {error}"
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


def compare_same_seed(certificate: Certificate, again: Certificate, ended: int | None = None) -> Check:
    """Counts must be equal, vote for vote, but for what another noise or another rounding explains; and the run must not have
    ended before, as one that was asked the same would have: at ``ended``.
    """
    name, stated, found = "counts, same seed", list(certificate.counts), list(again.counts)
    if len(stated) != len(found):
        return _consistent(name, certificate, again)
    where = f"Sampling again with its own seed {certificate.seed} on {again.device}"
    moved = sum(abs(mine - theirs) for mine, theirs in zip(stated, found, strict=True)) // 2
    chosen, here = ((c.candidate, c.lower_part) for c in (certificate, again))
    if not moved and here == chosen:
        if ended is None:
            return Check(name, SAME, f"{where} gives the same counts, vote for vote.", stated=stated, found=found)
        sentence = (
            f"{where} gives the same counts, but asked what the certificate says, the run would have ended after {ended:,}"
            f" samples, not {certificate.n:,}."
        )
        return Check(name, DIFFERS, sentence, stated=certificate.n, found=ended)
    noise, rounding = _excuses(certificate, again)
    if noise:
        check = _consistent(name, certificate, again)
        why = f"the same counts are not expected, since {' and '.join(noise)}"
        return replace(check, sentence=f"{where}: {why}. {check.sentence}")
    others = f"{moved:,} of {certificate.n:,} votes fall on other classes"
    if rounding:
        may = f"the noise is the same, but rounding may move one vote in {1 / ROUNDING:g}, since {' and '.join(rounding)}"
        no_more, more = (f"{where}: {may}. {others}, {than} than that explains" for than in ("no more", "more"))
        p_value = float(special.bdtrc(moved - 1, certificate.n, ROUNDING))
        return _judged(name, p_value, agrees=no_more, differs=more, stated=stated, found=found)
    if not moved:
        other = "class to count" if again.candidate != certificate.candidate else "part of alpha for the lower bound"
        sentence = f"{where} chooses another {other}: its n0 samples cannot have been these."
        return Check(name, DIFFERS, sentence, stated=chosen, found=here)
    p_value = consistency_p_value(certificate, again.counts)
    sentence = (
        f"{where} gives other counts: {others}, although noise, device type and versions are the same, where none should, but"
        f" for a few that rounding moves on another model of processor. (Read as independent samples: p-value {p_value:.2g}.)"
    )
    return Check(name, DIFFERS, sentence, stated=stated, found=found, p_value=p_value)


def compare_fresh_seed(certificate: Certificate, again: Certificate) -> list[Check]:
    """Counts must be consistent with the same probabilities of every class, and not contradict what is claimed of them."""
    check = _consistent("counts, fresh seed", certificate, again)
    check = replace(check, sentence=f"Sampling with the fresh seed {again.seed} on {again.device}. {check.sentence}")
    return [check, _check_claim(certificate, again)] if len(certificate.counts) == len(again.counts) else [check]


def _check_claim(c: Certificate, again: Certificate) -> Check:
    """The radius of the fresh votes by themselves, and whether they contradict the certificate's."""
    terms = replace(c.terms, method=METHODS[0], n_planned=again.n, table_radii=())
    own, p_value = conclude(again.counts, c.candidate, terms), claim_p_value(c, again.counts)
    others = "" if c.p_upper is None else f", and for any other class of at most {c.p_upper:.4g}"
    told = (
        f"The {again.n:,} fresh votes by themselves certify {c.norm} radius {floored(own.radius, '.4g')} at alpha"
        f" {terms.alpha:g}. The certificate states {floored(c.radius, '.4g')}, from p of at least"
        f" {floored(c.p_lower, '.4g')}{others}, which they"
    )
    values = {"stated": c.radius, "found": own.radius}
    return _judged("radius, fresh seed", p_value, agrees=f"{told} do not contradict", differs=f"{told} contradict", **values)


def _consistent(name: str, certificate: Certificate, again: Certificate) -> Check:
    values: dict[str, Any] = {"stated": list(certificate.counts), "found": list(again.counts)}
    classes, here = map(len, values.values())
    if here != classes:
        return Check(name, DIFFERS, f"The classifier has {here} classes, and the certificate counts {classes}.", **values)
    there, ours = (f"{c.counts[certificate.candidate or 0]:,} of {c.n:,}" for c in (certificate, again))
    votes = f"consistent: {there} votes in the certificate, {ours} here"
    p_value = consistency_p_value(certificate, again.counts)
    return _judged(name, p_value, agrees=f"The counts are {votes}", differs=f"The counts are not {votes}", **values)


def _judged(name: str, p_value: float, *, agrees: str, differs: str, **values: Any) -> Check:
    if p_value > LEVEL:
        return Check(name, SAME, f"{agrees} (p-value {p_value:.2g}).", p_value=p_value, **values)
    sentence = f"{differs} (p-value {p_value:.2g}): what is true fails this test at most once in {round(1 / LEVEL):,} times."
    return Check(name, DIFFERS, sentence, p_value=p_value, **values)


def _excuses(certificate: Certificate, again: Certificate) -> tuple[list[str], list[str]]:
    """Why votes here need not be those of the same noise, and why, where they are, the networks may round otherwise."""
    made, here = (c.device.partition(":")[0] for c in (certificate, again))
    device, engine = ("on ", made, here), ("by the engine ", certificate.engine, again.engine)
    then, now = certificate.versions, again.versions
    torch, numpy, openvino = (
        (f"with {name} ", then.get(name, "unknown"), now.get(name, "unknown")) for name in ("torch", "numpy", "openvino")
    )
    # Noise on the grid is made of the words of PCG64 and whole numbers, the same everywhere.
    drawn = [] if certificate.sound else [device, numpy if made == here == "cpu" else torch]
    rounded = [device, torch, engine, *([openvino] if certificate.engine == again.engine == "openvino" else [])]
    noise, rounding = (
        [f"it was made {how}{there!r} and this is {ours!r}" for how, there, ours in pairs if there != ours]
        for pairs in (drawn, rounded)
    )
    if certificate.precision != FLOAT32:
        noise.append(f"how {certificate.precision} rounds is the processor's own affair")
    return noise, rounding


def _unlike(certificate: Certificate, again: Certificate) -> str | None:
    """Why the votes here are another network's; None where they are not."""
    if certificate.precision == FLOAT32:
        return None  # the engines of float32 differ in the last digits, as devices do
    if (certificate.engine, certificate.precision) == (again.engine, again.precision):
        made, here = (c.versions.get(INT8, "unknown") for c in (certificate, again))
        if made == here:
            return None
        return (
            f"It was computed by a graph of int8 with sha256 {named(made)}, and the one here has {named(here)}: the votes are"
            " another network's and say nothing about it."
        )
    return (
        f"It was computed by {certificate.engine} in {certificate.precision}, which cannot be had here: computed by"
        f" {again.engine} in {again.precision}, the votes are another network's and say nothing about it."
    )


def claim_p_value(certificate: Certificate, counts: Sequence[int]) -> float:
    """A p-value for what a certificate claims: its candidate's probability is at least ``p_lower``, and, two-sided, that of
    every other class at most ``p_upper``.

    Exact binomial tails, whatever the certificate's own bound; several tests share the level (Bonferroni).
    """
    candidate, n = certificate.candidate or 0, sum(counts)
    p_value = float(special.bdtr(counts[candidate], n, certificate.p_lower))
    if certificate.p_upper is None:
        return p_value
    most = max(votes for index, votes in enumerate(counts) if index != candidate)
    other = float(special.bdtrc(most - 1, n, certificate.p_upper)) * (len(counts) - 1)
    return min(1.0, 2 * min(p_value, other))


def consistency_p_value(certificate: Certificate, counts: Sequence[int]) -> float:
    """A p-value for the hypothesis that fresh counts and the certificate's come from the same probabilities.

    Tested are the candidate's votes and, of a two-sided certificate, the runner-up's as well; that one was picked by its
    votes, so the least p-value is multiplied as if every other class had been tested (Bonferroni). How many fresh samples
    there are was fixed beforehand.
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
