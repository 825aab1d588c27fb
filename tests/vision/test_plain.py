"""The plain pattern, and the course's convnet for digits."""

from __future__ import annotations

import pytest
import torch

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train import recipes
from orthogon.train.build import build_model
from orthogon.vision.plain import plain


def spec(*shape: int, outputs: int = 10) -> ModelSpec:
    return ModelSpec((InputSpec("image", shape),), outputs)


def shapes_of(model, picture):
    """Layer -> shape of what it gives."""
    seen = {}
    for name, module in model.named_modules():
        if not any(module.children()):
            module.register_forward_hook(lambda m, i, out, name=name: seen.__setitem__(name, tuple(out.shape[1:])))
    model(picture)
    return seen


def test_the_convnet_of_the_course_has_its_sizes_and_parameters():
    """34.23, row 17.16: 26×26×4 → 24×24×1 → 12×12×1 → 144 → 128 → 10; 40 + 37 + 18,560 + 1,290."""
    recipe = recipes.read("classic/mnist-convnet")
    model = build_model(spec(1, 28, 28), recipe.model, seed=0)
    seen = shapes_of(model, torch.zeros(1, 1, 28, 28))
    assert [seen[f"blocks.0.{name}"] for name in ("conv1", "conv2", "pool")] == [(4, 26, 26), (1, 24, 24), (1, 12, 12)]
    assert [seen[f"classifier.{name}"] for name in ("flat", "dense1", "output")] == [(144,), (128,), (10,)]
    weights = {name: p.numel() for name, p in model.named_parameters()}
    layers = ["blocks.0.conv1", "blocks.0.conv2", "classifier.dense1", "classifier.output"]
    assert [weights[f"{name}.weight"] + weights[f"{name}.bias"] for name in layers] == [40, 37, 18_560, 1_290]
    assert sum(weights.values()) == 40 + 37 + 18_560 + 1_290
    assert model.classifier.dropout.p == 0.25


def test_the_convnet_of_the_course_is_trained_as_the_course_trains_it():
    train = recipes.read("classic/mnist-convnet").train
    assert (train.optimizer, train.batch_size, train.epochs) == ("adam", 128, 10)


def test_the_pattern_is_convolution_activation_pool_then_dense():
    """Row 17.01."""
    model = plain(spec(3, 32, 32, outputs=7))
    kinds = [type(module).__name__ for module in model.modules() if not any(module.children())]
    assert kinds == ["Conv2d", "ReLU", "MaxPool2d"] * 2 + ["Dropout", "Flatten", "Linear", "ReLU", "Linear"]
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    assert [tuple(each) for each in model.maps] == [("blocks.0", 32, 2), ("blocks.1", 64, 4)]


def test_average_pooling_and_other_activations():
    model = plain(spec(1, 8, 8), blocks=[[4]], pool="average", activation="tanh", dense=[])
    kinds = [type(module).__name__ for module in model.modules() if not any(module.children())]
    assert kinds == ["Conv2d", "Tanh", "AvgPool2d", "Dropout", "Flatten", "Linear"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blocks": []}, "a list of lists of filters"),
        ({"blocks": [[4], []]}, "a list of lists of filters"),
        ({"blocks": [[4]] * 5}, "nothing is left of pictures of 8×8 after 5 blocks"),
        ({"side": 4}, "have no middle"),
        ({"padding": "full"}, "same or valid"),
        ({"pool": "sum"}, "max or average"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(RecipeError, match=words):
        plain(spec(1, 8, 8), **options)
