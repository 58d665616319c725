"""The numbers of a comparison as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from core.studies.comparison import TOP, Measure, Summary


def measures_csv(measures: Iterable[Measure], labels: Sequence[str] | None) -> str:
    """One row a noisy copy and denoiser, with the best classes and their softmax shares; draws count from 1."""
    ranks = [(f"top{rank}", f"top{rank}_share") for rank in range(1, TOP + 1)]
    names = ["sigma", "draw", "denoiser", "psnr_db", "ssim", *(name for pair in ranks for name in pair)]
    rows = []
    for m in measures:
        best = [value for index, share in m.top for value in (index if labels is None else labels[index], share)]
        rows.append([m.sigma, m.draw + 1, m.denoiser, m.psnr, m.ssim, *best])
    return _written(names, rows)


def summaries_csv(summaries: Sequence[Summary]) -> str:
    """One row a sigma and denoiser: the fields of :class:`core.studies.comparison.Summary`."""
    rows = [asdict(summary) for summary in summaries]
    return _written(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


def _written(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return file.getvalue()
