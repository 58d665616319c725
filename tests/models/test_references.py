"""Model references."""

from __future__ import annotations

import pytest

from core.errors import LabError
from core.models import references
from core.models.load import load_classifier, load_denoiser
from core.models.references import Reference, bundled_names, model_folder, parse_reference


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("bundled/cifar10", "bundled", "cifar10"),
        (" bundled/shapes ", "bundled", "shapes"),
        ("local/runs/a/b", "local", "runs/a/b"),
        ("local//tmp/model", "local", "/tmp/model"),
        ("classical/median", "classical", "median"),
        ("none", "none", ""),
    ],
)
def test_references_are_taken_apart_and_put_together(text, kind, name):
    reference = parse_reference(text)
    assert reference == Reference(kind, name)
    assert str(reference) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "cifar10", "bundled", "bundled/", "none/", "none/x", "magic/cifar10", "/cifar10", "Bundled/x"]
)
def test_unknown_references_are_told(text):
    with pytest.raises(LabError, match=r"Unknown model reference .*expected bundled/NAME or local/PATH"):
        parse_reference(text)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(LabError, match="There is no folder"):
        model_folder(parse_reference(f"local/{tmp_path}/nothing"))
    assert model_folder(parse_reference(f"local/{tmp_path}")) == tmp_path


def test_bundled_models_are_found_by_their_config(monkeypatch, tmp_path):
    monkeypatch.setattr(references, "BUNDLED_FOLDER", tmp_path)
    for name in ("beta", "alpha"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "half-made").mkdir()
    assert bundled_names() == ["alpha", "beta"]
    assert model_folder(Reference("bundled", "alpha")) == tmp_path / "alpha"
    for name in ("gamma", "half-made", "../alpha"):
        with pytest.raises(LabError, match=r"There is no bundled model .*: choose one of alpha, beta"):
            model_folder(Reference("bundled", name))


def test_what_is_no_classifier_is_refused():
    for text in ("none", "classical/median"):
        with pytest.raises(LabError, match="is no classifier: expected bundled/NAME or local/PATH"):
            load_classifier(text)


def test_denoisers_without_weights():
    assert load_denoiser("none") is None
    assert load_denoiser("classical/median").ref == "classical/median"
    with pytest.raises(LabError, match="There is no classical denoiser 'mean': choose one of median, wavelet, tv, nlm"):
        load_denoiser("classical/mean")
