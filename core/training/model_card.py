"""README.md of a trained model: what it is, what it is worth, how it was made and how it is used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.models.storage import ModelConfig
from core.training.objectives import STAB_WEIGHTS
from core.versions import LAB_VERSION

README = "README.md"
LIBRARY = "denoised-smoothing-lab"

_NAMES = {
    "psnr": "PSNR, dB",
    "one_shot_accuracy": "accuracy of the classifier after one draw of noise",
    "test_accuracy": "accuracy",
    "helper_accuracy": "accuracy of the coarsest features' answer after one draw of noise",
    "agreement": "share of which the classifier says what it says without noise",
}


def write_readme(folder: Path, config: ModelConfig, card: Mapping[str, Any], name: str | None = None) -> None:
    """Write README.md beside a saved model.

    Args:
        folder: the model's.
        config: how it is built.
        card: what training wrote into card.json.
        name: ``OWNER/NAME`` on the Hub, where it is to be there.
    """
    (folder / README).write_text(readme(config, card, name or folder.resolve().name, f"hub/{name}" if name else None))


def readme(config: ModelConfig, card: Mapping[str, Any], title: str, reference: str | None = None) -> str:
    """The text, with a YAML head as the Hub reads it.

    Args:
        config: how the network is built.
        card: what training wrote into card.json.
        title: of the page.
        reference: how the Lab loads it; None for ``local/PATH``.
    """
    rows, where = figures(card), card.get("measured_on", "the test split")
    what = "A classifier" if config.kind == "classifier" else "A denoiser"
    purpose = (
        "to be smoothed: noise is added to the picture and the majority of its answers over many noisy copies is certified."
        if config.kind == "classifier"
        else "to stand before a classifier in denoised smoothing (Salman et al. 2020, arXiv 2003.01908)."
    )
    if card.get("objective") == "encoder":
        what, purpose = "The first half of a denoiser", "to start `--objective stab` from. It does not denoise yet."
    recipe, pictures = card.get("recipe", {}), f", {card['test_images']:,} pictures" if card.get("test_images") else ""
    made = {
        "architecture": f"{config.architecture}, {card.get('parameters', 0):,} parameters",
        "weights": card.get("weights"),
        "objective": card.get("objective"),
        "beside the objective": ", ".join(f"{key} {card[key]:g}" for key in (*STAB_WEIGHTS, "draws") if card.get(key)),
        "data": card.get("data"),
        "trained through": card.get("trained_through"),
        "classifier measured with": card.get("classifier"),
        "started from": card.get("start"),
        "sigma, in [0, 1] pixel units": _span(config.sigma_range) if config.sigma_range and config.kind == "denoiser" else None,
        "noise in training, sigma": card.get("noise_sigma") or None,
        "pictures": f"{config.input_size[1]} x {config.input_size[0]} pixels",
        "classes": None if config.labels is None else ", ".join(config.labels),
        "recipe": ", ".join(f"{key} {value}" for key, value in recipe.items()),
        "epochs finished": len(card["history"]) if "history" in card else None,
        "certified before and after": card.get("certified_told"),
        "ended": card.get("trouble") or ("stopped early" if card.get("stopped_early") else "as planned"),
        "time": f"{card.get('minutes')} min on {card.get('device')}",
    }
    kind = config.kind
    lines = [
        "---",
        _head(config, card, title, rows),
        "---",
        "",
        f"# {title}",
        "",
        f"{what} {purpose}",
        "",
        "## Figures",
        "",
        f"On {where}{pictures}. They are no certificates: those need `evaluate`.",
        "",
        "| figure | sigma | value |",
        "|---|---|---|",
        *(f"| {_NAMES.get(name, name)} | {sigma or 'none'} | {value:g} |" for name, sigma, value in rows),
        "",
        "## How it was made",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {_cell(value)} |" for key, value in made.items() if value not in (None, "")),
        "",
        *(["    " + str(card["command"]), ""] if card.get("command") else []),
        "## How it is used",
        "",
        "    from core import load_classifier, load_denoiser",
        f'    {kind} = load_{kind}("{reference or "local/PATH"}")',
        "",
        f"Made with the Denoised Smoothing Lab {LAB_VERSION}: pixels and sigma are in [0, 1], and normalisation is inside.",
        "",
    ]
    return "\n".join(lines)


def figures(card: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(figure, sigma or "", value) of what was measured on the test split."""
    measured = dict(card.get("test") or {})
    measured |= {name: value for name, value in card.items() if name.startswith("test_accuracy")}
    rows = []
    for name, value in measured.items():
        known = next((one for one in _NAMES if name == one or name.startswith(f"{one}_")), name)
        rows.append((known, name[len(known) + 1 :], float(value)))
    return rows


def _head(config: ModelConfig, card: Mapping[str, Any], title: str, rows: list[tuple[str, str, float]]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    task = "image-classification" if config.kind == "classifier" else "image-to-image"
    data = str(card.get("data", "")).partition(",")[0] or "unknown"
    results = [
        EvalResult(
            task_type=task,
            dataset_type=data,
            dataset_name=data,
            dataset_split="test",
            metric_type=name,
            metric_name=f"{_NAMES.get(name, name)}{f' at sigma {sigma}' if sigma else ''}",
            metric_value=value,
        )
        for name, sigma, value in rows
    ]
    data_card = ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=task,
        tags=[LIBRARY, "randomized-smoothing", "certified-robustness"],
        model_name=title.rpartition("/")[2],
        eval_results=results or None,
    )
    return str(data_card.to_yaml()).strip()


def _span(span: tuple[float, float]) -> str:
    low, high = span
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _cell(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
