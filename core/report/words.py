"""A certificate in words, as CSV, and as a Python snippet that makes it again."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal

from core.models.references import pinned
from core.smoothing.bounds import GROUP_SEQUENTIAL, clopper_pearson_upper
from core.smoothing.certificate import Certificate, Prediction
from core.smoothing.question import TABLE
from core.smoothing.until import OUT_OF_REACH, REACHED, WITHIN, samples_fixed_beforehand


def percent(share: float | Decimal) -> str:
    """A probability as percent, to its last digit: a confidence is never rounded up to 100%.

    >>> percent(0.001), percent(certainty(1e-9))
    ('0.1%', '99.9999999%')
    """
    return f"{(100 * Decimal(str(share))).normalize():f}%"


def certainty(failure_probability: float) -> Decimal:
    """1 minus a failure probability, exactly as it is written."""
    return 1 - Decimal(str(failure_probability))


def norm_name(norm: str) -> str:
    """A norm as it is written in a sentence.

    >>> norm_name("l2"), norm_name("linf")
    ('l2', 'l-infinity')
    """
    return "l-infinity" if norm == "linf" else norm


def headline(certificate: Certificate) -> str:
    """What the certificate says, in one or two sentences; never more than the theorem."""
    name = class_name(certificate, certificate.candidate)
    if not certificate.abstained:
        pictures = "8-bit picture" if certificate.sound else "picture"
        return (
            f"For every {pictures} within {distance_text(certificate)} of this one, the smoothed classifier says {name}. This"
            f" holds with probability at least {percent(certainty(certificate.failure_probability))} over the noise drawn."
        )
    return f"The smoothed classifier abstains. {cause_of_abstention(certificate)}"


def distance_text(certificate: Certificate) -> str:
    """The certified radius with its norm, as in ``l2 distance 0.250``; in l-infinity also as grey levels."""
    words = f"{norm_name(certificate.norm)} distance {radius_text(certificate.radius)}"
    return f"{words} ({255 * certificate.radius:.3g} of 255 grey levels)" if certificate.norm == "linf" else words


def radius_text(radius: float) -> str:
    """Three decimals, or three digits where that would be too few, as of l-infinity radii.

    >>> radius_text(0.25), radius_text(0.008731)
    ('0.250', '0.00873')
    """
    return f"{radius:.3f}" if radius >= 0.1 or radius == 0 else f"{radius:.3g}"


def settled_text(certificate: Certificate) -> str:
    """How the question whether a radius can be certified ended, and what it cost; empty where it was not asked."""
    c = certificate
    took = f"{c.n:,} of at most {c.n_planned:,} samples"
    if c.within is not None:
        return _settled_within_text(c, took)
    if c.table_radii:
        told = ", ".join(f"{radius:g}" for radius in c.table_radii)
        word = "settled" if c.settled == TABLE else "not settled"
        return f"The {norm_name(c.norm)} radii {told} are {word} after {took}; no other radius was tested."
    if c.until_radius is None:
        return ""
    asked = f"The {norm_name(c.norm)} radius {c.until_radius:g}"
    if c.settled == OUT_OF_REACH:
        return (
            f"{asked} is out of reach, settled after {took}: with probability at least {percent(certainty(c.alpha))}, a"
            " statement of its own beside the certificate, more samples would not certify it by this bound."
        )
    if c.settled != REACHED or c.candidate is None:
        return f"{asked} is not settled after {took}."
    shape = (3, c.image.height, c.image.width)
    fixed = samples_fixed_beforehand(
        c.counts[c.candidate] / c.n, c.until_radius, alpha=c.alpha, sigma=c.sigma, shape=shape, noise=c.noise, norm=c.norm
    )
    words = f"{asked} is reached, settled after {took}."
    if fixed is None:
        return words
    return f"{words} A run of a fixed number of samples would have needed {fixed:,}, had this share of votes been known before."


def _settled_within_text(c: Certificate, took: str) -> str:
    if c.settled == WITHIN:
        return (
            f"The radius is within {percent(c.within or 0)} of what {c.n_planned:,} samples would give if the shares of the"
            f" votes stayed as they are, settled after {took}."
        )
    if c.settled == OUT_OF_REACH:
        return (
            f"A certificate is out of reach, settled after {took}: with probability at least {percent(certainty(c.alpha))}, a"
            " statement of its own, more samples would not certify a class by this bound."
        )
    return f"The radius is not settled after {took}."


def noise_text(certificate: Certificate | Prediction) -> str:
    """The noise, as in ``Gaussian noise on the 8-bit grid (sound)``."""
    name = "Gaussian" if certificate.noise == "gaussian" else certificate.noise.capitalize()
    return f"{name} noise on the 8-bit grid (sound)" if certificate.sound else f"{name} noise"


def cause_of_abstention(certificate: Certificate) -> str:
    """Why nothing could be certified, and what may help."""
    if certificate.candidate is None or certificate.n == 0:
        return "It was stopped before a class was chosen: start again, or let it run longer."
    k, n = certificate.counts[certificate.candidate], certificate.n
    name = class_name(certificate, certificate.candidate)
    vote = f"{k:,} of {n:,} noisy copies said {name}"
    if certificate.two_sided and certificate.runner_up is not None:
        other = certificate.counts[certificate.runner_up]
        vote = f"{vote} and {other:,} said {class_name(certificate, certificate.runner_up)}"
        if k > other:
            return f"{vote}: a lead, but too slim to be sure of with this many samples. More samples may settle it."
        return f"{vote}: no class leads surely under this much noise. A smaller sigma or a better denoiser may help."
    if clopper_pearson_upper(k, n, certificate.alpha) > 0.5 and k > n / 2:
        return f"{vote}: a majority, but too slim to be sure of with this many samples. More samples may settle it."
    return f"{vote}: no class has a sure majority under this much noise. A smaller sigma or a better denoiser may help."


def caveats(certificate: Certificate) -> tuple[str, str, str, str]:
    """The four things a certificate does not say."""
    pictures = "between 8-bit pictures, measured" if certificate.sound else "measured"
    arithmetic = " Noise was added in floating point, whose rounding the theorem leaves aside; sound mode closes that gap."
    return (
        "It speaks of the smoothed classifier (the vote over noisy, denoised copies), not of the classifier alone.",
        f"It holds for changes {pictures} in the {norm_name(certificate.norm)} norm, on the picture at"
        f" {certificate.image.width} x {certificate.image.height} pixels. Rotation, blur or another crop can be far away in"
        " that norm.",
        f"It is a statistical statement: wrong with probability at most {percent(certificate.failure_probability)}."
        + ("" if certificate.sound else arithmetic),
        "Robust is not the same as right: a wrong answer can be certified too.",
    )


def named_radius(name: str, certificate: Certificate) -> tuple[str, float]:
    """A run, the class it certifies, and the radius, for a figure that compares runs."""
    if certificate.abstained:
        return name, 0.0
    return f"{name}: {class_name(certificate, certificate.prediction)}", certificate.radius


def class_name(certificate: Certificate, index: int | None) -> str:
    """The label of a class, or its number where the classifier has no labels."""
    if index is None:
        return "no class"
    return f"class {index}" if certificate.labels is None else certificate.labels[index]


def _size_of(certificate: Certificate) -> str:
    """The size of the picture, where the model did not choose it by itself (bundled models have one size)."""
    if certificate.classifier.ref.startswith(("bundled/", "python/")):
        return ""
    return f", size=({certificate.image.height}, {certificate.image.width})"


def _question_of(certificate: Certificate) -> str:
    """A comment on what the run was to settle; empty where nothing was asked."""
    words = settled_text(certificate)
    return f"# {words}\n" if words else ""


def _n_of(certificate: Certificate) -> int:
    """Of a run that ended early the n that it reached; a test of given radii depends on the n that was planned."""
    return certificate.n_planned if certificate.method == GROUP_SEQUENTIAL else max(certificate.n, 1)


_COLUMNS = (
    "picture",
    "sha256",
    "height",
    "width",
    "prediction",
    "label",
    "abstained",
    "radius",
    "radius_ceiling",
    "p_lower",
    "candidate_votes",
    "n",
    "n0",
    "alpha",
    "failure_probability",
    "sigma",
    "norm",
    "noise",
    "method",
    "stopped",
    "seed",
    "classifier",
    "classifier_revision",
    "denoiser",
    "denoiser_revision",
    "device",
    "seconds",
    "sound",
    "two_sided",
    "p_upper",
    "radius_l1",
    "radius_l2",
    "radius_linf",
    "until_radius",
    "settled",
    "within",
    "table_radii",
)


def to_csv(certificates: Sequence[tuple[str, Certificate]]) -> str:
    """One line a certificate, with a header; for each the picture's name and the certificate."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for name, c in certificates:
        row = {column: getattr(c, column, None) for column in _COLUMNS}
        row |= {
            "picture": name,
            "sha256": c.image.sha256,
            "height": c.image.height,
            "width": c.image.width,
            "candidate_votes": 0 if c.candidate is None or c.n == 0 else c.counts[c.candidate],
            "classifier": c.classifier.ref,
            "classifier_revision": c.classifier.revision,
            "denoiser": c.denoiser.ref,
            "denoiser_revision": c.denoiser.revision,
            "seconds": round(c.seconds, 3),
            "table_radii": " ".join(f"{radius:g}" for radius in c.table_radii),
            **{f"radius_{norm}": radius for norm, radius in c.radii.items()},
        }
        writer.writerow(row)
    return text.getvalue()


