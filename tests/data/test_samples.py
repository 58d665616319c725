"""The sample pictures: index and files, the script that draws them, and what the bundled classifiers say of them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core import LabError, load_classifier
from core.data.samples import INDEX, SAMPLES_FOLDER, Sample, sample_picture, samples
from core.data.shapes import SHAPES_LABELS
from core.models.labels import CIFAR10_LABELS
from core.models.references import BUNDLED_FOLDER
from core.pictures.pixels import to_pixels

CIFAR10 = "bundled/cifar10"
LABELS = {CIFAR10: CIFAR10_LABELS, "bundled/shapes": SHAPES_LABELS}
ENTRIES = {entry["name"]: entry for entry in json.loads((SAMPLES_FOLDER / INDEX).read_text(encoding="utf-8"))}


def of(classifier: str) -> list[Sample]:
    return [sample for sample in samples() if sample.classifier == classifier]


def test_there_are_enough_of_enough_classes() -> None:
    assert len(of(CIFAR10)) >= 12
    assert len({sample.label for sample in of(CIFAR10)}) >= 8
    assert len(of("bundled/shapes")) >= 2


def test_index_and_files_agree() -> None:
    files = {entry["file"] for entry in ENTRIES.values() if "file" in entry}
    assert files == {path.name for path in SAMPLES_FOLDER.iterdir() if path.suffix in {".png", ".jpg", ".webp"}}
    assert all(len({"file", "skimage", "shapes"} & set(entry)) == 1 for entry in ENTRIES.values())


def test_names_are_unique_and_in_order() -> None:
    if importlib.util.find_spec("skimage") is not None:
        assert [sample.name for sample in samples()] == list(ENTRIES)
    names = json.loads((SAMPLES_FOLDER / INDEX).read_text(encoding="utf-8"))
    assert len(names) == len(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_text_is_written_and_every_label_known(name: str) -> None:
    entry = ENTRIES[name]
    assert entry["label"] in LABELS[entry["classifier"]]
    assert all(entry[text].strip() for text in ("title", "origin", "licence", "alt"))
    assert entry["licence"] in {"MIT", "CC0-1.0"}
    assert entry["name"] in (SAMPLES_FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_every_sample_loads(sample: Sample) -> None:
    picture = sample_picture(sample.name)
    side = 32 if sample.classifier == "bundled/shapes" else 200
    assert picture.image.mode == "RGB"
    assert picture.image.width == picture.image.height >= side
    assert np.asarray(picture.image).std() > 10  # no blank picture
    assert picture.name == sample.title


def test_no_two_samples_are_the_same() -> None:
    digests = {hashlib.sha256(sample_picture(sample.name).image.tobytes()).hexdigest() for sample in samples()}
    assert len(digests) == len(samples())


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(LabError, match="There is no sample picture 'unicorn': choose one of"):
        sample_picture("unicorn")


def test_without_scikit_image_its_pictures_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "skimage" else find(name))
    samples.cache_clear()
    try:
        left = {sample.name for sample in samples()}
        assert left == {name for name, entry in ENTRIES.items() if "skimage" not in entry}
        cut = next(name for name, entry in ENTRIES.items() if "skimage" in entry)
        with pytest.raises(LabError, match="There is no sample picture"):
            sample_picture.__wrapped__(cut)
    finally:
        samples.cache_clear()


def run_script(*arguments: str) -> str:
    command = [sys.executable, "-B", str(SAMPLES_FOLDER / "draw.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout


def test_the_script_knows_every_drawn_picture() -> None:
    assert sorted(run_script("--list").split()) == sorted(
        Path(entry["file"]).stem for entry in ENTRIES.values() if "file" in entry
    )


# Two to four seconds each: these five use every kind of ground and surface, and most solids.
@pytest.mark.parametrize("name", ["yellow-car", "songbird", "stag", "black-cat", "ocean-liner"])
def test_the_script_draws_what_is_stored(name: str, tmp_path: Path) -> None:
    run_script(name, "--out", str(tmp_path))
    fresh, kept = (np.asarray(Image.open(folder / f"{name}.png"), dtype=np.float64) for folder in (tmp_path, SAMPLES_FOLDER))
    assert np.abs(fresh - kept).mean() < 1


@pytest.mark.parametrize("reference", LABELS)
def test_the_bundled_classifier_gets_every_sample_right(reference: str) -> None:
    if not (BUNDLED_FOLDER / Path(reference).name / "model.safetensors").exists():
        pytest.skip(f"{reference} is not trained yet")
    classifier = load_classifier(reference)
    pixels = torch.stack([to_pixels(sample_picture(sample.name).image, classifier.input_size) for sample in of(reference)])
    with torch.inference_mode():
        chosen = classifier(pixels).argmax(dim=1)
    assert classifier.labels is not None
    said = {sample.name: classifier.labels[int(index)] for sample, index in zip(of(reference), chosen, strict=True)}
    assert said == {sample.name: sample.label for sample in of(reference)}
