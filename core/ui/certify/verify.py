"""A place in the app to check a certificate that somebody handed over, and to sample its votes again by a job."""

import hashlib
from functools import partial

import streamlit as st
from PIL import Image

from core.device import pick_device
from core.pictures.reading import Picture
from core.plain_text import cells, plain
from core.smoothing.certificate import Certificate
from core.smoothing.certify import Progress
from core.smoothing.document import MAX_DOCUMENT_BYTES, read_document
from core.smoothing.settings import MAX_SEED, fresh_seed
from core.ui.certify.controls import PROSE
from core.ui.jobs.follow import begin, draw_job, draw_stop, draw_waiting, follow
from core.ui.jobs.job import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs, models
from core.ui.pictures import PICTURE_TYPES, read_upload
from core.ui.sentences import errors_shown
from core.verification.resampling import (
    MAX_SAMPLES_HERE,
    POWER,
    TOO_HIGH,
    cannot_resample,
    cannot_sample_here,
    check_fresh,
    resample,
    usual_fresh_n,
)
from core.verification.verify import (
    DIFFERS,
    NOT_CHECKED,
    SAME,
    Check,
    Verification,
    models_of_catalogue,
    verify,
    why_not_sampled,
)

VERIFICATIONS = SessionJobs("verifications")
_FRESH_N = (
    f"At first as many as it counted, and enough to reject with probability {POWER:g} a claim {TOO_HIGH:g} too high in p."
)
_MARKS = {SAME: "✓ same", DIFFERS: "✗ differs", NOT_CHECKED: "– not checked"}


def start_resampling(key: Key, certificate: Certificate, picture: Image.Image, seed: int | None, n: int | None) -> Job:
    """Queue a sampling: with the certificate's own seed where ``seed`` is None, else of ``n`` fresh samples.
    Raises LabError where the queue is full."""
    cache, device = models(), pick_device("auto")
    size = (certificate.image.height, certificate.image.width)

    def work(context: JobContext) -> list[Check]:
        classifier = cache.classifier(certificate.classifier.ref, device, size=size, should_stop=context.should_stop)
        denoiser = cache.denoiser(certificate.denoiser.ref, device, should_stop=context.should_stop)
        return resample(
            certificate,
            picture,
            classifier,
            denoiser,
            same_seed=seed is None,
            fresh_seed=seed,
            fresh_n=n,
            device=str(device),
            on_progress=lambda _, now: context.report(now),
            should_stop=context.should_stop,
        )

    return VERIFICATIONS.start(key, "Verify a certificate", work)


def draw_verify() -> None:
    """Upload a certificate, and its picture, and see what holds; on request sample its votes again."""
    with st.expander("Verify a certificate that you were given", icon=":material/fact_check:"):
        st.markdown(PROSE["verify"])
        left, right = st.columns(2)
        megabytes = MAX_DOCUMENT_BYTES // 2**20
        document = left.file_uploader("Certificate (JSON)", ["json"], key="verify-document", max_upload_size=megabytes)
        upload = right.file_uploader("Its picture, if you have it", PICTURE_TYPES, key="verify-picture")
        wanted: list[Key] = []
        if document is not None:
            with errors_shown():
                certificate, beside = read_document(document.getvalue(), document.name)
                picture = None if upload is None else read_upload(upload.getvalue(), upload.name)
                image = None if picture is None else picture.image
                found = verify(certificate, image, models_of_catalogue(certificate), beside)
                _draw_checks(found)
                wanted = _choose_sampling(document.getvalue(), certificate, picture, found)
        VERIFICATIONS.keep_only(wanted)
        follow(_draw_jobs, *(partial(VERIFICATIONS.find, key) for key in wanted))


def _draw_checks(found: Verification) -> None:
    if found.differing:
        st.warning(plain(found.summary()), icon=":material/difference:")
    else:
        st.info(plain(found.summary()), icon=":material/check:")
    order = sorted(found.checks, key=lambda check: (check.status != DIFFERS, check.status != NOT_CHECKED))
    rows = [{"checked": check.name, "result": _MARKS[check.status], "what was found": check.sentence} for check in order]
    wide = {"what was found": st.column_config.TextColumn(width="large")}
    st.dataframe(cells(rows), hide_index=True, width="stretch", column_config=wide)


def _choose_sampling(document: bytes, certificate: Certificate, picture: Picture | None, found: Verification) -> list[Key]:
    """Buttons to sample again, which start it, or why that cannot be; returns the keys of what may be under way or done."""
    reason = why_not_sampled(found) or cannot_resample(certificate) or cannot_sample_here(certificate)
    if picture is None or reason is not None:
        st.caption(plain(reason or "To sample its votes again, upload its picture, too."))
        return []
    with st.container(horizontal=True, vertical_alignment="bottom"):
        same = st.button("Sample again with its seed", icon=":material/replay:", key="verify-same")
        fresh = st.button("Sample with a fresh seed", icon=":material/casino:", key="verify-fresh")
        digest = hashlib.sha256(document).hexdigest()
        seed_key, n_key = f"verify-seed-{digest}", f"verify-n-{digest}"
        st.session_state.setdefault(seed_key, fresh_seed())  # one that who made the certificate could not know
        seed = int(st.number_input("Fresh seed", 0, MAX_SEED, step=1, key=seed_key, width=140))
        most = MAX_SAMPLES_HERE - certificate.n0
        st.session_state.setdefault(n_key, min(usual_fresh_n(certificate), most))
        n = int(st.number_input("Fresh samples", 1, most, step=1_000, key=n_key, width=140, help=_FRESH_N))
    # The picture is fixed by the hash in the document.
    wanted: dict[Key, tuple[int, int] | None] = {("verify", digest, asked): asked for asked in (None, (seed, n))}
    with errors_shown():
        for (name, asked), pressed in zip(wanted.items(), (same, fresh), strict=True):
            if pressed:
                seed_asked, n_asked = asked or (None, None)
                check_fresh(certificate, seed_asked, n_asked)
                VERIFICATIONS.forget(name)
                begin(partial(start_resampling, name, certificate, picture.image, seed=seed_asked, n=n_asked))
    return list(wanted)


def _draw_jobs(*jobs: Job | None) -> None:
    for job in jobs:
        if job is not None:
            draw_job(job, _draw_running, _draw_sampled)


def _draw_running(job: Job) -> None:
    now = job.progress
    if isinstance(now, Progress):
        st.progress(now.done / now.total, text=f"Sampling: {now.done:,} of {now.total:,} copies")
    else:
        draw_waiting(job)
    draw_stop(job)


def _draw_sampled(checks: list[Check]) -> None:
    for check in checks:
        words, icon = f"**{plain(check.name)}: {check.status}.** {plain(check.sentence)}", ":material/check:"
        if check.status == SAME:
            st.info(words, icon=icon)
        else:
            st.warning(words, icon=":material/difference:" if check.status == DIFFERS else ":material/stop_circle:")
