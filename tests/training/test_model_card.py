"""README.md of a trained model."""

from __future__ import annotations

import yaml
from huggingface_hub import ModelCard

from core.models.storage import ModelConfig
from core.training.model_card import figures, readme, write_readme

CARD = {
    "test": {"psnr_0.25": 21.53, "one_shot_accuracy_0.25": 0.6123},
    "test_images": 4989,
    "objective": "stab",
    "data": "parquet/cifar10/plain_text, split train, 49,918 pictures",
    "classifier": "bundled/cifar10",
    "trained_through": ["local/a|b", "hub/x/y"],
    "start": None,
    "recipe": {"epochs": 20, "seed": 1},
    "parameters": 2260940,
    "history": [{"epoch": 1}, {"epoch": 2}],
    "device": "CPU, 2 threads",
    "minutes": 3.5,
    "command": "python -m core train-denoiser --out 'runs/mine'",
}
CONFIG = ModelConfig("denoiser", "unet", {}, (32, 48), None, (0.0, 1.0))


def test_the_head_is_what_the_hub_reads():
    text = readme(CONFIG, CARD, "someone/mine", "hub/someone/mine")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["library_name"] == "denoised-smoothing-lab"
    assert head["pipeline_tag"] == "image-to-image"
    parsed = ModelCard(text).data
    assert {(r.metric_type, r.metric_value) for r in parsed.eval_results} == {("psnr", 21.53), ("one_shot_accuracy", 0.6123)}
    assert {r.dataset_name for r in parsed.eval_results} == {"parquet/cifar10/plain_text"}


def test_the_text_says_what_it_is_worth_and_how_it_was_made():
    text = readme(CONFIG, CARD, "someone/mine", "hub/someone/mine")
    assert "| PSNR, dB | 0.25 | 21.53 |" in text
    assert "| accuracy of the classifier after one draw of noise | 0.25 | 0.6123 |" in text
    assert "| trained through | local/a\\|b, hub/x/y |" in text
    assert "| architecture | unet, 2,260,940 parameters |" in text
    assert "| sigma, in [0, 1] pixel units | 0 to 1 |" in text
    assert "| pictures | 48 x 32 pixels |" in text
    assert "| epochs finished | 2 |" in text
    assert "started from" not in text
    assert CARD["command"] in text
    assert 'denoiser = load_denoiser("hub/someone/mine")' in text


def test_a_classifier_trained_with_noise(tmp_path):
    card = {
        "test_accuracy": 0.8,
        "test_accuracy_0.5": 0.4,
        "test_images": 9,
        "noise_sigma": 0.5,
        "trouble": "The loss became nan",
    }
    config = ModelConfig("classifier", "conv", {}, (32, 32), ("cat", "dog"))
    assert figures(card) == [("test_accuracy", "", 0.8), ("test_accuracy", "0.5", 0.4)]
    write_readme(tmp_path, config, card)
    text = (tmp_path / "README.md").read_text()
    assert "| accuracy | none | 0.8 |" in text
    assert "| accuracy | 0.5 | 0.4 |" in text
    assert "| classes | cat, dog |" in text
    assert "| ended | The loss became nan |" in text
    assert 'load_classifier("local/PATH")' in text
