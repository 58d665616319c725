"""Denoisers compared on the Denoise page, at its sigmas and over sigma: asked for, started, drawn under way and at the end."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import streamlit as st

from core.device import pick_device
from core.figures.denoising import PANELS_AROUND, contact_sheet, linked_alt, linked_panels, sweep_alt, sweep_figure
from core.models.catalogue import denoisers, usual_denoiser
from core.pictures.pixels import to_picture
from core.pictures.reading import Picture, data_uri
from core.plain_text import cells, html_text, plain
from core.report.export import measures_csv, summaries_csv
from core.report.notation import class_name
from core.studies.comparison import (
    NOISY,
    SWEEP_SIGMAS,
    Comparison,
    ComparisonRequest,
    Measure,
    Panel,
    Top,
    close_up,
    run_comparison,
)
from core.ui.figure import FigureSheet, draw_figure, enlarged, offer_file, without_ending
from core.ui.jobs.follow import begin, draw_stop, draw_waiting
from core.ui.jobs.job import Job, JobContext, JobWork
from core.ui.jobs.session import Key, SessionJobs, models, work_key
from core.ui.linked import choose_seed, key_for, link_seed, linked_choices, linked_number
from core.ui.models import model_options, model_title
from core.ui.sentences import show_error, stored_texts

PROSE = stored_texts("pages/denoise")
STYLE, PANELS_STYLE = (Path(__file__).with_name(name) for name in ("grid.css", "panels.css"))
"""The first must be on the page once; in the second stand sizes in braces."""


def grid_html(panels: Sequence[Panel], titles: Mapping[str, str], labels: Sequence[str] | None, clean_class: int) -> str:
    """A row a sigma and draw, a column a denoiser; under each picture PSNR, SSIM and what the classifier alone says.
    ``titles`` are by reference, in the order of the columns; what is not ``clean_class``, that of the clean picture, is marked.
    """
    found = {(p.measure.sigma, p.measure.draw, p.measure.denoiser): p for p in panels}
    head = "".join(f'<th scope="col">{html_text(title)}</th>' for title in titles.values())
    body = []
    for sigma, draw in sorted({(p.measure.sigma, p.measure.draw) for p in panels}):
        level = f"sigma {sigma:g} ({sigma * 255:.0f}/255), draw {draw + 1}"
        body.append(f'<tr><th class="level" scope="rowgroup" colspan="{len(titles)}">{level}</th></tr>')
        cells = (found.get((sigma, draw, name)) for name in titles)
        row = "".join("<td></td>" if panel is None else _cell(panel, titles, labels, clean_class) for panel in cells)
        body.append(f"<tr>{row}</tr>")
    width = f"max-width: {12 * len(titles)}rem"  # few columns stand close together
    return f'<table class="lab-grid" style="{width}"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>'


def _cell(panel: Panel, titles: Mapping[str, str], labels: Sequence[str] | None, clean_class: int) -> str:
    m = panel.measure
    index, share = m.top[0]
    says = f"{class_name(index, labels)} {share:.0%}"
    mark = "✓" if index == clean_class else "✗"
    alt = (
        f"{titles[m.denoiser]}, sigma {m.sigma:g}, draw {m.draw + 1}: PSNR {m.psnr:.1f} dB, SSIM {m.ssim:.2f};"
        f" the classifier alone says {says}."
    )
    source = data_uri(to_picture(panel.pixels))
    return (
        f'<td><img src="{source}" alt="{html_text(alt)}"><p>{mark} <b>{html_text(says)}</b><br>'
        f'<span class="faint">{m.psnr:.1f} dB · {m.ssim:.2f}</span></p></td>'
    )


def top_html(clean_top: Top, measures: Sequence[Measure], titles: Mapping[str, str], labels: Sequence[str] | None) -> str:
    """The classifier's best classes on the clean picture and on each panel of one draw, side by side with small bars."""
    columns = [("Original", clean_top)]
    columns += [(titles[m.denoiser], m.top) for name in titles for m in measures if m.denoiser == name]
    head = "".join(f'<th scope="col">{html_text(title)}</th>' for title, _ in columns)
    rows = "".join(
        "<tr>" + "".join(_rank(top[rank], labels) if rank < len(top) else "<td></td>" for _, top in columns) + "</tr>"
        for rank in range(max(len(top) for _, top in columns))
    )
    return f'<table class="lab-grid"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def _rank(entry: tuple[int, float], labels: Sequence[str] | None) -> str:
    index, share = entry
    return (
        f'<td><p>{html_text(class_name(index, labels))} <span class="faint">{share:.1%}</span>'
        f'<span class="bar" style="display:block;width:{max(share, 0.005):.1%}"></span></p></td>'
    )


COMPARISONS = SessionJobs("comparisons")
ALL_DRAWS = "mean of all"


