"""CERTIFY with a remote API as the base classifier: the answers are bought one by one, and none is bought in vain."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from core.apis.asking import Halt, QuerySender
from core.apis.labels import NO_ANSWER, OTHER, AnswerVotes, LabelMap, class_of_query, looks_when_paid
from core.apis.ledger import ANSWERED, IN_DOUBT, UNUSABLE, Ledger, Query, settled_prefix
from core.apis.provider import Limits, Provider, size_note
from core.apis.providers import Described
from core.apis.queries import QueryPictures, RunSpec, spec_of
from core.device import pick_device
from core.pictures.pixels import ImageSource, to_pixels
from core.pictures.reading import ImageRecord
from core.smoothing.certificate import Certificate, ModelRecord, Provenance, model_record
from core.smoothing.certification import Certification
from core.smoothing.sampling import DenoiserLike, ready
from core.smoothing.settings import Settings
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


class AnsweredCertification:
    """CERTIFY fed with kept answers: one by one, in the order of their numbers, and none after the one that settles it.

    So what is said does not depend on the answers that were still under way when asking ended.

    Args:
        settings, shape: as for :class:`core.smoothing.certification.Certification`.
        labels: which labels count as which class.
    """

    def __init__(self, settings: Settings, shape: tuple[int, ...], labels: LabelMap) -> None:
        self.certification = Certification(
            settings, shape, at=tuple(looks_when_paid(settings.n)), choose=self._choose, give_up=settings.method == "anytime"
        )
        self._labels = labels
        self._names = {OTHER: 0, NO_ANSWER: 1}
        self._counted = {"select": 0, "estimate": 0}

    def count(self, select: Sequence[Query], estimate: Sequence[Query]) -> None:
        """Count those answers that were not counted before."""
        c = self.certification
        for purpose, queries, most in (("select", select, c.settings.n0), ("estimate", estimate, c.settings.n)):
            for query in settled_prefix(queries)[self._counted[purpose] : most]:
                if purpose == "estimate" and (c.candidate is None or c.finished):
                    return
                self._counted[purpose] += 1
                name = class_of_query(query, self._labels)
                index = self._names.setdefault(name, len(self._names))
                c.add(purpose, torch.eye(len(self._names), dtype=torch.int64)[index])

    def _choose(self, votes: Tensor) -> int | None:
        known = {name: int(votes[index]) for name, index in self._names.items() if index > 1 and index < len(votes)}
        best = max(known, key=lambda name: (known[name], name), default=None)
        return None if best is None else self._names[best]

    @property
    def votes(self) -> AnswerVotes:
        """By class name."""
        c, names = self.certification, list(self._names)
        candidate = None if c.candidate is None else names[c.candidate]
        return AnswerVotes(candidate, self._by_name(c.counts0), self._by_name(c.counts))

    def _by_name(self, votes: Tensor) -> dict[str, int]:
        found = {name: count for name, count in zip(self._names, votes.tolist(), strict=False) if count}
        return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))

    def certificate(self, provenance: Provenance, seconds: float, samples: int) -> Certificate:
        """The certificate; its classes are the labels seen in order, then ``other`` and ``no usable answer``."""
        made = self.certification.certificate(provenance, seconds, samples)
        names = [*sorted(self._names.keys() - {OTHER, NO_ANSWER}), OTHER, NO_ANSWER]
        votes = self.votes
        candidate = None if votes.candidate is None else names.index(votes.candidate)
        return replace(
            made,
            counts=tuple(votes.counts.get(name, 0) for name in names),
            labels=tuple(names),
            candidate=candidate,
            prediction=None if made.abstained else candidate,
            label=None if made.abstained else votes.candidate,
        )


def certify_remote(
    image: ImageSource,
    provider: Provider | Described,
    denoiser: DenoiserLike | None,
    settings: Settings,
    *,
    ledger: Ledger,
    budget: float,
    labels: LabelMap | None = None,
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
        settings: with ``anytime``, asking stops as soon as ``until_radius`` is settled, or, where there is none, as soon as
            abstention is certain; with ``clopper-pearson``, all n are asked.
        ledger: where answers are kept; what is there already is not asked again.
        budget: dollars for this run, earlier processes included.
        labels: which labels count as which class; None takes each label as its own class.
        size: (height, width) to bring the picture to before the noise; None leaves it.
        device: where the denoiser runs.
        offline: count what is stored; ask nothing.
        on_progress: called in this thread.
        should_stop: asked ten times a second.

    Raises:
        LabError: where a number is not usable, or another process asks the same queries now.
    """
    mapped = labels or LabelMap()
    pixels = to_pixels(image, size)
    place = pick_device(device)
    counted = AnsweredCertification(settings, tuple(pixels.shape), mapped)
    c = counted.certification
    ready(denoiser, place, "denoiser")
    spec = spec_of(provider, pixels, denoiser, settings.sigma, settings.seed)
    began, asked, halt = time.monotonic(), 0, None

    def count() -> tuple[list[Query], list[Query]]:
        """Count what is kept by now, and return it."""
        kept = ledger.queries(spec.name, "select"), ledger.queries(spec.name, "estimate")
        counted.count(*kept)
        return kept

    before = sum(map(len, count()))
    if not offline:
        assert not isinstance(provider, Described), "asking needs a provider with a client"
        ledger.begin(spec.name, asdict(spec))
        waiting: list[str] = []
        pictures = QueryPictures(pixels.to(place), denoiser, settings.sigma, settings.seed)

        def tell(phase: str) -> None:
            select, estimate = count()
            if on_progress is None:
                return
            now, planned = c.conclusion("anytime"), settings.n0 + settings.n
            done = min(len(select), settings.n0) + min(len(estimate), settings.n)
            newest = max((q for q in (*select, *estimate) if q.state == ANSWERED), key=lambda q: q.asked, default=None)
            on_progress(
                RemoteProgress(
                    phase=phase,
                    votes=counted.votes,
                    answered=done,
                    planned=planned,
                    p_lower=now.p_lower,
                    radius=now.radius,
                    spent=ledger.spent(spec.name),
                    latest=newest.answer[0].name if newest is not None and newest.answer else None,
                    waiting=waiting.pop() if waiting else None,
                    seconds_left=(time.monotonic() - began) / max(asked, 1) * (planned - done),
                )
            )

        with ledger.working_on(spec.name):
            for phase, total in (("select", settings.n0), ("estimate", settings.n)):
                known = {query.number for query in count()[phase == "estimate"]}
                if phase == "estimate" and (c.candidate is None or c.settled is not None):
                    break
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
                for number in sender.ask(phase, [number for number in range(total) if number not in known]):
                    asked += number is not None
                    unseen += number is not None
                    started = time.monotonic()
                    # Reading thousands of answers anew after each would take longer than asking; but each is paid for, so
                    # that few more than are needed may be bought, however busy this machine is.
                    if started < look and unseen < max(16, asked // 16):
                        continue
                    unseen = 0
                    tell(phase)
                    if phase == "estimate" and c.settled is not None:
                        break
                    look = time.monotonic() + 9 * (time.monotonic() - started)
                tell(phase)
                if sender.halt is not None:
                    halt = sender.halt
                    break

    select, estimate = count()
    asked = len(select) + len(estimate) - before
    every = [*select[: settings.n0], *estimate[: c.done]]
    models = sorted({query.model for query in every if query.model})
    provenance = Provenance(
        ImageRecord(spec.image_sha256, spec.height, spec.width),
        ModelRecord(spec.provider, ", ".join(models) or None),
        model_record(denoiser),
        labels=None,
        device=str(place),
        versions=versions(),
    )
    certificate = counted.certificate(provenance, time.monotonic() - began, asked)
    best = Counter(query.answer[0].name for query in every if query.answer)
    return RemoteResult(
        certificate=certificate,
        run=spec.name,
        spent=ledger.spent(spec.name),
        asked=asked,
        settled=c.settled,
        unusable=sum(q.state == UNUSABLE for q in every),
        in_doubt=sum(q.state == IN_DOUBT for q in every),
        halt=halt,
        labels_seen=dict(best.most_common()),
        notes=_notes(spec, provider.limits, every, mapped, certificate),
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
