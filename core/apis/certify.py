"""CERTIFY with a remote API as the base classifier: the answers are bought one by one, and none is bought in vain."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from core.apis.asking import Halt, QuerySender
from core.apis.labels import NO_ANSWER, OTHER, AnswerVotes, LabelMap, count_answers, looks_when_paid
from core.apis.ledger import ANSWERED, IN_DOUBT, UNUSABLE, Ledger, Query
from core.apis.provider import Limits, Provider, size_note
from core.apis.providers import Described
from core.apis.queries import QueryPictures, RunSpec, spec_of
from core.device import pick_device
from core.pictures.pixels import ImageSource, to_pixels
from core.smoothing.arithmetic import Conclusion, recompute
from core.smoothing.certificate import Certificate, ImageRecord, ModelRecord
from core.smoothing.certify import check_certify_settings
from core.smoothing.model_records import model_record
from core.smoothing.sampling import DenoiserLike, ready
from core.smoothing.until import OUT_OF_REACH, radius_possible, settle
from core.versions import versions


@dataclass(frozen=True)
class RemoteProgress:
    """The state after an answer.

    Attributes:
        phase: ``select`` or ``estimate``.
        votes: so far.
        answered, planned: queries settled, and all that may be asked.
        p_lower, radius: valid now, whenever now is (anytime bound).
        spent: dollars, earlier processes of the same run included.
        latest: the newest answer's best label, or None.
        waiting: why everybody waits, or None.
        seconds_left: at the rate so far.
    """

    phase: str
    votes: AnswerVotes
    answered: int
    planned: int
    p_lower: float
    radius: float
    spent: float
    latest: str | None
    waiting: str | None
    seconds_left: float


@dataclass(frozen=True)
class RemoteResult:
    """What came of it.

    Attributes:
        certificate: as :func:`core.certify` returns it; its labels are the classes seen, with ``other`` and
            ``no usable answer`` last.
        run: the name of the run in the ledger.
        spent: dollars for the run in all.
        asked: queries sent just now; the rest had been stored.
        settled: ``reached``, ``out of reach`` or None, of the question that was to be settled.
        unusable, in_doubt: queries that count for no class.
        halt: why asking ended early, or None.
        labels_seen: how often each label was the best one.
        notes: sentences for the user.
    """

    certificate: Certificate
    run: str
    spent: float
    asked: int
    settled: str | None
    unusable: int
    in_doubt: int
    halt: Halt | None
    labels_seen: dict[str, int]
    notes: tuple[str, ...]


def certify_remote(
    image: ImageSource,
    provider: Provider | Described,
    denoiser: DenoiserLike | None = None,
    *,
    sigma: float,
    ledger: Ledger,
    budget: float,
    n0: int = 20,
    n: int = 100,
    alpha: float = 0.001,
    seed: int = 0,
    method: str = "anytime",
    labels: LabelMap | None = None,
    until_radius: float | None = None,
    size: tuple[int, int] | None = None,
    device: str = "auto",
    offline: bool = False,
    on_progress: Callable[[RemoteProgress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RemoteResult:
    """Certify the smoothed API's label for one picture.

    Args:
        image: a path, a PIL picture, or a (3, H, W) tensor in [0, 1].
        provider: from :func:`core.apis.providers.load_provider`; a :class:`Described` one suffices where ``offline``.
        denoiser: put before the API; it runs on this machine.
        sigma: standard deviation of the noise, in [0, 1] pixel units.
        ledger: where answers are kept; what is there already is not asked again.
        budget: dollars for this run, earlier processes included.
        n0, n, alpha, seed: as for :func:`core.certify`.
        method: ``anytime`` (asking stops as soon as the question is settled) or ``clopper-pearson`` (all n are asked).
        labels: which labels count as which class; None takes each label as its own class.
        until_radius: with ``anytime``, stop as soon as this l2 radius is certified or out of reach; None goes on to n, unless
            abstention is certain before.
        size: (height, width) to bring the picture to before the noise; None leaves it.
        device: where the denoiser runs.
        offline: count what is stored; ask nothing.
        on_progress: called in this thread.
        should_stop: asked ten times a second.

    Raises:
        LabError: where a number is not usable, or another process asks the same queries now.
    """
    check_certify_settings(sigma=sigma, n0=n0, n=n, alpha=alpha, seed=seed, method=method, until_radius=until_radius)
    mapped = labels or LabelMap()
    pixels = to_pixels(image, size)
    place = pick_device(device)
    ready(denoiser, place, "denoiser")
    spec = spec_of(provider, pixels, denoiser, sigma, seed)
    began, asked, halt = time.monotonic(), 0, None

    def stored() -> tuple[list[Query], list[Query]]:
        return ledger.queries(spec.name, "select"), ledger.queries(spec.name, "estimate")

    before = sum(map(len, stored()))

    numbers: dict[str, Any] = {"alpha": alpha, "sigma": sigma, "shape": tuple(pixels.shape)}

    def settled(votes: AnswerVotes) -> str | None:
        if method != "anytime" or not votes.n:
            return None
        pair = (votes.k, votes.n - votes.k)  # a one-sided question: all that is not the candidate is the rest
        if until_radius is not None:
            return settle(pair, 0, until_radius, **numbers)
        # Nobody asked for a radius: asking on is in vain only where abstention is certain.
        return OUT_OF_REACH if radius_possible(pair, 0, **numbers) == 0 else None

    looked = 0

    def ended() -> tuple[AnswerVotes, str | None]:
        """The votes up to where the question was settled first, and how; all votes and None where it is not.

        So what is said does not depend on the answers that were still under way when asking ended.
        """
        nonlocal looked
        select, estimate = stored()
        votes = count_answers(select, estimate, mapped, n0, n)
        for at in looks_when_paid(n):
            if looked < at <= votes.n:
                part = count_answers(select, estimate[:at], mapped, n0, n)
                how = settled(part)
                if how is not None:
                    return part, how
                looked = at
        return votes, None

    if not offline:
        assert not isinstance(provider, Described), "asking needs a provider with a client"
        ledger.begin(spec.name, asdict(spec))
        waiting: list[str] = []
        pictures = QueryPictures(pixels.to(place), denoiser, sigma, seed)

        def tell(phase: str) -> None:
            if on_progress is None:
                return
            select, estimate = stored()
            votes = count_answers(select, estimate, mapped, n0, n)
            now = recompute((votes.k, votes.n - votes.k), 0, method="anytime", **numbers)
            done = min(len(select), n0) + min(len(estimate), n)
            newest = max((q for q in (*select, *estimate) if q.state == ANSWERED), key=lambda q: q.asked, default=None)
            on_progress(
                RemoteProgress(
                    phase,
                    votes,
                    done,
                    n0 + n,
                    now.p_lower,
                    now.radius,
                    ledger.spent(spec.name),
                    newest.answer[0].name if newest is not None and newest.answer else None,
                    waiting.pop() if waiting else None,
                    (time.monotonic() - began) / max(asked, 1) * (n0 + n - done),
                )
            )

        with ledger.working_on(spec.name):
            for phase, total in (("select", n0), ("estimate", n)):
                votes, how = ended()
                if phase == "estimate" and (votes.candidate is None or how is not None):
                    break
                known = {query.number for query in ledger.queries(spec.name, phase)}
                sender = QuerySender(
                    provider,
                    ledger,
                    spec.name,
                    pictures,
                    budget,
                    should_stop,
                    lambda why, seconds: waiting.append(f"{why} Waiting {seconds:.0f} s."),
                )
                look, unseen = 0.0, 0
                for settled_number in sender.ask(phase, [number for number in range(total) if number not in known]):
                    asked += settled_number is not None
                    unseen += settled_number is not None
                    started = time.monotonic()
                    # Reading thousands of answers anew after each would take longer than asking; but each is paid for, so
                    # that few more than are needed may be bought, however busy this machine is.
                    if started < look and unseen < max(16, asked // 16):
                        continue
                    unseen = 0
                    tell(phase)
                    if phase == "estimate" and ended()[1] is not None:
                        break
                    look = time.monotonic() + 9 * (time.monotonic() - started)
                tell(phase)
                if sender.halt is not None:
                    halt = sender.halt
                    break

    select, estimate = stored()
    asked = len(select) + len(estimate) - before
    votes, outcome = ended()
    counted = (select[:n0], estimate[: votes.n])
    used = method if votes.n == n else "anytime"
    models = sorted({query.model for part in counted for query in part if query.model})
    certificate = _certificate(
        spec,
        votes,
        recompute((votes.k, votes.n - votes.k), 0, method=used, **numbers),
        alpha=alpha,
        n0=n0,
        n_planned=n,
        method=used,
        failure_probability=alpha if used == method else 2 * alpha,
        until_radius=until_radius,
        settled=outcome if until_radius is not None else None,
        classifier=ModelRecord(spec.provider, ", ".join(models) or None),
        denoiser=model_record(denoiser),
        device=str(place),
        seconds=time.monotonic() - began,
        samples_per_second=asked / max(time.monotonic() - began, 1e-9),
    )
    every = [query for part in counted for query in part]
    best = Counter(query.answer[0].name for query in every if query.answer)
    return RemoteResult(
        certificate,
        spec.name,
        ledger.spent(spec.name),
        asked,
        outcome,
        sum(q.state == UNUSABLE for q in every),
        sum(q.state == IN_DOUBT for q in every),
        halt,
        dict(best.most_common()),
        _notes(spec, provider.limits, every, mapped, certificate),
    )


def _certificate(spec: RunSpec, votes: AnswerVotes, found: Conclusion, **fields: Any) -> Certificate:
    names = [*sorted((votes.counts.keys() | votes.chosen_from.keys()) - {OTHER, NO_ANSWER}), OTHER, NO_ANSWER]
    candidate = None if votes.candidate is None else names.index(votes.candidate)
    return Certificate(
        prediction=None if found.abstained else candidate,
        label=None if found.abstained else votes.candidate,
        abstained=found.abstained,
        counts=tuple(votes.counts.get(name, 0) for name in names),
        n=votes.n,
        sigma=spec.sigma,
        seed=spec.seed,
        stopped=votes.n < fields["n_planned"],
        image=ImageRecord(spec.image_sha256, spec.height, spec.width),
        labels=tuple(names),
        versions=versions(),
        candidate=candidate,
        radius=found.radius,
        radii=found.radii,
        radius_ceiling=found.radius_ceiling,
        p_lower=found.p_lower,
        norm="l2",
        noise="gaussian",
        **fields,
    )


def _notes(spec: RunSpec, limits: Limits, queries: list[Query], labels: LabelMap, certificate: Certificate) -> tuple[str, ...]:
    notes = [size_note(spec.height, spec.width, limits)]
    models = {query.model for query in queries if query.model}
    if len(models) > 1:
        notes.append(
            f"The API answered with {len(models)} versions of its model: a certificate speaks of one classifier, so start anew"
            " with another seed."
        )
    lost = sum(query.state in (UNUSABLE, IN_DOUBT) for query in queries)
    if lost:
        notes.append(f"{lost} of {len(queries)} queries brought no usable answer; they count against the class.")
    if certificate.candidate is None and len(queries) >= certificate.n0:
        notes.append("No answer named a class of the label map: look at the labels that came and add them to it.")
    unknown = labels.unknown([label.name for query in queries for label in query.answer])
    if unknown and queries:
        some = ", ".join(repr(word) for word in unknown[:3])
        notes.append(f"The label map has {len(unknown)} words that no answer contains, such as {some}: mistyped?")
    return tuple(note for note in notes if note)
