"""Looking for the nearest picture of another class, away from the page."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from core.attacks.at_radius import Neighbour, nearest_of_another_class
from core.data.local import local_pictures
from core.pictures.pixels import to_pixels
from core.smoothing.certificate import Certificate
from core.ui.jobs.queue import Job, JobContext
from core.ui.jobs.session import Key, SessionJobs

NEIGHBOURS = SessionJobs("neighbours")


@dataclass(frozen=True)
class Search:
    """The nearest picture of another class, and where it was looked for."""

    neighbour: Neighbour
    what: str


def search_key(certificate: Certificate) -> Key:
    """Names a search: the picture, its certified class among which, and the norm."""
    c = certificate
    return ("neighbour", c.image.sha256, c.image.height, c.image.width, c.labels, c.prediction, c.norm)


def start_search(picture: Image.Image, certificate: Certificate) -> Job:
    """Queue the search for a certificate with a class and labels.

    Args:
        picture: at the size at which it was certified.
        certificate: says class and norm.

    Raises:
        LabError: where the queue is full.
    """
    labels, label, norm = certificate.labels, certificate.prediction, certificate.norm
    size = (certificate.image.height, certificate.image.width)

    def work(_: JobContext) -> Search:
        assert labels is not None
        assert label is not None
        found = local_pictures(labels, size)
        return Search(nearest_of_another_class(to_pixels(picture), label, found.data, norm), found.what)

    return NEIGHBOURS.start(search_key(certificate), "Nearest picture of another class", work)
