"""What to take along: certificates as CSV, JSON and a Python script that makes one again; measures of denoisers as CSV."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from core.errors import one_line
from core.models.references import pinned
from core.plain_text import csv_text
from core.report.words import settled_text
from core.smoothing.bounds import GROUP_SEQUENTIAL
from core.smoothing.certificate import Certificate
from core.smoothing.radius import NORMS
from core.studies.comparison import TOP, Measure, Summary


def to_csv(certificates: Sequence[tuple[str, Certificate]]) -> str:
    """One line a certificate, with a header; for each the picture's name and the certificate."""
    rows = [_row(name, certificate) for name, certificate in certificates]
    return csv_text(rows[0], (row.values() for row in rows))


def _row(name: str, c: Certificate) -> dict[str, object]:
    def fields(*names: str) -> dict[str, object]:
        return {field: getattr(c, field) for field in names}

    image = {"sha256": c.image.sha256, "height": c.image.height, "width": c.image.width}
    votes = 0 if c.candidate is None or c.n == 0 else c.counts[c.candidate]
    return {
        "picture": name,
        **image,
        **fields("prediction", "label", "abstained", "radius", "radius_ceiling", "p_lower"),
        "candidate_votes": votes,
        **fields("n", "n0", "alpha", "failure_probability", "sigma", "norm", "noise", "method", "stopped", "seed"),
        "classifier": c.classifier.ref,
        "classifier_revision": c.classifier.revision,
        "denoiser": c.denoiser.ref,
        "denoiser_revision": c.denoiser.revision,
        "device": c.device,
        "seconds": round(c.seconds, 3),
        **fields("sound", "two_sided", "p_upper"),
        **{f"radius_{norm}": c.radii.get(norm) for norm in NORMS},
        **fields("until_radius", "settled", "within"),
        "table_radii": " ".join(f"{radius:g}" for radius in c.table_radii),
    }


def measures_csv(measures: Iterable[Measure], labels: Sequence[str] | None) -> str:
    """One row a noisy copy and denoiser, with the best classes and their softmax shares; draws count from 1."""
    ranks = [(f"top{rank}", f"top{rank}_share") for rank in range(1, TOP + 1)]
    names = ["sigma", "draw", "denoiser", "psnr_db", "ssim", *(name for pair in ranks for name in pair)]
    rows = []
    for m in measures:
        best = [value for index, share in m.top for value in (index if labels is None else labels[index], share)]
        rows.append([m.sigma, m.draw + 1, m.denoiser, m.psnr, m.ssim, *best])
    return csv_text(names, rows)


def summaries_csv(summaries: Sequence[Summary]) -> str:
    """One row a sigma and denoiser: the fields of :class:`core.studies.comparison.Summary`."""
    rows = [asdict(summary) for summary in summaries]
    return csv_text(list(rows[0]) if rows else [], [list(row.values()) for row in rows])


def to_json(certificate: Certificate) -> str:
    return json.dumps(certificate.to_dict(), indent=2) + "\n"


def python_snippet(certificate: Certificate, file_name: str) -> str:
    """A script that makes the certificate again, run beside the picture in the project's folder.

    A run that ended early, stopped or settled, is made again with the n that it reached; its counts come out the same.
    """
    settled = settled_text(certificate)
    question = f"# {one_line(settled)}\n" if settled else ""
    # What strangers wrote stands in literals and in comments of one line: a name may hold quotes, a label a line of Python.
    return f"""# Makes the certificate of {one_line(file_name)} again: run it in the project's folder, beside the picture.

from core import certify, load_classifier, load_denoiser

certificate = certify(
    {file_name!r},
    load_classifier({pinned(certificate.classifier.ref, certificate.classifier.revision)!r}{_size_of(certificate)}),
    load_denoiser({pinned(certificate.denoiser.ref, certificate.denoiser.revision)!r}),
{_settings_of(certificate)})
print("prediction:", repr(certificate.label), " radius:", certificate.radius)
print("counts:", certificate.counts)
{question}# On {one_line(certificate.device)} it was: {certificate.label!r}, radius {certificate.radius!r}
"""


def _settings_of(certificate: Certificate) -> str:
    """One line a setting, with the n that an early end reached; a test of given radii depends on the n that was planned."""
    reached = certificate.n_planned if certificate.method == GROUP_SEQUENTIAL else max(certificate.n, 1)
    settings = vars(certificate.settings) | {"n": reached, "method": certificate.method}
    return "".join(f"    {name}={value!r},\n" for name, value in settings.items() if name not in ("until_radius", "within"))


def _size_of(certificate: Certificate) -> str:
    """The size of the picture, where the model did not choose it by itself (bundled models have one size)."""
    if certificate.classifier.ref.startswith(("bundled/", "python/")):
        return ""
    return f", size=({certificate.image.height}, {certificate.image.width})"