@dataclass(frozen=True)
class AskedComparison:
    """A comparison of a picture, or a sweep, which keeps no pictures, as the controls ask for it."""

    picture: Picture
    request: ComparisonRequest
    sweep: bool

    @cached_property
    def key(self) -> Key:
        """Names its job: the picture's bytes and every number."""
        return work_key(self.picture.image, self.request, self.sweep)

    @property
    def stamp(self) -> str:
        """Tells the widgets that show it from those of others."""
        return f"{hash(self.key) & 0xFFFFFFFF:x}"

    def find(self) -> Job | None:
        """Its job."""
        return COMPARISONS.find(self.key)

    def start(self) -> bool:
        """Start it anew, or say in a sentence why not."""
        COMPARISONS.forget(self.key)
        title = f"{'Sweep' if self.sweep else 'Denoise'} {self.picture.name}"
        return begin(lambda: COMPARISONS.start(self.key, title, self._work()))

    def _work(self) -> JobWork:
        cache, device, request = models(), pick_device(self.request.device), self.request

        def work(context: JobContext) -> Comparison:
            tell, stop = context.report, context.should_stop
            with context.aside():  # a download may take minutes
                classifier = cache.classifier(request.classifier, device, on_progress=tell, should_stop=stop)
                load = partial(cache.denoiser, device=device, on_progress=tell, should_stop=stop)
                denoisers = {reference: load(reference) for reference in request.denoisers}
            return run_comparison(
                self.picture.image,
                classifier,
                denoisers,
                request,
                device=device,
                keep_pixels=not self.sweep,
                report=tell,
                should_stop=stop,
            )

        return work


def draw_outcome(asked: AskedComparison, job: Job | None) -> Comparison | None:
    """Progress and a Stop button, why there is nothing, or a button to go on; returns what there is to show."""
    word = "sweep" if asked.sweep else "grid"
    if job is None:
        st.caption("The sweep was not computed yet." if asked.sweep else "Nothing was computed for these choices yet.")
        label = f"Compute the {word}"
        if st.button(label, type="primary", icon=":material/play_arrow:", key=f"start-{word}") and asked.start():
            st.rerun()
        return None
    if not job.finished:
        now = job.progress if isinstance(job.progress, Comparison) else None
        if now is None:
            draw_waiting(job)
        else:
            done, doing = len(now.measures), "Sweeping sigma" if asked.sweep else "Denoising"
            left = f" · about {now.seconds_left:.0f} s left" if done and now.seconds > 0.3 else ""
            st.progress(done / max(1, now.total), text=f"{doing}: {done:,} of {now.total:,} pictures{left}")
        draw_stop(job, "Keeps what is there so far.")
        return now
    result: Comparison | None = job.result if job.state == "done" else None
    if result is None:
        show_error(job.error or "")
    elif not result.complete:
        done = PROSE["stopped"].format(done=len(result.measures), total=result.total)
        st.info(done, icon=":material/stop_circle:")
    if result is None or not result.complete:
        label = "Try again" if result is None else "Compute it all"
        if st.button(label, icon=":material/refresh:", key=f"again-{word}") and asked.start():
            st.rerun()
    return result


def draw_comparison(
    asked: AskedComparison, result: Comparison, titles: Mapping[str, str], sigma: float, *, ended: bool
) -> None:
    """The clean picture, noisy against denoised over draws and sigmas; once it has ended averages, files and a closer look."""
    left, right = st.columns([1, 4], vertical_alignment="center")
    index, share = result.clean_top[0]
    said = class_name(index, result.labels)
    alt = f"{asked.picture.name}, the original; the classifier alone says {said} ({share:.0%})."
    left.image(enlarged(to_picture(result.clean), 160), width=160, alt=alt)
    right.markdown(PROSE["original"].format(said=plain(said), share=share))
    st.subheader("The same noise, cleaned by each")
    st.html(STYLE)
    if not result.panels:
        st.caption("Nothing is there yet.")
        return
    st.html(grid_html(result.panels, titles, result.labels, index))
    st.caption(PROSE["grid"])
    if not ended:
        return
    averages = [
        {"sigma": s.sigma, "denoiser": titles[s.denoiser], "PSNR (dB)": round(s.psnr, 2), "SSIM": round(s.ssim, 3)}
        | {"class kept": f"{s.kept} of {s.draws}"}
        for s in result.summaries
    ]
    with st.expander("The averages as a table", icon=":material/table:"):
        st.dataframe(cells(averages), hide_index=True, width="stretch")
    stem, file, key = without_ending(asked.picture.name), io.BytesIO(), asked.stamp
    contact_sheet(result.panels, titles, result.labels).save(file, "PNG")
    with st.container(horizontal=True):
        offer_file("Grid as PNG", file.getvalue(), f"{stem}-denoised.png", f"png-{key}")
        offer_file("Numbers as CSV", measures_csv(result.measures, result.labels), f"{stem}-denoised.csv", f"csv-{key}")
    _draw_closeup(result, titles, sigma, key)


