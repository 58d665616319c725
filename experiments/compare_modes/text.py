"""A comparison of modes as text for a terminal, and as Markdown tables for a page."""

from collections.abc import Sequence
from typing import Any

from experiments.compare_modes.paired import Ratio
from experiments.compare_modes.summary import ModesSummary, Share
from experiments.line_by_line import markdown_table, models_of


def modes_text(summary: ModesSummary) -> str:
    """A block for one comparison."""
    s = summary
    lines = [f"{s.images} pictures, {s.rounded.certified_float} certified in floats, mean l2 radius {s.rounded.mean_float:.4g}"]
    for noise, norms in s.accuracy.items():
        for norm, shares in norms.items():
            told = ", ".join(f"{_percent(share)} at {radius}" for radius, share in shares.items())
            lines.append(f"  {noise + ', ' + norm:<15} right and certified: {told}")
    lines += [
        f"  rounded / float radius {_ratio(s.rounded.ratio)}, the same normal numbers; {_close(s.rounded.close)} within 1%",
        f"  sound / float   radius {_ratio(s.sound.ratio)}, noise of its own",
        f"  sound / float   time {_ratio(s.sound_processor_time)} of the processor, {_ratio(s.sound_time)} of the clock",
        f"  two-sided       mean l2 radius {s.sides.mean_two:.4g}, one-sided {s.sides.mean_one:.4g};"
        f" larger on {s.sides.larger}, smaller on {s.sides.smaller} pictures",
    ]
    for one in s.until:
        lines.append(
            f"  until {one.radius:<9g} {one.reached} reached, {one.out_of_reach} out of reach, {one.open} open;"
            f" samples: mean {one.mean:,.0f}, median {one.median:,.0f}, nine of ten at most {one.ninth_decile:,}"
        )
    return "\n".join(lines)


def modes_table(rows: Sequence[tuple[dict[str, Any], ModesSummary]]) -> str:
    """Markdown tables, one a question and in it one row a comparison: what made it, and its summary."""
    return "\n\n".join(
        [_accuracy_table(rows), _rounding_table(rows), _time_table(rows), _sides_table(rows), _until_table(rows)]
    )


def _accuracy_table(rows: Sequence[tuple[dict[str, Any], ModesSummary]]) -> str:
    columns = {(norm, r): None for _, s in rows for norms in s.accuracy.values() for norm in norms for r in norms[norm]}
    body = [
        [models_of(made), str(s.images), noise, *(_told(norms.get(norm, {}).get(r)) for norm, r in columns)]
        for made, s in rows
        for noise, norms in s.accuracy.items()
    ]
    return markdown_table(["classifier + denoiser", "pictures", "noise", *(f"{norm}, {r}" for norm, r in columns)], body)


def _rounding_table(rows: Sequence[tuple[dict[str, Any], ModesSummary]]) -> str:
    head = [
        "classifier + denoiser",
        "certified: float / rounded / sound",
        "mean radius: float / rounded / sound",
        "rounded / float",
        "pictures within 1%",
        "sound / float",
    ]
    body = []
    for made, s in rows:
        body.append(
            [
                models_of(made),
                f"{s.rounded.certified_float} / {s.rounded.certified} / {s.sound.certified}",
                f"{s.rounded.mean_float:.4f} / {s.rounded.mean:.4f} / {s.sound.mean:.4f}",
                _ratio(s.rounded.ratio),
                f"{_close(s.rounded.close)} of {s.rounded.both}",
                _ratio(s.sound.ratio),
            ]
        )
    return markdown_table(head, body)


def _time_table(rows: Sequence[tuple[dict[str, Any], ModesSummary]]) -> str:
    body = [[models_of(made), made["device"], _ratio(s.sound_processor_time), _ratio(s.sound_time)] for made, s in rows]
    return markdown_table(
        ["classifier + denoiser", "device", "processor time, sound / float", "time of the clock, sound / float"], body
    )


def _sides_table(rows: Sequence[tuple[dict[str, Any], ModesSummary]]) -> str:
    head = [
        "classifier + denoiser",
        "mean radius: one-sided / two-sided",
        "two-sided larger / smaller / equal",
        "gained / lost",
    ]
    body = [
        [
            models_of(made),
            f"{s.sides.mean_one:.4f} / {s.sides.mean_two:.4f}",
            f"{s.sides.larger} / {s.sides.smaller} / {s.sides.equal}",
            f"{s.sides.gained} / {s.sides.lost}",
        ]
        for made, s in rows
    ]
    return markdown_table(head, body)


def _until_table(rows: Sequence[tuple[dict[str, Any], ModesSummary]]) -> str:
    head = [
        "classifier + denoiser",
        "radius",
        "reached / out of reach / open",
        "samples: mean",
        "median",
        "9 of 10 at most",
        "most",
        "agree with fixed n",
        "where reached: anytime / least fixed n",
    ]
    body = []
    for made, s in rows:
        for one in s.until:
            known = (
                "-"
                if one.mean_anytime_known is None or one.mean_fixed_known is None
                else f"{one.mean_anytime_known:,.0f} / {one.mean_fixed_known:,.0f} ({one.known})"
            )
            body.append(
                [
                    models_of(made),
                    f"{one.radius:g}",
                    f"{one.reached} / {one.out_of_reach} / {one.open}",
                    f"{one.mean:,.0f}",
                    f"{one.median:,.0f}",
                    f"{one.ninth_decile:,}",
                    f"{one.most:,}",
                    f"{one.agreeing} of {one.reached + one.out_of_reach} (n = {one.fixed_n:,})",
                    known,
                ]
            )
    return markdown_table(head, body)


def _told(share: Share | None) -> str:
    return "" if share is None else f"{_percent(share)} ({100 * share.low:.0f}-{100 * share.high:.0f})"


def _percent(share: Share) -> str:
    return f"{100 * share.value:.0f}%"


def _close(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.0f}%"


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return "-"
    between = "" if ratio.low is None or ratio.high is None else f" ({ratio.low:.3f} to {ratio.high:.3f})"
    return f"{ratio.value:.3f}{between}"
