"""Starting comparisons of denoisers, and their sweeps over sigma, from a page."""

from __future__ import annotations

from PIL import Image

from core.device import pick_device
from core.studies.denoise import Comparison, ComparisonRequest, run_comparison
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models, picture_key

COMPARISONS = SessionJobs("comparisons")


def comparison_key(picture: Image.Image, request: ComparisonRequest, sweep: bool) -> Key:
    """Names a comparison or a sweep: the picture's bytes and every number."""
    return ("sweep" if sweep else "comparison", picture_key(picture), request)


def start_comparison(picture: Image.Image, name: str, request: ComparisonRequest, sweep: bool) -> Job:
    """Queue a comparison, or a sweep (which keeps no pictures). Raises LabError where the queue is full."""
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> Comparison:
        tell, stop = context.report, context.should_stop
        with context.aside():  # a download may take minutes
            classifier = cache.classifier(request.classifier, device, on_progress=tell, should_stop=stop)
            denoisers = {
                reference: cache.denoiser(reference, device, on_progress=tell, should_stop=stop)
                for reference in request.denoisers
            }
        return run_comparison(
            picture,
            classifier,
            denoisers,
            request,
            device=device,
            keep_pixels=not sweep,
            report=context.report,
            should_stop=context.should_stop,
        )

    return COMPARISONS.start(comparison_key(picture, request, sweep), f"{'Sweep' if sweep else 'Denoise'} {name}", work)