def _draw_closeup(result: Comparison, titles: Mapping[str, str], sigma: float, key: str) -> None:
    st.subheader("Look closely")
    sigmas = sorted({m.sigma for m in result.measures})
    draws = sorted({m.draw for m in result.measures})
    left, right = st.columns(2)
    usual = sigma if sigma in sigmas else sigmas[0]
    level = left.segmented_control("sigma", sigmas, default=usual, required=True, key=f"close-sigma-{key}")
    names = [*(str(number + 1) for number in draws), *([ALL_DRAWS] if len(draws) > 1 else [])]
    draws_key, help = f"close-draw-{key}", PROSE["mean"]
    name = right.segmented_control("draw", names, default=names[0], required=True, key=draws_key, help=help)
    draw = None if name == ALL_DRAWS else int(name or 1) - 1
    closeups = close_up(result.clean, result.panels, level or sigmas[0], draw)
    if not closeups:
        st.caption("This draw was not reached before the stop.")
        return
    panels = linked_panels(result.clean, closeups, titles)
    sizes = {"columns": len(closeups), "desktop": panels.layout.height, "around": PANELS_AROUND}
    st.html(f"<style>{PANELS_STYLE.read_text('utf-8').format(**sizes)}</style>")
    with st.container(key=f"panels-{key}"):
        sheet = FigureSheet(f"close-{key}", "denoised")
        sheet.draw(panels, f"close-{key}-{level}-{name}", linked_alt(closeups, titles), "panels", height="stretch")
    sheet.offer()
    st.caption(PROSE["panels"])
    if draw is not None:
        measures = [m for m in result.measures if m.sigma == level and m.draw == draw]
        st.markdown("**The five classes the classifier alone finds likeliest**")
        st.html(top_html(result.clean_top, measures, titles, result.labels))
        st.caption(PROSE["classes"])


def draw_sweep(asked: AskedComparison, result: Comparison, titles: Mapping[str, str], sigma: float) -> None:
    """Votes kept, PSNR and SSIM over sigma."""
    summaries, key = result.summaries, asked.stamp
    if not summaries:
        return
    draw_figure(sweep_figure(summaries, titles, sigma), f"sweep-{key}-{result.complete}", sweep_alt(summaries, titles), "sweep")
    st.caption(PROSE["sweep"].format(draws=max(s.draws for s in summaries)))
    offer_file("Sweep as CSV", summaries_csv(summaries), f"{without_ending(asked.picture.name)}-sweep.csv", f"sweep-csv-{key}")


MAX_DENOISERS = 4
FIRST_CLASSICAL = "classical/tv"
SIGMAS = (0.12, 0.25, 0.5, 1.0)
"""The noise levels of Salman et al. (2020), to lay beside the slider's."""


def choose_denoisers(classifier: str) -> list[str]:
    """Up to four denoisers by reference; part of the link by reference, not by title."""
    entries = {entry.ref: entry for entry in denoisers(classifier) if entry.ref != NOISY}
    own = [ref for ref, entry in entries.items() if entry.card.get("classifier") == classifier] or [usual_denoiser(classifier)]
    usual = [ref for ref in (*own[: MAX_DENOISERS - 1], FIRST_CLASSICAL) if ref != NOISY]
    name, label = key_for("denoisers", classifier), "Denoisers to compare"
    titles = {ref: model_title(ref) for ref in model_options("denoiser", name, entries)}
    words = {"placeholder": "Choose up to four", "help": PROSE["denoisers"]}
    return linked_choices(label, titles, usual, name, most=MAX_DENOISERS, **words)


def choose_sigmas(sigma: float) -> tuple[float, ...]:
    """The slider's sigma and those laid beside it, least first."""
    pills = partial(st.pills, selection_mode="multi", bind="query-params", help=PROSE["sigmas"])
    beside = pills("Beside it", SIGMAS, default=[0.5], key="sigmas")
    return tuple(sorted({sigma, *(float(value) for value in beside)}))


def choose_draws(
    classifier: str, denoisers: Sequence[str], sigmas: tuple[float, ...]
) -> tuple[ComparisonRequest, ComparisonRequest]:
    """Draws and seed, folded away; returns the comparison at the sigmas and the sweep that are asked for."""
    with st.expander("Noise draws, seed", icon=":material/tune:"):
        left, middle, right = st.columns(3)
        with left:
            draws = linked_number("draws in the grid", (1, 6), 2, "draws", step=1, help=PROSE["draws"])
        with middle:
            label, help = "draws at each sigma of the sweep", PROSE["sweep-draws"]
            sweep_draws = linked_number(label, (2, 100), 10, "sweep-draws", step=1, help=help)
        with right:
            seed = choose_seed(blank="0") or 0
            link_seed(seed or None)
    noisy_first = (NOISY, *(reference for reference in denoisers if reference != NOISY))
    ask = partial(ComparisonRequest, classifier, noisy_first, seed=seed)
    return ask(sigmas, draws), ask(SWEEP_SIGMAS, sweep_draws)
