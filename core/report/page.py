"""A certificate as one HTML page for stakeholders: self-contained, to be read on screen, printed on A4, and checked."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from string import Template

from core.engines import program_title
from core.errors import LONGEST_FILE
from core.pictures.reading import data_uri, grey_levels_of_radius
from core.plain_text import html_text, named
from core.report import words
from core.report.notation import BLUE, GREY, STAGES, class_colours, class_name, norm_name, percent, radius_text, sigma_text
from core.smoothing.certificate import Certificate, ModelRecord
from core.smoothing.radius import floored
from core.studies.records import View

LONGEST_LABEL = 48
_short = partial(named, longest=LONGEST_LABEL)
MOST_VERSIONS = 8

# Nothing is fetched and nothing runs, as its policy says: what a stranger wrote into a label stays text.
_PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


def html_report(
    certificate: Certificate, picture_name: str, views: Mapping[str, View], document_name: str = "certificate.json"
) -> str:
    """The page; the picture's name and the document's are files in the command that verifies.

    ``views``: ``original``, ``noisy`` and ``denoised``, as :func:`core.studies.certify.look_at` makes them; may be empty.
    """
    c = _shortened(certificate)
    name = named(picture_name, "picture", LONGEST_FILE)
    answer = "abstains" if c.abstained else class_name(c.candidate, c.labels)
    title = f"{_short(name)}: {'the smoothed classifier abstains' if c.abstained else answer}"
    caveats = "".join(f"<li>{html_text(text)}</li>" for text in words.caveats(c))
    levels = grey_levels_of_radius(c.radius, c.image.height, c.image.width, c.norm)
    spread = (
        "" if c.abstained else f"Spread evenly over the picture, this radius is {floored(levels, '.3g')} of 255 grey levels."
    )
    document = named(document_name, "certificate.json", LONGEST_FILE)
    command = f"python -m core verify {shlex.quote(document)} --image {shlex.quote(name)} --resample"
    return _PAGE.substitute(
        title=html_text(title),
        headline=html_text(words.headline(c)),
        spread=html_text(spread),
        pictures=_pictures(c, views),
        votes=_votes(c),
        norm=html_text(norm_name(c.norm)),
        radius=_radius(c),
        caveats=caveats,
        numbers=_table(_numbers(c)),
        run=_table(_run(c)),
        names=_table(_names(c, _short(name))),
        command=html_text(command),
    )


def _shortened(c: Certificate) -> Certificate:
    """The same with texts of a length that fits the page; the document has them in full."""
    labels = None if c.labels is None else tuple(_short(label) for label in c.labels)
    versions = {_short(package): _short(version) for package, version in list(c.versions.items())[:MOST_VERSIONS]}
    return replace(c, labels=labels, device=_short(c.device), versions=versions)


def _pictures(c: Certificate, views: Mapping[str, View]) -> str:
    shown = []
    for stage, view in views.items():
        extra = f" (sigma {c.sigma:g})" if stage == "noisy" else ""
        said = ""
        if view.top:
            index, share = view.top[0]
            said = f"; the classifier alone says {class_name(index, c.labels)} ({share:.0%})"
        caption = f"{STAGES.get(stage, _short(stage))}{extra}{said}"
        shown.append(
            f'<figure><img src="{data_uri(view.picture)}" alt="{html_text(caption)}">'
            f"<figcaption>{html_text(caption)}</figcaption></figure>"
        )
    return f'<div class="figures">{"".join(shown)}</div>' if shown else ""


def _votes(c: Certificate) -> str:
    """At most five classes and the rest together, one bar each with its name and votes."""
    total = sum(c.counts)
    if not total:
        return "<p>No vote was counted.</p>"
    colours = class_colours(c.counts)
    rows = [(named(class_name(index, c.labels), longest=28), c.counts[index], colours[index]) for index in list(colours)[:5]]
    rest = total - sum(votes for _, votes, _ in rows)
    if rest:
        rows.append(("all others", rest, GREY))
    bars, spoken = [], []
    for number, (name, votes, colour) in enumerate(rows):
        top, share = 34 * number, votes / total
        said = f"{name}: {votes:,} ({_share(votes, total)})"
        spoken.append(said)
        bars.append(
            f'<text x="0" y="{top + 12}">{html_text(said)}</text>'
            f'<rect x="0" y="{top + 16}" width="320" height="11" fill="#eceff2"/>'
            f'<rect x="0" y="{top + 16}" width="{320 * share:.2f}" height="11" fill="{colour}"/>'
        )
    return _svg(320, 34 * len(rows), "".join(bars), "Votes. " + ", ".join(spoken))


def _share(votes: int, total: int) -> str:
    """A share that is never rounded up to all of them.

    >>> _share(9999, 10_000), _share(10_000, 10_000), _share(1, 3)
    ('99.9%', '100%', '33.3%')
    """
    tenths = 1000 * votes // total
    return "100%" if votes == total else f"{tenths / 10:.1f}%"


def _radius(c: Certificate) -> str:
    ceiling = c.radius_ceiling
    if not ceiling:
        return "<p>Nothing could have been certified with these samples.</p>"
    end = 320 * min(1.0, c.radius / ceiling)
    ticks = "".join(
        f'<line x1="{x:g}" x2="{x:g}" y1="36" y2="41" stroke="{GREY}"/>'
        f'<text x="{x:g}" y="54" text-anchor="{anchor}">{value}</text>'
        for x, anchor, value in ((0.5, "start", "0"), (319.5, "end", f"ceiling {radius_text(ceiling)}"))
    )
    said = "0 (abstains)" if c.abstained else radius_text(c.radius)
    body = (
        f'<text x="0" y="12" font-weight="bold">{said}</text>'
        f'<rect x="0" y="18" width="320" height="18" fill="#eceff2" stroke="{GREY}" stroke-dasharray="4 3"/>'
        f'<rect x="0" y="18" width="{end:.2f}" height="18" fill="{BLUE}"/>{ticks}'
    )
    spoken = f"Certified radius {said}, of at most {radius_text(ceiling)} that {c.n:,} samples can show at this alpha."
    return _svg(320, 60, body, spoken) + f"<p>{html_text(spoken)} In units of pixels from 0 to 1.</p>"


def _svg(width: int, height: int, body: str, spoken: str) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html_text(spoken)}">{body}</svg>'


def _numbers(c: Certificate) -> list[tuple[str, str]]:
    exact = ", exact integer sampling" if c.sound else ""
    rows = [
        ("sigma", f"{sigma_text(c.sigma)}, {c.noise} noise{exact}"),
        ("votes", f"{c.n:,} counted, {c.n0:,} others chose the class"),
        ("bound", f"p at least {c.p_lower!r} ({c.method})"),
    ]
    if c.two_sided and c.p_upper is not None:
        rows.append(("runner-up", f"{class_name(c.runner_up, c.labels)}, p at most {c.p_upper!r}"))
    radii = c.radii or {c.norm: c.radius}
    rows += [(f"radius, {norm}", repr(radius)) for norm, radius in radii.items()]
    return [*rows, ("ceiling", f"{c.radius_ceiling!r} ({c.norm})")]


def _run(c: Certificate) -> list[tuple[str, str]]:
    rows = [
        ("alpha", f"{c.alpha:g}; may be wrong with probability {percent(c.failure_probability)}"),
        ("seed", _short(str(c.seed))),
        ("samples", f"stopped after {c.n:,} of {c.n_planned:,}" if c.stopped else f"ran to its end, {c.n_planned:,}"),
    ]
    if c.until_radius is not None:
        rows.append(("question", f"is the radius at least {c.until_radius:g}? {c.settled or 'not settled'}"))
    elif c.within is not None or c.table_radii:
        rows.append(("question", words.settled_text(c)))
    return [
        *rows,
        ("device", f"{c.device}, {c.seconds:.1f} s"),
        ("networks computed by", program_title(c.engine, c.precision)),
        ("versions", ", ".join(f"{package} {version}" for package, version in c.versions.items())),
    ]


def _names(c: Certificate, name: str) -> list[tuple[str, str]]:
    return [
        ("picture", f"{name}, {c.image.width} x {c.image.height} pixels, sha256 {c.image.sha256}"),
        ("classifier", _model(c.classifier)),
        ("denoiser", _model(c.denoiser)),
    ]


def _model(record: ModelRecord) -> str:
    parts = [named(record.ref, longest=160)]
    if record.weights:
        parts.append(f"weights sha256 {record.weights}")
    if record.revision and record.revision != record.weights:
        parts.append(f"revision {named(record.revision, longest=100)}")
    return ", ".join(parts)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th>{html_text(key)}</th><td>{html_text(value)}</td></tr>" for key, value in rows)
    return f"<table>{lines}</table>"
