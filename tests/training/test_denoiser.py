"""Training denoisers, for their own sake and for a classifier."""

from __future__ import annotations

import copy
import re
from dataclasses import fields, replace

import pytest
import torch

from core.data.datasets import LabelledImages, Photographs
from core.data.shapes import SHAPES_LABELS, make_shapes
from core.errors import LabError
from core.models.networks import ConvClassifier, UNetDenoiser
from core.training.denoiser import DenoiserTraining, Teachers, train_denoiser
from core.training.epochs import Trainer
from core.training.objectives import StabTerms, answer_with_features, feature_distance
from core.training.recipe import Recipe
from core.training.validation import measure_denoiser

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=3, batch_size=49, learning_rate=3e-3, ema=0.9)
SMALL = {"widths": [8, 12]}


@pytest.fixture(scope="module")
def shapes() -> LabelledImages:
    images, labels = make_shapes(200, seed=12)
    return LabelledImages(images, labels, torch.arange(200), SHAPES_LABELS)


@pytest.fixture
def classifier() -> ConvClassifier:
    torch.manual_seed(4)
    return ConvClassifier(10, (8,)).eval()


def train(data, recipe, *, classifier=None, surrogates=(), start=None, made_for=None, **options):
    """Train with options of any of the dataclasses."""
    parts = [
        {field.name: options.pop(field.name) for field in fields(kind) if field.name in options}
        for kind in (StabTerms, DenoiserTraining, Trainer)
    ]
    assert not options
    training = DenoiserTraining(stab=StabTerms(**parts[0]), **parts[1])
    trainer = Trainer(**{"device": CPU} | parts[2])
    teachers = Teachers(classifier, surrogates)
    return train_denoiser(
        data=data, recipe=recipe, training=training, trainer=trainer, teachers=teachers, start=start, made_for=made_for
    )


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_mse_learns_to_denoise(shapes):
    network, config, history = train(
        shapes, Recipe(epochs=8, batch_size=28, learning_rate=4e-3, ema=0.9), options=SMALL, sigma_range=(0.2, 0.3)
    )
    assert history[-1]["loss"] < 0.8 * history[0]["loss"]
    assert set(history[0]) == {"epoch", "loss", "psnr_0.25"}
    # Against the picture before denoising: 10 log10(1 / 0.0625) = 12 dB, less what clipping gains.
    assert measure_denoiser(network, None, shapes, sigmas=[0.25], device=CPU)["psnr_0.25"] > 17
    assert (config.kind, config.sigma_range, config.options, config.input_size) == ("denoiser", (0.2, 0.3), SMALL, (32, 32))


def test_stab_needs_a_classifier(shapes):
    with pytest.raises(LabError, match="The objective stab needs a classifier to train through: name one with --classifier"):
        train(shapes, RECIPE, objective="stab", options=SMALL)


def test_stab_goes_on_from_a_denoiser_and_leaves_the_classifier_as_it_was(shapes, classifier):
    before = copy.deepcopy(classifier)
    start = train(shapes, RECIPE, options=SMALL, sigma_range=(0.25, 0.25))[:2]
    as_started = copy.deepcopy(start[0])
    network, config, history = train(
        shapes, RECIPE, objective="stab", classifier=classifier, start=start, sigma_range=(0.1, 0.5)
    )
    assert same(classifier, before)
    assert not same(network, as_started)
    assert config.options == SMALL
    assert config.sigma_range == (0.1, 0.5)
    assert history[-1]["loss"] < history[0]["loss"]
    assert set(history[0]) == {"epoch", "loss"} | {
        f"{what}_{s:g}" for what in ("psnr", "one_shot_accuracy") for s in (0.12, 0.25, 0.5)
    }


NORMED = SMALL | {"norm": True, "blocks": [1, 2]}


def test_a_helper_is_gone_after_training_and_a_resumed_run_has_it_again(shapes, classifier, tmp_path):
    def run(**options):
        return train(
            shapes, RECIPE, objective="stab", classifier=classifier, options=NORMED, helper=0.5, closeness=0.1, **options
        )

    network, config, history = run()
    assert isinstance(network, UNetDenoiser)
    assert not any(name.startswith("helper") for name in network.state_dict())
    assert network(torch.rand(2, 3, 32, 32), 0.25).shape == (2, 3, 32, 32)
    assert config.options == NORMED
    assert history[-1]["loss"] < history[0]["loss"]
    asked = iter(range(100))
    run(checkpoint=tmp_path / "c.pt", should_stop=lambda: next(asked) == 5)
    again, _, _ = run(checkpoint=tmp_path / "c.pt", resume=True)
    assert same(again, network)
    with pytest.raises(LabError, match=re.escape("helper (0.5, now 0)")):
        train(
            shapes,
            RECIPE,
            objective="stab",
            classifier=classifier,
            options=NORMED,
            closeness=0.1,
            checkpoint=tmp_path / "c.pt",
            resume=True,
        )