def to_json(certificate: Certificate) -> str:
    """The whole certificate as a JSON document."""
    return json.dumps(certificate.to_dict(), indent=2) + "\n"


def python_snippet(certificate: Certificate, file_name: str) -> str:
    """A script that makes the certificate again, run beside the picture in the project's folder.

    A run that ended early, stopped or settled, is made again with the n that it reached; its counts come out the same.
    """
    return f'''"""Makes the certificate of {file_name!r} again: run it in the project's folder, beside the picture."""

from core import certify, load_classifier, load_denoiser

certificate = certify(
    {file_name!r},
    load_classifier({pinned(certificate.classifier.ref, certificate.classifier.revision)!r}{_size_of(certificate)}),
    load_denoiser({pinned(certificate.denoiser.ref, certificate.denoiser.revision)!r}),
    sigma={certificate.sigma!r},
    n0={certificate.n0!r},
    n={_n_of(certificate)!r},
    alpha={certificate.alpha!r},
    seed={certificate.seed!r},
    method={certificate.method!r},
    noise={certificate.noise!r},
    norm={certificate.norm!r},
    sound={certificate.sound!r},
    two_sided={certificate.two_sided!r},
    table_radii={certificate.table_radii or None!r},
)
print("prediction:", certificate.label, " radius:", certificate.radius)
print("counts:", certificate.counts)
{_question_of(certificate)}# On {certificate.device} it was: {certificate.label}, radius {certificate.radius!r}
'''
