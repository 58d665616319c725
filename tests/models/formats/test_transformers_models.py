"""The arithmetic read from an image processor of transformers is the processor's own, colours and cutting alike."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.errors import LabError
from core.models.formats.foreign import import_library
from core.models.formats.preprocessing import Prepared, Preprocessing
from core.models.formats.registry import read_network
from core.models.formats.transformers_models import read_processor
from tests.models.formats.repositories import Damage, edit, picture, pixels, save_vit, smooth, wanted, without, write

CONFIG = SimpleNamespace(image_size=64)
SMALL = {"height": 64, "width": 64}

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("ViTImageProcessor", {"size": SMALL}),
    ("ViTImageProcessor", {"size": SMALL, "do_normalize": False}),
    ("ViTImageProcessor", {"size": SMALL, "rescale_factor": 1 / 127.5}),
    ("ViTImageProcessor", {"size": SMALL, "do_rescale": False, "image_mean": [100.0] * 3, "image_std": [50.0, 60.0, 70.0]}),
    ("DeiTImageProcessor", {"size": {"height": 73, "width": 73}, "crop_size": SMALL}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 64}}),
    ("ConvNextImageProcessor", {"size": {"shortest_edge": 384}}),
    ("BitImageProcessor", {"size": {"shortest_edge": 72}, "crop_size": SMALL}),
    ("LevitImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": SMALL}),
    ("PoolFormerImageProcessor", {"size": {"shortest_edge": 64}, "crop_size": SMALL, "crop_pct": 0.9}),
    ("MobileNetV2ImageProcessor", {"size": {"shortest_edge": 73}, "crop_size": SMALL}),
    ("BeitImageProcessor", {"size": SMALL}),
    ("MobileViTImageProcessor", {"size": {"shortest_edge": 72}, "crop_size": SMALL}),
    ("EfficientNetImageProcessor", {"size": SMALL, "image_std": [0.3, 0.4, 0.5]}),
    ("EfficientNetImageProcessor", {"size": SMALL, "include_top": False, "rescale_offset": True, "do_normalize": False}),
]


def ours(found: Preprocessing, image: Image.Image) -> torch.Tensor:
    return Prepared(nn.Identity(), found)(pixels(image))


@pytest.mark.parametrize(("kind", "settings"), KINDS)
@pytest.mark.parametrize("size", [(32, 32), (90, 120)])
def test_pictures_come_out_as_from_the_processor(
    tmp_path: Path, kind: str, settings: dict[str, Any], size: tuple[int, int]
) -> None:
    transformers = import_library("transformers")
    getattr(transformers, kind)(**settings).save_pretrained(tmp_path)
    found = read_processor(transformers, tmp_path, CONFIG)
    image = smooth(*size)
    theirs = transformers.AutoImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt")["pixel_values"]
    mine = ours(found, image)
    assert mine.shape == theirs.shape
    # Theirs is rounded to 8 bits after scaling.
    grey_level = 1 / 255 / min(found.std)
    assert float((mine - theirs).abs().mean()) < grey_level
    assert not found.notes


@pytest.mark.parametrize(
    ("kind", "settings"), [k for k in KINDS if "crop_size" not in k[1] and "shortest_edge" not in k[1]["size"]]
)
def test_pictures_of_the_models_size_come_out_exactly(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    transformers = import_library("transformers")
    getattr(transformers, kind)(**settings).save_pretrained(tmp_path)
    found = read_processor(transformers, tmp_path, CONFIG)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    theirs = transformers.AutoImageProcessor.from_pretrained(tmp_path)(image, return_tensors="pt")["pixel_values"]
    assert torch.allclose(ours(found, image), theirs, atol=1e-4)


def test_an_old_or_unknown_processor_is_taken_at_its_word(tmp_path: Path) -> None:
    settings = {"feature_extractor_type": "NoSuchFeatureExtractor", "image_mean": [0.4] * 3, "image_std": [0.2] * 3, "size": 48}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    found = read_processor(import_library("transformers"), tmp_path, CONFIG)
    assert found.mean == pytest.approx((0.4, 0.4, 0.4))
    assert found.std == pytest.approx((0.2, 0.2, 0.2))
    assert found.fitting.own_size == (48, 48)


def test_without_a_processor_what_is_assumed_is_told(tmp_path: Path) -> None:
    found = read_processor(import_library("transformers"), tmp_path, CONFIG)
    assert (found.mean, found.fitting.own_size) == ((0.5, 0.5, 0.5), (64, 64))
    assert "0.5 were assumed" in found.notes[0]


def test_a_processor_that_does_something_else_to_colours_is_refused(tmp_path: Path) -> None:
    transformers = import_library("transformers")
    transformers.ViTImageProcessor(size=SMALL).save_pretrained(tmp_path)

    class Inverting:
        @staticmethod
        def from_pretrained(*args: Any, **kwargs: Any) -> Any:
            inner = transformers.AutoImageProcessor.from_pretrained(*args, **kwargs)
            call = inner.preprocess
            inner.preprocess = lambda *a, **k: {"pixel_values": -call(*a, **k)["pixel_values"]}
            return inner

    library = SimpleNamespace(AutoImageProcessor=Inverting)
    with pytest.raises(LabError, match="does more to a picture"):
        read_processor(library, tmp_path, CONFIG)


@pytest.mark.parametrize("bad", [{"image_std": [0, 0, 0]}, {"rescale_factor": 0}, {"image_mean": ["a", "b", "c"]}])
def test_unusable_settings_are_one_sentence(tmp_path: Path, bad: dict[str, Any]) -> None:
    settings = {"feature_extractor_type": "NoSuchFeatureExtractor", "size": 48} | bad
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(LabError, match="expected") as caught:
        read_processor(import_library("transformers"), tmp_path, CONFIG)
    assert "\n" not in str(caught.value)


def test_transformers_gives_what_transformers_gives(tmp_path: Path) -> None:
    network = save_vit(tmp_path)
    processor = import_library("transformers").AutoImageProcessor.from_pretrained(tmp_path)
    image = picture(64, 64)
    loaded = read_network(tmp_path, "classifier")
    with torch.no_grad():
        theirs = network(**processor(image, return_tensors="pt")).logits
        assert torch.allclose(loaded.network(pixels(image)), theirs, atol=1e-4)
    assert (loaded.source, loaded.input_size, loaded.labels) == (
        "transformers",
        (64, 64),
        tuple(f"thing {i}" for i in range(5)),
    )


@pytest.mark.parametrize(
    "changes", [{"do_normalize": False}, {"rescale_factor": 1 / 127.5}, {"size": {"shortest_edge": 64}}, {"size": 64}]
)
def test_processors_of_every_kind(tmp_path: Path, changes: dict[str, Any]) -> None:
    network = save_vit(tmp_path, **changes)
    image = picture(64, 64)
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() * changes.get("rescale_factor", 1 / 255)
    if changes.get("do_normalize", True):
        x = (x - torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1)) / torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(read_network(tmp_path, "classifier").network(pixels(image)), network(x).logits, atol=1e-4)


def test_placeholder_names_are_missing_names(tmp_path: Path) -> None:
    save_vit(tmp_path, classes=5, named=False)
    loaded = read_network(tmp_path, "classifier")
    assert loaded.labels is None


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (edit(architectures=["BertForMaskedLM"]), "it is no image classifier but BertForMaskedLM"),
        (edit(auto_map={"AutoModel": "code.Net"}), "needs code of its own from the Hub"),
        (edit(quantization_config={"bits": 4}), "quantised"),
        (without("model.safetensors"), "no weights"),
        (write("preprocessor_config.json", b"{"), "damaged"),
        (edit(hidden_size=32), "cannot load|do not fit|missing"),
    ],
)
def test_damaged_transformers_repositories_are_told_in_one_sentence(tmp_path: Path, damage: Damage, word: str) -> None:
    save_vit(tmp_path)
    damage(tmp_path)
    with pytest.raises(LabError, match=word) as caught:
        read_network(tmp_path, "classifier")
    assert "\n" not in str(caught.value)


def test_shapes_that_contradict_a_transformers_config_are_named(tmp_path: Path) -> None:
    save_vit(tmp_path)
    edit(hidden_size=32)(tmp_path)
    with pytest.raises(LabError, match=r"is \(.*\) instead of \(.*such places"):
        read_network(tmp_path, "classifier")


def test_a_transformers_config_that_blows_the_network_up_is_refused(tmp_path: Path) -> None:
    save_vit(tmp_path)
    edit(intermediate_size=250_000)(tmp_path)
    with pytest.raises(LabError, match="do not fit each other"):
        read_network(tmp_path, "classifier")


def test_several_labels_at_once_are_told(tmp_path: Path) -> None:
    save_vit(tmp_path)
    edit(problem_type="multi_label_classification")(tmp_path)
    assert any("several labels at once" in note for note in read_network(tmp_path, "classifier").notes)


def test_weights_in_several_files_load_where_the_format_has_them(tmp_path: Path) -> None:
    network = save_vit(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    network.save_pretrained(tmp_path, max_shard_size="20KB")
    shards = sorted(path.name for path in tmp_path.glob("model-*.safetensors"))
    assert len(shards) > 1
    loaded, image = read_network(tmp_path, "classifier"), pixels(picture(64, 64))
    assert loaded.weights == tuple(shards)
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1), torch.tensor([0.5, 0.6, 0.7]).view(1, 3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(loaded.network(image), network((image - mean) / std).logits, atol=1e-4)
    config = json.loads((tmp_path / "config.json").read_text())
    names = [path.name for path in tmp_path.iterdir()]
    assert set(shards) < set(wanted(names, config))
    with pytest.raises(LabError, match=f"{len(shards)} files of weights"):
        wanted(names, {"architecture": "a", "num_classes": 2})


def test_one_colour_is_too_few_for_transformers(tmp_path: Path) -> None:
    save_vit(tmp_path)
    edit(num_channels=1)(tmp_path)
    with pytest.raises(LabError, match="1 colour channels"):
        read_network(tmp_path, "classifier")


SMALL_VIT = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24, "image_size": 64}
SMALL_LEVIT = {"hidden_sizes": [32, 48, 64], "num_attention_heads": [2, 3, 4], "depths": [1] * 3, "key_dim": [16] * 3}
SMALL_PERCEIVER = {
    "num_latents": 4,
    "d_latents": 32,
    "num_blocks": 1,
    "num_self_attends_per_block": 1,
    "num_self_attention_heads": 2,
    "num_cross_attention_heads": 1,
    "image_size": 32,
}


@pytest.mark.lowest
@pytest.mark.parametrize(
    ("kind", "architecture", "settings"),
    [
        ("DeiT", "DeiTForImageClassification", SMALL_VIT),
        ("DeiT", "DeiTForImageClassificationWithTeacher", SMALL_VIT),
        ("Levit", "LevitForImageClassificationWithTeacher", SMALL_LEVIT),
        ("Perceiver", "PerceiverForImageClassificationLearned", SMALL_PERCEIVER),
    ],
)
def test_of_types_with_several_classifiers_the_one_that_the_config_names_is_read(
    tmp_path: Path, kind: str, architecture: str, settings: dict[str, Any]
) -> None:
    transformers = import_library("transformers")
    config = getattr(transformers, f"{kind}Config")(num_labels=7, **settings)
    getattr(transformers, architecture)(config).save_pretrained(tmp_path)
    assert read_network(tmp_path, "classifier").architecture == architecture
