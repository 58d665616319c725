"""One process's part: it loads the models, sees that they are the right ones, and certifies pieces of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.errors import LabError
from core.evaluation.engines.work import SAME_VERSIONS, Piece, Recipe
from core.evaluation.evaluate import Evaluated, evaluate
from core.models.load import load_classifier, load_denoiser
from core.smoothing.certificate import ModelRecord, model_record
from core.versions import versions


class Worker:
    """The models of a recipe, loaded in this process.

    Args:
        recipe: what the process that asks has.
        device: where this one computes.

    Raises:
        LabError: where this process has other versions or other weights, or cannot load the models.
    """

    def __init__(self, recipe: Recipe, device: str) -> None:
        check_versions(recipe.versions, versions())
        self._settings, self._device = recipe.settings, device
        self._classifier = load_classifier(recipe.classifier.ref, size=recipe.size)
        self._denoiser = load_denoiser(recipe.denoiser.ref)
        _check_same(recipe.classifier, self._classifier)
        _check_same(recipe.denoiser, self._denoiser)

    def certify(self, piece: Piece, should_stop: Callable[[], bool]) -> Iterator[Evaluated]:
        """Certify the images of a piece and yield each as it is finished; a stop ends it."""
        yield from evaluate(
            piece.data(), self._classifier, self._denoiser, self._settings, device=self._device, should_stop=should_stop
        )


def check_versions(wanted: dict[str, str], here: dict[str, str]) -> None:
    """See that a worker has the versions of the process that asks.

    Builds of one release (``2.13.0+cpu`` and ``2.13.0+cu130``) are taken as the same: a node with a GPU has another build.

    Raises:
        LabError: where one differs; it is named.
    """
    for name in SAME_VERSIONS:
        if wanted[name].partition("+")[0] != here[name].partition("+")[0]:
            what = "the Lab" if name == "lab" else name
            raise LabError(
                f"A worker has {what} {here[name]}, and this process {wanted[name]}: the same log needs the same version,"
                " so install it on every node."
            )


def _check_same(wanted: ModelRecord, model: object | None) -> None:
    found = model_record(model)
    if (found.weights, found.revision) != (wanted.weights, wanted.revision):
        raise LabError(
            f"A worker loaded other weights for {wanted.ref!r} ({_short(found)}) than this process ({_short(wanted)}):"
            " bring the same files to every node."
        )


def _short(record: ModelRecord) -> str:
    return f"sha256 {record.weights[:12]}" if record.weights else f"revision {record.revision}"
