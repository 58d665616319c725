"""CERTIFY for one picture, step by step: whoever drives it brings the votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.pictures.pixels import ImageSource
from core.smoothing.arithmetic import recompute
from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.certificate import Certificate
from core.smoothing.question import Question
from core.smoothing.radius import OWN_NORM
from core.smoothing.run import Run
from core.smoothing.sampling import ClassifierLike, DenoiserLike
from core.smoothing.settings import check_certify_settings


class Certification:
    """Arguments as for :func:`core.certify`.

    Attributes:
        run: picture, networks and noise.
        question: what ends it early.
        asks: the sample numbers, of n, at which it asks whether it is settled.
        selected, counts: votes so far of the n0 and of the n samples; None before the first.
        candidate: the class that n0 samples chose; None before.
        settled: as in :class:`Certificate`.

    Raises:
        LabError: as :func:`core.certify`.
    """

    def __init__(
        self,
        image: ImageSource,
        classifier: ClassifierLike,
        denoiser: DenoiserLike | None,
        *,
        sigma: float,
        n0: int,
        n: int,
        alpha: float,
        seed: int,
        method: str,
        noise: str,
        norm: str | None,
        sound: bool,
        two_sided: bool,
        until_radius: float | None,
        within: float | None,
        table_radii: Sequence[float] | None,
        device: str,
        batch_size: int | None = None,
    ) -> None:
        check_certify_settings(
            sigma=sigma,
            n0=n0,
            n=n,
            alpha=alpha,
            seed=seed,
            method=method,
            noise=noise,
            norm=norm,
            sound=sound,
            two_sided=two_sided,
            until_radius=until_radius,
            within=within,
            table_radii=table_radii,
        )
        self.n0, self.n, self.alpha, self.method = n0, n, alpha, method
        self.norm, self.two_sided = norm or OWN_NORM[noise], two_sided
        self.question = Question(until_radius, within, tuple(table_radii or ()))
        self.run = Run(
            image, classifier, denoiser, sigma=sigma, seed=seed, noise=noise, sound=sound, device=device, batch_size=batch_size
        )
        self.rules: dict[str, Any] = {
            "alpha": alpha,
            "sigma": sigma,
            "shape": self.run.shape,
            "noise": noise,
            "norm": self.norm,
            "two_sided": two_sided,
        }
        self.question.check_reachable(n, self.rules)
        self.asks = self.question.looks(n)
        self.selected: Tensor | None = None
        self.counts: Tensor | None = None
        self.candidate: int | None = None
        self.settled: str | None = None

    @property
    def chosen_from(self) -> int:
        """How many of the n0 samples have voted."""
        return 0 if self.selected is None else int(self.selected.sum())

    @property
    def done(self) -> int:
        """How many of the n samples have been counted."""
        return 0 if self.counts is None else int(self.counts.sum())

    def select(self, votes: Tensor) -> None:
        """Add (classes,) votes of the n0 samples; the last of them choose the class."""
        self.selected = votes if self.selected is None else self.selected + votes
        if self.chosen_from == self.n0:
            self.candidate = int(self.selected.argmax())
            self.counts = torch.zeros_like(self.selected)

    def count(self, votes: Tensor) -> None:
        """Add (classes,) votes of the n samples, once a class is chosen; no batch runs past one of ``asks``."""
        assert self.counts is not None
        self.counts += votes
        if self.done in self.asks:
            self.settled = self._settled()

    def _settled(self) -> str | None:
        assert self.counts is not None
        assert self.candidate is not None
        return self.question.settled(self.counts.tolist(), self.candidate, self.n, self.rules)

    def certificate(self) -> Certificate:
        """What the votes so far allow to say; of at least one sample."""
        assert self.selected is not None
        counts = torch.zeros_like(self.selected) if self.counts is None else self.counts
        done, n = self.done, self.n
        used = "anytime" if done < n and self.method != GROUP_SEQUENTIAL else self.method
        table = self.question.table_radii
        found = recompute(counts.tolist(), self.candidate, method=used, table_radii=table, n_planned=n, **self.rules)
        prediction = None if found.abstained else self.candidate
        return Certificate(
            **self.run.record(prediction, counts, done < n, self.n0 + done, self.alpha),
            candidate=self.candidate,
            radius=found.radius,
            radius_ceiling=found.radius_ceiling,
            p_lower=found.p_lower,
            n0=self.n0,
            n_planned=n,
            norm=self.norm,
            method=used,
            failure_probability=self.alpha if used == self.method else 2 * self.alpha,
            two_sided=self.two_sided,
            runner_up=found.runner_up,
            p_upper=found.p_upper,
            radii=found.radii,
            until_radius=self.question.until_radius,
            settled=self._settled() if done else None,
            within=self.question.within,
            table_radii=table,
        )
