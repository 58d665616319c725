"""What a training is asked on its page, all but the uploads part of the link, and starting it."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import streamlit as st

from core.device import pick_device
from core.errors import LabError
from core.models.catalogue import classifiers
from core.runs.unfinished import Unfinished, remembered
from core.training.classroom import TrainedHere, TrainingState, train_here
from core.training.objectives import StabTerms
from core.training.pictures import (
    FEWEST_PICTURES,
    MOST_BYTES,
    MOST_ENTRIES,
    File,
    Uploaded,
    has_cifar10,
    pictures_for,
    read_uploaded,
)
from core.training.recipe import MOST_MINUTES, MOST_WEIGHT, TrainingRequest
from core.training.trained import check_name, check_room
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import SessionJobs, models
from core.ui.linked import linked_choice, linked_number, linked_slider, linked_switch
from core.ui.login import visitor
from core.ui.models import brought, model_title
from core.ui.pictures import PICTURE_TYPES
from core.ui.sentences import stored_texts

PROSE = stored_texts("pages/train")

TRAININGS = SessionJobs("trainings")
SIDE_OF_ANY = 64
"""Pixels of uploaded pictures, before a classifier that takes any size."""
_USUAL = {"shapes": "bundled/shapes", "cifar10": "bundled/cifar10"}


@dataclass(frozen=True)
class TrainingChoice:
    """What the controls hold; ``files`` are the uploads, for the data set ``upload``."""

    request: TrainingRequest
    name: str
    files: tuple[File, ...]


def choose_training() -> TrainingChoice:
    """Data set, classifier, objective, network, sigmas, minutes; the rest folded away."""
    usual = TrainingRequest()
    left, middle, right = st.columns([1.2, 1.1, 1.1])
    with left:
        data = {name: title for name, title in PROSE["datasets"].items() if name != "cifar10" or has_cifar10()}
        dataset = linked_choice("Pictures to learn from", data, "shapes", "train-data")
        files = _choose_files() if dataset == "upload" else ()
        classifier = _choose_classifier(dataset)
    with middle:
        objective = linked_choice("Objective", PROSE["objectives"], usual.objective, "objective", help=PROSE["objective"])
        network = linked_choice("Network", PROSE["networks"], usual.network, "network")
    with right:
        label, span, key = "Noise sigma, from and to", usual.sigma_range, "train-sigma"
        low, high = st.slider(label, 0.0, 1.0, span, 0.01, key=key, bind="query-params", help=PROSE["sigma"])
        st.caption(f"= {low * 255:.0f} to {high * 255:.0f}/255 grey levels")
        span, help = (0.1, MOST_MINUTES), PROSE["minutes"]
        minutes = linked_number("Minutes", span, usual.minutes, "train-minutes", step=0.5, help=help)
    recipe, settings = usual.recipe, usual.settings
    with st.expander("Name, seed, learning rate, pictures to certify and more", icon=":material/tune:"):
        first, second, third = st.columns(3)
        with first:
            suggested, help = f"{dataset}-{objective}", PROSE["name"]
            name = st.text_input("name", suggested, max_chars=40, key=f"train-name-{suggested}", help=help)
            seed = linked_number("seed", (0, 2**31 - 1), 0, "train-seed", step=1)
            stab = usual.stab if objective == "mse" else _choose_beside_stab(usual.stab)
        with second:
            span, rate = (0.00001, 1.0), recipe.learning_rate
            rate = linked_number("learning rate", span, rate, "train-rate", step=0.0005, format="%.5f")
            batch, help = recipe.batch_size, PROSE["batch"]
            batch = linked_number("pictures a step", (4, 256), batch, "train-batch", step=4, help=help)
            mirror = linked_switch("mirror half of the pictures", True, "train-mirror")
        with third:
            checked = linked_number("pictures to certify before and after", (0, 50), usual.checked, "train-checked", step=1)
            n = linked_number("samples of each certificate", (20, 1_000), settings.n, "train-n", step=20)
            sigma = linked_slider("sigma of the certificates", (0.01, 1.0), settings.sigma, "train-at", step=0.01)
            radius = linked_slider("asked radius (l2)", (0.0, 2.0), usual.radius, "train-radius", step=0.05)
    request = TrainingRequest(
        dataset=dataset,
        classifier=classifier,
        objective=objective,
        network=network,
        sigma_range=(float(low), float(high)),
        minutes=minutes,
        mirror=mirror,
        recipe=replace(recipe, seed=seed, learning_rate=rate, batch_size=batch),
        stab=stab,
        checked=checked,
        settings=replace(settings, sigma=sigma, n=n, seed=seed),
        radius=radius,
    )
    return TrainingChoice(request, name, files)


def _choose_beside_stab(usual: StabTerms) -> StabTerms:
    span, help = (0.0, MOST_WEIGHT), PROSE["closeness"]
    closeness = linked_number("STAB: closeness to the picture", span, usual.closeness, "train-closeness", step=5.0, help=help)
    help = PROSE["features"]
    features = linked_number("STAB: the classifier's features", span, usual.features, "train-features", step=5.0, help=help)
    return replace(usual, closeness=closeness, features=features)


def _choose_files() -> tuple[File, ...]:
    megabytes = MOST_BYTES // 2**20
    label, help = "Zip with one folder a class, or several pictures", PROSE["files"]
    help = help.format(fewest=FEWEST_PICTURES, most=MOST_ENTRIES, megabytes=megabytes)
    upload = partial(st.file_uploader, accept_multiple_files=True, key="train-files", max_upload_size=megabytes, help=help)
    uploads = upload(label, ["zip", *PICTURE_TYPES])
    return tuple((file.name, file.getvalue()) for file in uploads)


def _choose_classifier(dataset: str) -> str:
    known = {entry.ref: entry.title for entry in classifiers()}
    usual = _USUAL.get(dataset, next(iter(known)))
    options = [ref for ref in dict.fromkeys([usual, *known, *brought("classifier")]) if ref in known or dataset == "upload"]
    titles = {ref: known.get(ref) or model_title(ref) for ref in options}
    key = "classifier-to-defend" if dataset == "upload" else f"classifier-{dataset}"
    first = usual if usual in options else options[0]
    return linked_choice("Classifier to stand before", titles, first, key, help=PROSE["classifier"])


def go_on_training(left: Unfinished, files: tuple[File, ...]) -> Job:
    """Queue what a training that was cut short still lacks; uploads are given again. Raises as :func:`start_training`."""
    try:
        name, document = str(left.asked["name"]), dict(left.asked["request"])
    except (KeyError, TypeError, ValueError) as error:
        raise LabError("What was asked of the training cannot be read: drop it, and begin anew.") from error
    return start_training(TrainingChoice(TrainingRequest.of(document), name, files), left)


def start_training(choice: TrainingChoice, left: Unfinished | None = None) -> Job:
    """Queue a training, or go on with one that was ``left``.
    Raises LabError where a number or the name is not usable, too many models are kept, one is under way, or the queue is full.
    """
    request, name, files = choice.request, check_name(choice.name), choice.files
    request.check()
    who = visitor()
    check_room(who)
    if request.dataset == "upload" and not files:
        raise LabError("Upload pictures first: a zip with one folder a class, or several pictures.")
    low, high = request.sigma_range
    settings = replace(request.settings, sigma=min(max(request.settings.sigma, low), high))
    request = replace(request, settings=settings)
    cache, device = models(), pick_device("auto")
    asked = {"name": name, "request": asdict(request), "owner": who.key}

    def work(context: JobContext) -> TrainedHere:
        with remembered("training", asked, left) as kept:
            result = train(context, None if kept.folder is None else kept.folder / "checkpoint.pt", kept.trouble)
            kept.stays = result.saved is None  # where it could not be written, it can be gone on with once there is room
        return result

    def train(context: JobContext, checkpoint: Path | None, trouble: str | None) -> TrainedHere:
        stop = context.should_stop
        context.report(TrainingState("pictures"))
        with context.aside():  # downloads and files may take minutes
            classifier = cache.classifier(request.classifier, device, on_progress=context.report, should_stop=stop)
            size = classifier.input_size or (SIDE_OF_ANY, SIDE_OF_ANY)

            def uploaded() -> Uploaded:
                return read_uploaded(files, size, should_stop=stop)

            pictures = pictures_for(request.dataset, classifier.labels, request.checked, uploaded)
            pictures.notes += (trouble,) if trouble else ()
        if stop():
            raise LabError("Stopped before the training began: nothing is kept.")
        return train_here(
            request,
            classifier,
            pictures,
            name,
            device=device,
            visitor=who,
            checkpoint=checkpoint,
            report=context.report,
            should_stop=stop,
        )

    return TRAININGS.start_alone(f"Train {name}", work, "A training")
