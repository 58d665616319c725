"""A whole training within seconds, without a page: figures before and after, what is kept, what is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from core.data.shapes import make_shapes
from core.errors import LabError
from core.models.load import Classifier, load_classifier, load_denoiser
from core.models.references import BUNDLED_FOLDER
from core.training import classroom
from core.training.classroom import TrainingState, train_here
from core.training.objectives import Objective, StabTerms, stability
from core.training.pictures import TrainingPictures
from core.training.recipe import TrainingRequest
from core.training.trained import trained_models
from core.ui.jobs.job import JobContext
from core.ui.jobs.queue import JobQueue

pytestmark = pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there")

CPU = torch.device("cpu")
USUAL = TrainingRequest()
QUICK = dataclasses.replace(
    USUAL,
    minutes=0.05,
    checked=2,
    recipe=dataclasses.replace(USUAL.recipe, batch_size=8),
    settings=dataclasses.replace(USUAL.settings, n=20),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_classifier("bundled/shapes")


def few(checked: int = 2) -> TrainingPictures:
    images, labels = make_shapes(30, seed=7)
    return TrainingPictures(images[:20], images[20:28], images[28:][:checked], labels[28:][:checked], "a few shapes")


def test_a_training_is_certified_before_and_after_and_kept(classifier: Classifier) -> None:
    stages: list[str] = []
    result = train_here(QUICK, classifier, few(), "mine", device=CPU, report=lambda state: stages.append(state.stage))
    assert list(dict.fromkeys(stages)) == ["before", "train", "after"]
    before, after = result.state.before, result.state.after
    assert before is not None
    assert after is not None
    assert (before.total, after.total) == (2, 2)
    assert before.interval[0] <= before.right / before.total <= before.interval[1]
    (model,) = trained_models()
    assert result.saved is not None
    assert model.name == result.name == result.saved.name
    assert "of 2 pictures right and certified" in model.card["certified_told"]
    assert model.card["trained_through"] == ["bundled/shapes"]
    assert (model.card["closeness"], model.card["features"]) == (20, 20)
    assert result.files is None
    loaded: Any = load_denoiser(model.ref)
    assert loaded.sigma_range == (0.0, 0.5)


def test_a_stop_while_training_keeps_what_there_is_uncertified(classifier: Classifier) -> None:
    steps: list[int] = []

    def note(state: TrainingState) -> None:
        if state.trained is not None and state.stage == "train":
            steps.append(state.trained.step)

    request = dataclasses.replace(QUICK, minutes=5, objective="mse")
    result = train_here(request, classifier, few(), "mine", device=CPU, report=note, should_stop=lambda: len(steps) > 2)
    assert result.result.stopped
    assert result.state.after is None
    assert "PSNR" in result.best_by
    assert trained_models()[0].card["stopped_early"]


def test_another_users_work_is_done_while_a_training_goes_on(classifier: Classifier) -> None:
    queue = JobQueue()
    request = dataclasses.replace(QUICK, minutes=5, checked=0, objective="mse")

    def train(context: JobContext) -> object:
        return train_here(
            request, classifier, few(0), "mine", device=CPU, report=context.report, should_stop=context.should_stop
        )

    training = queue.submit("one", "training", train)
    while training.progress is None:
        time.sleep(0.01)
    other = queue.submit("two", "other", lambda context: "done")
    assert other.wait(10)
    assert not training.finished
    stopped = time.monotonic()
    queue.stop(training)
    assert training.wait(10)
    assert training.error is None
    assert training.result.result.stopped
    assert time.monotonic() - stopped < 5  # half a second on a machine that is not busy otherwise


def test_a_full_disk_loses_nothing(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise LabError("The denoiser cannot be written into the Lab's folder (No space left on device): download it now.")

    monkeypatch.setattr(classroom, "save_trained", full)
    result = train_here(QUICK, classifier, few(0), "mine", device=CPU)
    assert result.saved is None
    assert result.unsaved is not None
    assert "No space left" in result.unsaved
    assert result.files is not None
    with zipfile.ZipFile(io.BytesIO(result.files)) as zipped:
        assert f"{result.name}/model.safetensors" in zipped.namelist()


def test_a_classifier_without_gradients_is_refused_for_stab() -> None:
    class Blind(torch.nn.Module):
        ref = "python/blind"

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot((x.mean(dim=(1, 2, 3)) * 9.99).long().clamp(0, 9), 10).float()

    blind: Any = Blind()
    with pytest.raises(LabError, match=r"gives no gradients.*choose the objective MSE"):
        train_here(QUICK, blind, few(), "mine", device=CPU)


def test_a_classifier_without_features_is_refused_at_once_unless_they_have_no_weight() -> None:
    class Plain(torch.nn.Module):
        ref = "python/plain"

        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(3 * 32 * 32, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(x.flatten(1))

    plain: Any = Plain().requires_grad_(False)
    told: list[str] = []
    with pytest.raises(LabError, match="Plain has no layers"):
        train_here(QUICK, plain, few(), "mine", device=CPU, report=lambda state: told.append(state.stage))
    assert not told
    assert (
        train_here(dataclasses.replace(QUICK, stab=StabTerms(), checked=0), plain, few(0), "mine", device=CPU).saved is not None
    )


@pytest.mark.parametrize("name", ["closeness", "features"])
def test_the_weights_beside_stab_are_given_to_its_loss(
    name: str, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[StabTerms] = []

    def noted(classifiers: list[torch.nn.Module], terms: StabTerms) -> Objective:
        given.append(terms)
        return stability(classifiers, terms)

    monkeypatch.setattr(classroom, "stability", noted)
    terms = dataclasses.replace(USUAL.stab, **{name: 7.5})  # type: ignore[arg-type]
    request = dataclasses.replace(QUICK, objective="stab", checked=0, stab=terms)
    card = getattr(train_here(request, classifier, few(0), "mine", device=CPU).saved, "card", {})
    assert given == [terms]
    assert (terms.closeness, terms.features) == ((7.5, 20) if name == "closeness" else (20, 7.5))
    assert card[name] == 7.5


def test_cut_short_it_goes_on_with_what_was_certified_and_learnt(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.timed.CHECKPOINT_SECONDS", 0.0)
    path = tmp_path / "checkpoint.pt"

    def die(state: TrainingState) -> None:
        if path.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_here(QUICK, classifier, few(), "mine", device=CPU, checkpoint=path, report=die)
    assert not trained_models()
    heard: list[TrainingState] = []
    other = dataclasses.replace(QUICK, recipe=dataclasses.replace(QUICK.recipe, seed=1))
    with pytest.raises(LabError, match="another recipe"):
        train_here(other, classifier, few(), "mine", device=CPU, checkpoint=path)
    with pytest.raises(LabError, match="another pictures"):
        train_here(QUICK, classifier, few(1), "mine", device=CPU, checkpoint=path)
    result = train_here(QUICK, classifier, few(), "mine", device=CPU, checkpoint=path, report=heard.append)
    assert "before" not in {state.stage for state in heard[1:]}
    assert result.state.before is not None
    assert result.state.before.total == 2
    assert next(state.trained for state in heard if state.trained is not None).step > 0
    assert result.state.after is not None
    assert len(trained_models()) == 1


def test_a_request_is_read_back_from_its_document() -> None:
    document = json.loads(json.dumps(dataclasses.asdict(QUICK)))
    assert TrainingRequest.of(document) == QUICK
    for damaged in ({}, document | {"recipe": {"epoch": 1}}, document | {"nonsense": 1}):
        with pytest.raises(LabError, match="cannot be read"):
            TrainingRequest.of(damaged)
