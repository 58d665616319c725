"""CERTIFY with a remote API as the base classifier: the answers are bought one by one, and none is bought in vain."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from core.apis.asking import Halt, QuerySender
from core.apis.labels import AnsweredCertification, AnswerVotes, LabelMap
from core.apis.ledger import ANSWERED, IN_DOUBT, UNUSABLE, Ledger, Query
from core.apis.provider import Described, Provider, size_note
from core.apis.queries import QueryPictures, spec_of
from core.device import pick_device
from core.pictures.pixels import ImageSource, to_pixels
from core.pictures.reading import ImageRecord
from core.smoothing.bounds import FIXED_N
from core.smoothing.certificate import Certificate, ModelRecord, Provenance, model_record
from core.smoothing.sampling import DenoiserLike, ready
from core.smoothing.settings import Settings
from core.versions import versions

_CHOOSING = {"n0": "n0", "labels": "label map"}  # what decides which class is counted


@dataclass(frozen=True)
class RemoteProgress:
    """The state after an answer; ``p_lower`` and ``radius`` are valid now, whenever now is (anytime bound)."""

    phase: str  # ``select`` or ``estimate``
    votes: AnswerVotes
    answered: int  # queries settled
    planned: int  # all that may be asked
    p_lower: float
    radius: float
    spent: float  # dollars, earlier processes of the same run included
    latest: str | None  # the newest answer's best label
    waiting: str | None  # why everybody waits
    seconds_left: float  # at the rate so far


@dataclass(frozen=True)
class RemoteResult:
    """What came of it; the certificate's labels are the classes seen, with ``other`` and ``no usable answer`` last."""

    certificate: Certificate
    run: str  # its name in the ledger
    spent: float  # dollars for the run in all
    asked: int  # queries sent just now; the rest had been stored
    settled: str | None  # ``reached``, ``out of reach`` or None, of the question
    unusable: int  # queries that count for no class, as those in doubt
    in_doubt: int
    halt: Halt | None  # why asking ended early
    labels_seen: dict[str, int]  # how often each label was the best one
    notes: tuple[str, ...]  # sentences for the user


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
    any_seed: bool = False,
    on_progress: Callable[[RemoteProgress], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> RemoteResult:
    """Certify the smoothed API's label for one picture, brought to (height, width) = ``size`` before the noise.

    With ``anytime``, asking stops as soon as ``until_radius`` is settled, or, where there is none, as soon as abstention is
    certain; with ``clopper-pearson``, all n are asked. The denoiser runs on this machine's ``device``. What the ledger has is
    not asked again. A bound for a fixed n is for the n with which these answers were first looked at; with another one the
    anytime bound takes its place, and a note says so. Where ``any_seed`` and the ledger has answers about these very pictures
    but for the seed, that seed is gone on with; where ``offline`` nothing is asked, and a :class:`Described` provider
    suffices. ``budget``: dollars for this run, earlier processes included. Raises LabError where a number is not usable, or
    another process asks the same queries now.
    """
    pixels, placed = to_pixels(image, size), pick_device(device)
    if any_seed:
        kept = ledger.kept_seed(asdict(spec_of(provider, pixels, denoiser, settings, visitor=ledger.visitor)))
        settings = settings if kept is None else replace(settings, seed=kept)
    run = _RemoteRun(pixels, provider, denoiser, settings, ledger=ledger, labels=labels or LabelMap(), device=placed)
    if not offline:
        run.ask(budget, on_progress, should_stop)
    return run.result()


@dataclass
class _RemoteRun:
    """One run: what is counted of its answers, and asking for those it lacks."""

    pixels: Tensor
    provider: Provider | Described
    denoiser: DenoiserLike | None
    settings: Settings
    ledger: Ledger
    labels: LabelMap
    device: torch.device
    halt: Halt | None = None

    def __post_init__(self) -> None:
        self.counted = AnsweredCertification(self.settings, tuple(self.pixels.shape), self.labels)
        self.certification = self.counted.certification
        ready(self.denoiser, self.device, "denoiser")
        self.spec = spec_of(self.provider, self.pixels, self.denoiser, self.settings, visitor=self.ledger.visitor)
        self.look(note=False)
        self.began, self.asked, self.waiting = time.monotonic(), 0, list[str]()
        self.before = sum(map(len, self.count()))

    def look(self, *, note: bool) -> None:
        """See what these answers were first looked at with."""
        s = self.settings
        labels = {name: list(words) for name, words in self.labels.groups}
        self.asks = {"n": s.n, "method": s.method, "n0": s.n0, "labels": labels}
        self.first = self.ledger.first_look(self.spec.name, self.asks, note=note)
        self.certification.fell_back = s.method in FIXED_N and self.first.get("n") != s.n

    def count(self) -> tuple[list[Query], list[Query]]:
        kept = self.ledger.queries(self.spec.name, "select"), self.ledger.queries(self.spec.name, "estimate")
        self.counted.count(*kept)
        return kept

    def ask(self, budget: float, on_progress: Callable[[RemoteProgress], None] | None, should_stop: Callable[[], bool]) -> None:
        """Ask until everything that was asked of CERTIFY is settled, or asking has to end."""
        provider, ledger, run = self.provider, self.ledger, self.spec.name
        assert not isinstance(provider, Described), "asking needs a provider with a client"
        ledger.begin(run, asdict(self.spec))
        pictures = QueryPictures(self.pixels.to(self.device), self.denoiser, self.settings)
        pictures.check()
        with ledger.working_on(run):
            self.look(note=True)
            for phase, total in (("select", self.settings.n0), ("estimate", self.settings.n)):
                known = {query.number for query in self.count()[phase == "estimate"]}
                if phase == "estimate" and (self.certification.candidate is None or self.certification.settled is not None):
                    break
                sender = QuerySender(
                    provider, ledger, run, pictures, budget=budget, should_stop=should_stop, on_wait=self._note_waiting
                )
                look, unseen = 0.0, 0
                for number in sender.ask(phase, [number for number in range(total) if number not in known]):
                    self.asked += number is not None
                    unseen += number is not None
                    started = time.monotonic()
                    # Reading thousands of answers anew after each would take longer than asking; but each is paid for, so
                    # that few more than are needed may be bought, however busy this machine is.
                    if started < look and unseen < max(16, self.asked // 16):
                        continue
                    unseen = 0
                    self._tell(phase, on_progress)
                    if phase == "estimate" and self.certification.settled is not None:
                        break
                    look = time.monotonic() + 9 * (time.monotonic() - started)
                self._tell(phase, on_progress)
                self.halt = sender.halt
                if self.halt is not None:
                    break

    def _note_waiting(self, why: str, seconds: float) -> None:
        self.waiting.append(f"{why} Waiting {seconds:.0f} s.")

    def _tell(self, phase: str, on_progress: Callable[[RemoteProgress], None] | None) -> None:
        select, estimate = self.count()
        if on_progress is None:
            return
        now, planned = self.certification.conclusion("anytime"), self.settings.n0 + self.settings.n
        done = min(len(select), self.settings.n0) + min(len(estimate), self.settings.n)
        newest = max((q for q in (*select, *estimate) if q.state == ANSWERED), key=lambda q: q.asked, default=None)
        on_progress(
            RemoteProgress(
                phase=phase,
                votes=self.counted.votes,
                answered=done,
                planned=planned,
                p_lower=now.p_lower,
                radius=now.radius,
                spent=self.ledger.spent(self.spec.name),
                latest=newest.answer[0].name if newest is not None and newest.answer else None,
                waiting=self.waiting.pop() if self.waiting else None,
                seconds_left=(time.monotonic() - self.began) / max(self.asked, 1) * (planned - done),
            )
        )

    def result(self) -> RemoteResult:
        select, estimate = self.count()
        asked, spec = len(select) + len(estimate) - self.before, self.spec
        used = [*select[: self.settings.n0], *estimate[: self.certification.done]]
        models = sorted({query.model for query in used if query.model})
        image, denoiser = ImageRecord(spec.image_sha256, spec.height, spec.width), model_record(self.denoiser)
        api, here = ModelRecord(spec.provider, ", ".join(models) or None), str(self.device)
        provenance = Provenance(image, api, denoiser, labels=None, device=here, versions=versions())
        certificate = self.counted.certificate(provenance, time.monotonic() - self.began, asked)
        best = Counter(query.answer[0].name for query in used if query.answer)
        return RemoteResult(
            certificate=certificate,
            run=spec.name,
            spent=self.ledger.spent(spec.name),
            asked=asked,
            settled=self.certification.settled,
            unusable=sum(query.state == UNUSABLE for query in used),
            in_doubt=sum(query.state == IN_DOUBT for query in used),
            halt=self.halt,
            labels_seen=dict(best.most_common()),
            notes=self._notes(used, certificate),
        )

    def _notes(self, queries: list[Query], certificate: Certificate) -> tuple[str, ...]:
        notes = [size_note(self.spec.height, self.spec.width, self.provider.limits), *self._notes_on_looks(certificate)]
        models = {query.model for query in queries if query.model}
        if len(models) > 1:
            notes.append(
                f"The API answered with {len(models)} versions of its model: a certificate speaks of one classifier, so start"
                " anew with another seed."
            )
        lost = sum(query.state in (UNUSABLE, IN_DOUBT) for query in queries)
        if lost:
            notes.append(f"{lost} of {len(queries)} queries brought no usable answer; they count against the class.")
        if certificate.candidate is None and len(queries) >= certificate.n0:
            notes.append("No answer named a class of the label map: look at the labels that came and add them to it.")
        unknown = self.labels.unknown([label.name for query in queries for label in query.answer])
        if unknown and queries:
            some = ", ".join(repr(word) for word in unknown[:3])
            notes.append(f"The label map has {len(unknown)} words that no answer contains, such as {some}: mistyped?")
        return tuple(note for note in notes if note)

    def _notes_on_looks(self, certificate: Certificate) -> list[str]:
        """What an earlier look at the same answers, with something else asked, does to the chance of error."""
        if not certificate.n:
            return []
        notes, first, both = [], self.first, 2 * self.certification.terms.alpha
        if self.certification.fell_back:
            with_n = f"with n = {first['n']:,}" if first else "by an older version of the Lab, which did not note their n"
            notes.append(
                f"These answers were first looked at {with_n}. A bound for a fixed n does not hold for an n chosen since, so"
                f" this is the anytime bound; whichever certificate is kept, it is wrong with probability at most {both:g}."
            )
        elif first.get("method") in FIXED_N and self.settings.method not in FIXED_N:
            notes.append(
                "These answers were first looked at with a bound for a fixed n: whichever certificate is kept, it is wrong with"
                f" probability at most {both:g}."
            )
        changed = [words for name, words in _CHOOSING.items() if first and first[name] != self.asks[name]]
        if changed:
            notes.append(
                f"These answers were first looked at with another {' and another '.join(changed)}: the class that is counted"
                " may have been chosen since, and alpha does not hold for that. Ask anew with another seed."
            )
        return notes
