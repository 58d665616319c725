"""Starting attack studies from a page."""

from __future__ import annotations

from PIL import Image

from core.attacks.records import AttackStudy
from core.attacks.request import AttackRequest
from core.attacks.study import attack_study
from core.device import pick_device
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models, picture_key

ATTACKS = SessionJobs("attacks")


def attack_key(picture: Image.Image, request: AttackRequest) -> Key:
    """Names an attack: the picture's bytes and every number."""
    return ("attack", picture_key(picture), request)


def start_attack(picture: Image.Image, name: str, request: AttackRequest) -> Job:
    """Queue an attack study. Raises LabError where a number is out of range or the queue is full."""
    request.check()
    cache, device = models(), pick_device(request.device)

    def work(context: JobContext) -> AttackStudy:
        tell, stop = context.report, context.should_stop
        with context.aside():  # a download may take minutes
            classifier = cache.classifier(request.classifier, device, on_progress=tell, should_stop=stop)
            denoiser = cache.denoiser(request.denoiser, device, on_progress=tell, should_stop=stop)
        return attack_study(picture, classifier, denoiser, request, device=device, report=tell, should_stop=stop)

    return ATTACKS.start(attack_key(picture, request), f"Attack {name}", work)