def test_an_encoder_learns_the_answers_and_stab_goes_on_from_it(shapes, classifier):
    recipe = Recipe(epochs=6, batch_size=28, learning_rate=4e-3, ema=0.9)
    before = copy.deepcopy(classifier)
    encoder, config, history = train(shapes, recipe, objective="encoder", classifier=classifier, options=NORMED)
    assert same(classifier, before)
    assert set(history[0]) == {"epoch", "loss"} | {f"helper_accuracy_{s:g}" for s in (0.12, 0.25, 0.5, 1.0)}
    assert history[-1]["loss"] < 0.9 * history[0]["loss"]
    torch.manual_seed(recipe.seed)
    untrained = UNetDenoiser(**NORMED).state_dict()
    second_half = ("grow", "up", "tail")
    for name, value in encoder.state_dict().items():
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            continue
        assert torch.equal(value, untrained[name]) == name.startswith(second_half) or "norm" in name, name
    network, _, told = train(shapes, RECIPE, objective="stab", classifier=classifier, start=(encoder, config), helper=0.5)
    assert told[-1]["loss"] < told[0]["loss"]
    assert all(not torch.equal(value, untrained[name]) for name, value in network.state_dict().items() if name == "tail.weight")


def test_what_an_encoder_cannot_do_is_told(shapes, classifier):
    with pytest.raises(LabError, match=r"The objective encoder learns a classifier's answers: name one with --classifier"):
        train(shapes, RECIPE, objective="encoder", options=SMALL)
    with pytest.raises(LabError, match=r"encoder trains through no classifier\. Leave them out, or choose stab"):
        train(shapes, RECIPE, objective="encoder", classifier=classifier, surrogates=[classifier], options=SMALL)
    with pytest.raises(LabError, match="A helper is for the architecture unet"):
        train(
            shapes, RECIPE, objective="encoder", classifier=classifier, architecture="dncnn", options={"depth": 3, "width": 4}
        )


def test_closeness_keeps_the_picture(shapes, classifier):
    def psnr(closeness: float) -> float:
        recipe = Recipe(epochs=6, batch_size=28, learning_rate=4e-3, ema=0.9)
        network, _, _ = train(
            shapes,
            recipe,
            objective="stab",
            classifier=classifier,
            options=SMALL,
            sigma_range=(0.25, 0.25),
            closeness=closeness,
        )
        return measure_denoiser(network, None, shapes, sigmas=[0.25], device=CPU)["psnr_0.25"]

    assert psnr(10.0) > psnr(0.0) + 3


def test_consistency_makes_the_answers_to_noise_draws_more_alike_and_is_resumed(shapes, classifier, tmp_path):
    def run(consistency: float, **options):
        return train(
            shapes,
            Recipe(epochs=4, batch_size=28, learning_rate=4e-3, ema=0.9),
            objective="stab",
            classifier=classifier,
            options=SMALL,
            sigma_range=(0.5, 0.5),
            consistency=consistency,
            draws=2,
            **options,
        )[0]

    def apart(network: torch.nn.Module) -> float:
        clean = (shapes.images.float() / 255).repeat(8, 1, 1, 1)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(6))
        with torch.inference_mode():
            probabilities = classifier(network(clean + 0.5 * noise, 0.5)).softmax(1).unflatten(0, (8, -1))
        return float((probabilities - probabilities.mean(0)).abs().mean())

    consistent = run(20.0)
    assert apart(consistent) < 0.8 * apart(run(0.0))
    asked = iter(range(100))
    run(20.0, checkpoint=tmp_path / "c.pt", should_stop=lambda: next(asked) == 9)
    assert same(run(20.0, checkpoint=tmp_path / "c.pt", resume=True), consistent)
    with pytest.raises(LabError, match=re.escape("consistency (20, now 10)")):
        run(10.0, checkpoint=tmp_path / "c.pt", resume=True)


