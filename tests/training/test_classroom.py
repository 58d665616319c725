"""A whole training within seconds, without a page: figures before and after, what is kept, what is refused."""

from __future__ import annotations

import dataclasses
import io
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
from core.training import classroom, pictures
from core.training.classroom import TrainingState, train_here
from core.training.kept import kept_models
from core.training.objectives import Objective, stability
from core.training.pictures import TrainingPictures, has_cifar10, pictures_for, shapes_pictures, uploaded_pictures
from core.training.request import TrainingRequest, check_training
from core.training.uploads import Uploaded
from core.ui.jobs.queue import JobContext, JobQueue

pytestmark = pytest.mark.skipif(not (BUNDLED_FOLDER / "shapes").exists(), reason="the bundled classifier is not there")

CPU = torch.device("cpu")
QUICK = TrainingRequest(minutes=0.05, batch_size=8, checked=2, n=20)


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
    assert before.interval[0] <= before.share <= before.interval[1]
    (model,) = kept_models()
    assert result.kept is not None
    assert model.name == result.name == result.kept.name
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

    request = TrainingRequest(minutes=5, batch_size=8, checked=2, n=20, objective="mse")
    result = train_here(request, classifier, few(), "mine", device=CPU, report=note, should_stop=lambda: len(steps) > 2)
    assert result.stopped
    assert result.state.after is None
    assert "PSNR" in result.best_by
    assert kept_models()[0].card["stopped_early"]


def test_another_users_work_is_done_while_a_training_goes_on(classifier: Classifier) -> None:
    queue = JobQueue()
    request = TrainingRequest(minutes=5, batch_size=8, checked=0, objective="mse")

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
    assert training.result.stopped
    assert time.monotonic() - stopped < 5  # half a second on a machine that is not busy otherwise


def test_a_full_disk_loses_nothing(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise LabError("The denoiser cannot be written into the Lab's folder (No space left on device): download it now.")

    monkeypatch.setattr(classroom, "keep", full)
    result = train_here(QUICK, classifier, few(0), "mine", device=CPU)
    assert result.kept is None
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
    assert train_here(dataclasses.replace(QUICK, features=0.0, checked=0), plain, few(0), "mine", device=CPU).kept is not None


@pytest.mark.parametrize("name", ["closeness", "features"])
def test_the_weights_beside_stab_are_given_to_its_loss(
    name: str, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, float] = {}

    def noted(classifiers: list[torch.nn.Module], **beside: float) -> Objective:
        given.update(beside)
        return stability(classifiers, **beside)  # type: ignore[arg-type]

    monkeypatch.setattr(classroom, "stability", noted)
    request = dataclasses.replace(QUICK, objective="stab", checked=0, **{name: 7.5})  # type: ignore[arg-type]
    card = getattr(train_here(request, classifier, few(0), "mine", device=CPU).kept, "card", {})
    assert given == {"closeness": 20.0, "features": 20.0} | {name: 7.5}
    assert card[name] == 7.5


def test_shapes_are_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "SHAPES_AT_FIRST", 8)
    monkeypatch.setattr("core.data.datasets.SHAPES_SIZES", {"train": 20, "test": 20})
    found = shapes_pictures(None, 3)
    first = found.pool.clone()
    generator = torch.Generator().manual_seed(0)
    assert found.draw(5, generator).shape == (5, 3, 32, 32)
    found.draw(5, generator)
    assert not any(torch.equal(found.pool[i], first[i]) for i in range(8))
    assert len(found.checked) == 3


def test_folders_must_be_named_after_classes_and_may_come_in_any_order() -> None:
    images, labels = make_shapes(40, seed=1)
    names = [("Circle", "square")[int(label) % 2] for label in labels]
    found = uploaded_pictures(Uploaded(images, tuple(names)), ("square", "circle"), 3)
    assert found.labels is not None
    for picture, label in zip(found.checked, found.labels, strict=True):
        row = next(i for i in range(40) if torch.equal(images[i], picture))
        assert names[row].lower() == ("square", "circle")[int(label)]
    assert len(found.pool) + len(found.watched) == 40
    with pytest.raises(LabError, match="has no class 'Circle'"):
        uploaded_pictures(Uploaded(images, tuple(names)), ("cat", "square"), 3)


def test_too_few_pictures_and_wrong_classes_are_told() -> None:
    images, _ = make_shapes(19)
    with pytest.raises(LabError, match=r"Only 19 pictures .*at least 20"):
        uploaded_pictures(Uploaded(images, None), None, 2)
    with pytest.raises(LabError, match="other classes than shapes"):
        pictures_for("shapes", ("cat", "dog"), 2, None)
    with pytest.raises(LabError, match="Upload pictures first"):
        pictures_for("upload", None, 2, None)


def test_cifar10_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setattr(pictures, "cifar10_folder", lambda: None)
    assert not has_cifar10()
    with pytest.raises(LabError, match="CIFAR-10 is not on this machine"):
        pictures_for("cifar10", None, 2, None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"objective": "magic"}, "objective"),
        ({"network": "vit"}, "network"),
        ({"sigma_range": (0.0, 0.0)}, "sigma range"),
        ({"minutes": 31.0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"closeness": -1.0}, "Closeness and features"),
        ({"features": float("nan")}, "Closeness and features"),
        ({"checked": 51}, "At most 50"),
        ({"sigma": 0.0}, "sigma in"),
    ],
)
def test_requests_out_of_range_are_told(change: dict[str, Any], told: str) -> None:
    with pytest.raises(LabError, match=told):
        check_training(TrainingRequest(**change))
