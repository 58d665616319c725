"""Logs with what lies beside them: what is wrong is named precisely, and a log that is being written can be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.data.datasets import SHAPES_LABELS, load_dataset
from core.errors import LabError
from core.evaluation.curve import certified_accuracy, summarise
from core.evaluation.log import HEADER
from core.evaluation.recorded import (
    RecordedEvaluation,
    classes_of,
    dataset_of,
    pictures_at,
    read_recorded,
    recorded_from,
    stored_evaluations,
)
from core.folders import EVALUATIONS
from core.models.labels import CIFAR10_LABELS

HEAD = "\t".join(HEADER) + "\n"
LINES = "0\t3\t3\t0.2\t1\t2.5\n20\t7\t-1\t0\t0\t2.5\n"
SIDE = {"sigma": 0.25, "n0": 100, "n": 1000, "alpha": 0.001, "method": "clopper-pearson"}


def side(**changes: object) -> bytes:
    return json.dumps(SIDE | changes).encode()


def test_a_radius_that_no_votes_could_give_is_named() -> None:
    lines = (HEAD + "0\t3\t3\t0.6158\t1\t1\n1\t3\t3\t0.7\t1\t1\n").encode()
    with pytest.raises(LabError, match=r"radius of 0\.7 \(image 1\).* no more than 0\.6158"):
        recorded_from("log.tsv", lines, side())
    assert len(recorded_from("log.tsv", lines, side(sigma=0.5)).outcomes) == 2
    assert len(recorded_from("log.tsv", lines).outcomes) == 2  # nothing is known of it


def test_certificates_that_share_alpha_have_a_part_of_it_each() -> None:
    shared = recorded_from("log.tsv", (HEAD + LINES).encode(), side(tries=4)).made_by
    alone = recorded_from("log.tsv", (HEAD + LINES).encode(), side(alpha=0.00025)).made_by
    assert (shared.alpha, shared.ceiling) == (alone.alpha, alone.ceiling)


def test_the_highest_radius_there_is_is_allowed() -> None:
    from scipy.stats import norm

    ceiling = 0.25 * norm.ppf(0.001 ** (1 / 1000))
    for text in (f"{ceiling:.6g}", f"{ceiling:.3g}"):
        assert len(recorded_from("log.tsv", f"{HEAD}0\t3\t3\t{text}\t1\t1\n".encode(), side()).outcomes) == 1


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"{", "is no JSON"),
        (b"[]", "should hold a JSON object"),
        (side(sigma=[0.25, 0.5]), r"several sigmas \(0.25, 0.5\)"),
        (side(sigma=-1), "says sigma is -1"),
        (side(n="many"), "says n is 'many'"),
        (side(n=10.5), "expected a whole number"),
        (side(alpha=1.5), "expected a number between 0 and 1"),
        (side(noise="pink"), "names the noise 'pink'"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_a_wrong_side_file_is_named(document: bytes, told: str) -> None:
    with pytest.raises(LabError, match=told):
        recorded_from("log.tsv", (HEAD + LINES).encode(), document)


def test_sigma_is_read_off_a_published_name_and_off_no_other() -> None:
    named = recorded_from("cifar10_resnet110_noise_0.50_test_sigma_0.25.tsv", (HEAD + LINES).encode())
    assert (named.made_by.sigma, named.made_by.ceiling) == (0.25, None)
    assert recorded_from("log_0.25.tsv", (HEAD + LINES).encode()).made_by.sigma is None


def test_a_log_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="cannot be read"):
        read_recorded(tmp_path / "gone.tsv")


def test_lines_that_contradict_themselves_are_remarked_on_and_the_column_believed() -> None:
    read = recorded_from("log.tsv", (HEAD + "0\t3\t5\t0.2\t1\t1\n").encode())
    assert np.array_equal(read.outcomes.right, [True])
    assert "predict and label differ" in read.remarks[0]
    torn = recorded_from("a\nb\x1b[1m.tsv", (HEAD + "0\t3\t5\t0.2\t1\t1\n5").encode(), None, b"{")
    assert [remark.isprintable() and remark.startswith("a b [1m.") for remark in torn.remarks] == [True] * 3


def test_those_that_come_with_the_lab_say_what_their_side_files_say() -> None:
    found = stored_evaluations()
    assert found
    for evaluation in found:
        settings = json.loads((EVALUATIONS / f"{evaluation.name}.json").read_text())
        assert evaluation.made_by.sigma == settings["sigma"]
        summary = summarise(evaluation.outcomes, [0.0, 0.25])
        shares = certified_accuracy(evaluation.outcomes, [0.0, 0.25])
        assert shares.tolist() == pytest.approx([summary.clean, summary.certified[0.25]])


def test_evaluations_are_read_anew_when_they_change_and_none_is_no_error(tmp_path: Path) -> None:
    assert stored_evaluations(folder=tmp_path) == ()
    log, settings = tmp_path / "a.tsv", tmp_path / "a.json"
    log.write_text("idx\tlabel\tpredict\tradius\tcorrect\ttime\n0\t1\t1\t0.5\t1\t1.0\n1\t1\t-1\t0\t0\t1.0\n")
    assert stored_evaluations(folder=tmp_path) == (), "no settings, no sigma"
    made = {
        "dataset": "hub/uoft-cs/cifar10",
        "split": "test",
        "sigma": 0.5,
        "n": 1000,
        "alpha": 0.001,
        "classifier": {"ref": "bundled/cifar10"},
        "denoiser": {"ref": "none"},
    }
    settings.write_text(json.dumps(made))
    (one,) = stored_evaluations(folder=tmp_path)
    assert one.made_by.sigma == 0.5
    assert certified_accuracy(one.outcomes, [0, 0.5, 0.51]).tolist() == [0.5, 0.5, 0.0]
    settings.write_text(json.dumps(made | {"classifier": {"ref": "hub/some/other"}}))
    os.utime(settings, (1, 1))
    assert stored_evaluations(folder=tmp_path) == ()


ONE = (HEAD + "0\t3\t3\t0.1\t1\t1\n").encode()


def one_of(name: str = "log.tsv", **side: str) -> RecordedEvaluation:
    return recorded_from(name, ONE, json.dumps(side).encode() if side else None)


@pytest.mark.parametrize(
    ("log", "dataset"),
    [
        (one_of(dataset="hub/uoft-cs/cifar10", split="test"), "CIFAR-10"),
        (one_of(dataset="parquet/data/cifar-10", split="test"), "CIFAR-10"),
        (one_of(dataset="hub/uoft-cs/cifar10", split="train"), None),
        (one_of(dataset="hub/uoft-cs/cifar100"), None),
        (one_of(dataset="shapes", split="test"), "shapes"),
        (one_of(dataset="folder/etc"), None),
        (one_of("cifar10_resnet110_noise_0.25_test_sigma_0.25.tsv"), "CIFAR-10"),
        (one_of("imagenet_resnet50_noise_0.50_test_sigma_0.50.tsv"), None),
    ],
)
def test_the_data_set_is_told_by_what_a_log_says(log: RecordedEvaluation, dataset: str | None) -> None:
    assert dataset_of(log) == dataset


def test_class_names_are_those_of_the_data_set() -> None:
    assert classes_of("CIFAR-10") == CIFAR10_LABELS
    assert classes_of("shapes") == SHAPES_LABELS
    assert classes_of(None) is None


def test_pictures_of_shapes_are_those_of_the_data_set() -> None:
    data = load_dataset("shapes", "test")
    found = pictures_at("shapes", [7, 999, 100_000])
    assert sorted(found) == [7, 999]
    assert found[7][1] == int(data.labels[7])
    assert found[7][0].getpixel((3, 5)) == tuple(data.images[7, :, 5, 3].tolist())


def test_pictures_of_cifar10_have_the_labels_of_published_logs(cifar10_folder: Path, published_logs: Path) -> None:
    outcomes = read_recorded(published_logs / "cifar10_resnet110_noise_0.25_test_sigma_0.25.tsv").outcomes
    found = pictures_at("CIFAR-10", outcomes.idx.tolist())
    assert found
    assert all(found[i][1] == label for i, label in zip(outcomes.idx, outcomes.label, strict=True) if int(i) in found)
    assert next(iter(found.values()))[0].size == (32, 32)


def test_no_other_data_set_is_looked_for() -> None:
    assert pictures_at(None, [0]) == {}
    assert pictures_at("ImageNet", [0]) == {}