def test_what_surrogates_see_carries_over_to_a_classifier_that_was_never_looked_into(shapes, classifier):
    """A surrogate of other widths and weights; what the target sees comes nearer to what it sees in the clean picture."""
    torch.manual_seed(5)
    surrogate = ConvClassifier(num_classes=10, widths=(12, 20, 28))

    def apart(features: float) -> float:
        recipe = Recipe(epochs=6, batch_size=28, learning_rate=4e-3, ema=0.9)
        network, _, _ = train(
            shapes, recipe, objective="stab", surrogates=[surrogate], options=SMALL, sigma_range=(0.25, 0.25), features=features
        )
        clean = shapes.images.float() / 255
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(6))
        with torch.inference_mode():
            _, seen = answer_with_features(classifier, network(clean + 0.25 * noise, 0.25))
            return float(feature_distance(seen, answer_with_features(classifier, clean)[1]))

    assert apart(20.0) < 0.8 * apart(0.0)


def test_what_a_helper_cannot_help_is_told(shapes, classifier):
    for weights in ({"helper": 0.5}, {"closeness": 1.0}, {"features": 1.0}, {"consistency": 1.0, "draws": 2}):
        with pytest.raises(LabError, match="A helper, closeness, features and consistency are for the objective stab"):
            train(shapes, RECIPE, classifier=classifier, options=SMALL, **weights)
    with pytest.raises(LabError, match="A helper is for the architecture unet"):
        train(
            shapes,
            RECIPE,
            objective="stab",
            classifier=classifier,
            architecture="dncnn",
            options={"depth": 3, "width": 4},
            helper=0.5,
        )


def test_labels_are_not_used(shapes, classifier):
    scrambled = LabelledImages(shapes.images, shapes.labels.flip(0), shapes.indices, SHAPES_LABELS)
    recipe = Recipe(epochs=1, batch_size=49)
    networks = [train(data, recipe, objective="stab", classifier=classifier, options=SMALL)[0] for data in (shapes, scrambled)]
    assert same(*networks)


def test_crops_of_photographs_are_drawn_again_by_a_resumed_run(tmp_path):
    pictures = tuple(torch.rand(3, 20 + n % 3, 30, generator=torch.Generator().manual_seed(n)) * 255 for n in range(100))
    photographs = Photographs(tuple(picture.byte() for picture in pictures), side=16, crops=2)

    def run(data=photographs, **options):
        return train(data, RECIPE, options=SMALL | {"fold": 4}, sigma_range=(0.04, 1.0), sigma_power=0, **options)

    unbroken, config, history = run()
    assert config.input_size == (16, 16)
    asked = iter(range(1_000))
    run(checkpoint=tmp_path / "c.pt", should_stop=lambda: next(asked) == 5)
    resumed, _, whole = run(checkpoint=tmp_path / "c.pt", resume=True)
    assert same(unbroken, resumed)
    assert whole == history
    with pytest.raises(LabError, match=r"another crops of each picture \(2 of 16 pixels, turned, now 1 of 16 pixels, turned\)"):
        run(replace(photographs, crops=1), checkpoint=tmp_path / "c.pt", resume=True)


def test_a_resumed_denoiser_is_the_unbroken_one(shapes, classifier, tmp_path):
    def run(**options):
        return train(shapes, RECIPE, objective="stab", classifier=classifier, options=SMALL, sigma_range=(0.1, 0.5), **options)

    unbroken, _, history = run()
    asked = iter(range(1_000))
    run(checkpoint=tmp_path / "c.pt", should_stop=lambda: next(asked) == 5)
    resumed, _, whole = run(checkpoint=tmp_path / "c.pt", resume=True)
    assert same(unbroken, resumed)
    assert whole == history


def test_a_checkpoint_is_not_resumed_for_anything_but_what_it_was_made_for(shapes, classifier, tmp_path):
    other = ConvClassifier(10, (8,)).eval()
    fewer = LabelledImages(shapes.images[:150], shapes.labels[:150], shapes.indices[:150], SHAPES_LABELS)

    def run(data=shapes, **changed):
        made_for = {"classifier": classifier, "options": SMALL, "sigma_range": (0.1, 0.5), "resume": True} | changed
        return train(data, Recipe(epochs=1, batch_size=49), checkpoint=tmp_path / "c.pt", **made_for)

    run()
    run()
    for changed, name in (
        ({"objective": "stab"}, "objective (mse, now stab)"),
        ({"classifier": None}, "classifier ("),
        ({"classifier": other}, "classifier ("),
        ({"start": run()[:2]}, "start (False, now True)"),
        ({"start": run()[:2], "made_for": {"start": "local/a"}}, "start (False, now local/a)"),
        ({"architecture": "dncnn", "options": {}}, "architecture (unet, now dncnn), options ("),
        ({"options": {"widths": [8, 16]}}, "options ("),
        ({"sigma_range": (0.1, 0.6)}, "greatest sigma (0.5, now 0.6)"),
        ({"sigma_range": (0.2, 0.5)}, "least sigma (0.1, now 0.2)"),
        ({"sigma_power": 2.0}, "sigma power (1.5, now 2)"),
        ({"mirror": False}, "mirror (True, now False)"),
        ({"shift": 1}, "crop (2, now 1)"),
        ({"objective": "stab", "surrogates": [other]}, "objective (mse, now stab), surrogates (none, now"),
        ({"data": fewer}, "data ("),
    ):
        with pytest.raises(LabError, match="was made with another " + re.escape(name)):
            run(**changed)


class Queried(torch.nn.Module):
    """A target that may be asked for labels and nothing else: it must not be in the way of gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.network = ConvClassifier(10, (4,))
        self.asked = 0

    def forward(self, pixels):
        assert not torch.is_grad_enabled()
        self.asked += 1
        return self.network(pixels)


@pytest.mark.parametrize("combine", ["random", "average"])
def test_black_box_training_goes_through_the_surrogates_alone(shapes, classifier, combine):
    torch.manual_seed(8)
    target, other = Queried().eval(), ConvClassifier(10, (4,)).eval()
    network, _, history = train(
        shapes,
        RECIPE,
        objective="stab",
        classifier=target,
        surrogates=[classifier, other],
        combine=combine,
        options=SMALL,
        sigma_range=(0.25, 0.25),
    )
    assert target.asked == 3  # once an epoch, for the held-out pictures
    assert history[-1]["loss"] < history[0]["loss"]
    assert "one_shot_accuracy_0.25" in history[0]
    alone = train(shapes, RECIPE, objective="stab", classifier=classifier, options=SMALL, sigma_range=(0.25, 0.25))[0]
    assert not same(network, alone)


def test_one_surrogate_trains_as_the_classifier_would(shapes, classifier):
    options = {"objective": "stab", "options": SMALL, "sigma_range": (0.25, 0.25)}
    recipe = Recipe(epochs=1, batch_size=49)
    white = train(shapes, recipe, classifier=classifier, **options)[0]
    black = train(shapes, recipe, surrogates=[classifier], **options)[0]
    assert same(white, black)


def test_surrogates_are_for_stab(shapes, classifier):
    with pytest.raises(LabError, match="Surrogates are for the objective stab"):
        train(shapes, RECIPE, surrogates=[classifier], options=SMALL)


TINY_DIFFUSION = {"widths": [8, 8], "layers": 1, "attention": []}


def test_a_diffusion_model_learns_to_predict_the_noise(shapes):
    recipe = Recipe(epochs=4, batch_size=28, learning_rate=4e-3, ema=0.9)
    network, config, history = train(
        shapes, recipe, architecture="unet2d", options=TINY_DIFFUSION, sigma_range=(0.0, float("inf"))
    )
    assert history[-1]["loss"] < 0.8 * history[0]["loss"] < 1.2  # silence scores 1
    assert config.sigma_range == (0.0, pytest.approx(float(network.strength[-1])))
    assert config.sigma_range[1] > 70
    assert set(history[0]) == {"epoch", "loss"} | {f"psnr_{s:g}" for s in (0.12, 0.25, 0.5, 1.0)}


def test_a_diffusion_model_of_a_range_has_that_range(shapes):
    recipe = Recipe(epochs=1, batch_size=98)
    _, config, _ = train(shapes, recipe, architecture="unet2d", options=TINY_DIFFUSION, sigma_range=(0.1, 0.5))
    low, high = config.sigma_range
    assert 0.1 <= low < 0.105
    assert 0.49 < high <= 0.5
    with pytest.raises(LabError, match="A unet has no greatest sigma of its own"):
        train(shapes, recipe, options=SMALL, sigma_range=(0.0, float("inf")))


@pytest.mark.parametrize("sigmas", [(0.5, 0.25), (-0.1, 0.5), (0.0, 0.0), (float("nan"), 0.5), (0.1, float("nan"))])
def test_unusable_sigma_ranges_are_told(shapes, sigmas):
    with pytest.raises(LabError, match=r"The sigma range .* is not usable"):
        train(shapes, RECIPE, options=SMALL, sigma_range=sigmas)


def test_unknown_objectives_are_told(shapes):
    with pytest.raises(LabError, match="Unknown objective 'l1': choose mse, stab or encoder"):
        train(shapes, RECIPE, objective="l1", options=SMALL)
