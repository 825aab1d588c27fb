"""Autoencoders: sizes, symmetry, the trunk that they share with a classifier, and the draws of variational ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.autoencoder import Rebuilt, autoencoder, conv_autoencoder, conv_vae, vae
from orthogon.nn.fused import fused
from orthogon.nn.gaussian import Gaussian
from orthogon.nn.heads import features_and_outputs
from orthogon.nn.spec import InputSpec, ModelSpec

ALL = (autoencoder, vae, conv_autoencoder, conv_vae)


def picture(*shape: int, rebuilds: bool = True, outputs: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", shape),), outputs, rebuilds)


def sizes(model: nn.Module) -> list[tuple[int, int]]:
    return [(each.in_features, each.out_features) for each in model.modules() if isinstance(each, nn.Linear)]


def count(model: nn.Module) -> list[int]:
    return [sum(own.numel() for own in each.parameters()) for each in model.modules() if isinstance(each, nn.Linear)]


def test_the_stacked_autoencoder_of_the_course_has_its_sizes_and_parameters():
    """Rows 23.02, 34.24: 784-100-30-100-784; 78,500 + 3,030 + 3,100 + 79,184 parameters."""
    model = autoencoder(picture(1, 28, 28), hidden=(100,), code=30, activation="selu", code_activation="selu")
    assert sizes(model) == [(784, 100), (100, 30), (30, 100), (100, 784)]
    assert count(model) == [78_500, 3_030, 3_100, 79_184]
    assert sum(isinstance(each, nn.SELU) for each in model.modules()) == 3


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 11, 14), (1, 32, 17)])
def test_what_is_rebuilt_has_the_shape_of_the_picture_and_comes_from_the_code(make: Callable, shape):
    model = make(picture(*shape), code=5).eval()
    pictures = torch.rand(3, *shape)
    rebuilt = model(pictures)
    assert isinstance(rebuilt, Rebuilt)
    assert rebuilt.output.shape == pictures.shape
    assert rebuilt.code.shape == (3, 5)
    torch.testing.assert_close(model.head(rebuilt.code), rebuilt.output)
    torch.testing.assert_close(model.encoder(pictures), rebuilt.code)


@pytest.mark.parametrize("make", ALL)
def test_the_encoder_of_a_classifier_has_the_tensors_of_that_of_an_autoencoder(make: Callable):
    """Row 23.01: the decoder is dropped, the encoder used for classification."""
    torch.manual_seed(0)
    rebuilding = make(picture(1, 12, 12), code=6)
    classifier = make(picture(1, 12, 12, rebuilds=False, outputs=10), code=6)
    trunk = {name: value for name, value in rebuilding.state_dict().items() if name.startswith("encoder.")}
    found = classifier.load_state_dict(trunk, strict=False)
    assert not found.unexpected_keys
    assert found.missing_keys == ["head.weight", "head.bias"]
    features, outputs = features_and_outputs(classifier, [torch.rand(2, 1, 12, 12)])
    assert outputs.shape == (2, 10)
    assert features.shape == (2, 6)
    torch.testing.assert_close(outputs, classifier.head(features))


def test_tables_are_rebuilt_and_classified_by_fully_connected_ones():
    numbers = InputSpec("number", (7,))
    assert autoencoder(ModelSpec((numbers,), 7, rebuilds=True))(torch.randn(4, 7)).output.shape == (4, 7)
    beside = ModelSpec((numbers, InputSpec("category", (1,), (3,))), 2)
    assert vae(beside)(torch.randn(4, 7), torch.zeros(4, 1, dtype=torch.int64)).shape == (4, 2)


def test_an_autoencoder_without_layers_between_is_linear():
    model = autoencoder(picture(1, 4, 4), hidden=(), code=3)
    x, y = torch.rand(2, 5, 1, 4, 4)
    together = model(x + y).output + model(torch.zeros_like(x)).output
    torch.testing.assert_close(together, model(x).output + model(y).output)


@pytest.mark.parametrize("make", [vae, conv_vae])
def test_codes_are_drawn_in_training_and_are_the_mean_in_evaluation(make: Callable):
    model, pictures = make(picture(1, 8, 8), code=4), torch.rand(6, 1, 8, 8)
    for each in model.modules():  # so that only the draw differs
        if isinstance(each, nn.BatchNorm2d):
            each.momentum = 0.0
    with torch.no_grad():
        torch.manual_seed(3)
        one = model(pictures)
        torch.manual_seed(3)
        noise = torch.randn(6, 4)
        same = model(pictures, noise)
        other = model(pictures)
        torch.testing.assert_close(one.output, same.output)
        assert not torch.allclose(one.output, other.output)
        torch.testing.assert_close(one.code, other.code)
        model.eval()
        calm = model(pictures)
        torch.testing.assert_close(calm.output, model.head(calm.code))
        point = Gaussian(calm.code, calm.log_variance).at(noise)
        torch.testing.assert_close(model(pictures, noise).output, model.head(point))


@pytest.mark.parametrize("make", [vae, conv_vae])
def test_the_spread_of_the_code_depends_on_the_picture_and_begins_about_one(make: Callable):
    torch.manual_seed(0)
    spread = make(picture(1, 28, 28)).eval()(torch.rand(8, 1, 28, 28)).log_variance
    assert spread.shape == (8, 20)
    assert spread.std(0).min() > 0
    assert abs(spread.mean()) < 0.3
    assert 0.1 < spread.std() < 1.5


@pytest.mark.parametrize("make", [conv_autoencoder, conv_vae])
def test_a_network_for_prediction_gives_the_same(make: Callable):
    """Batch norms are folded by torch.fx, which must not follow the draw."""
    torch.manual_seed(0)
    model, pictures = make(picture(1, 12, 12), code=4), torch.rand(3, 1, 12, 12)
    for _ in range(3):
        model(pictures)
    model.eval()
    folded = fused(model)
    assert not [each for each in folded.encoder.modules() if isinstance(each, nn.BatchNorm2d)]
    for arguments in ((pictures,), (pictures, torch.randn(3, 4)) if make is conv_vae else (pictures,)):
        wanted, found = model(*arguments), folded(*arguments)
        torch.testing.assert_close(found.output, wanted.output)
        torch.testing.assert_close(found.code, wanted.code)


def test_convolutions_halve_the_picture_while_a_side_has_eight_pixels():
    def channels(model: nn.Module) -> list[int]:
        return [each.out_channels for each in model.modules() if isinstance(each, nn.Conv2d | nn.ConvTranspose2d)]

    assert channels(conv_autoencoder(picture(1, 8, 8))) == [32, 1]
    assert channels(conv_autoencoder(picture(1, 28, 28))) == [32, 64, 32, 1]
    assert channels(conv_autoencoder(picture(3, 32, 32), width=8)) == [8, 16, 32, 16, 8, 3]
    assert channels(conv_autoencoder(picture(3, 64, 64), width=100)) == [100, 200, 256, 256, 256, 200, 100, 3]
    assert channels(conv_autoencoder(picture(1, 28, 28), stages=1)) == [32, 1]
    assert channels(conv_autoencoder(picture(1, 5, 5))) == [32, 1]


@pytest.mark.parametrize("make", ALL)
def test_defaults_are_those_of_the_registry(make: Callable):
    from orthogon.registry import models

    given = make.__kwdefaults__ or {}
    names = make.__code__.co_varnames[1 : make.__code__.co_argcount]
    defaults = dict(zip(names, make.__defaults__)) | given
    assert {option.name: option.default for option in models.entry(make.__name__).options} == defaults


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("code", [0, -1, 2.5])
def test_a_latent_of_size_zero_is_refused(make: Callable, code):
    with pytest.raises(RecipeError, match=r"the code has .* numbers: nothing could be rebuilt") as caught:
        make(picture(1, 8, 8), code=code)
    assert caught.value.where == "model.options.code"


def test_layers_and_stages_that_cannot_be_are_refused():
    with pytest.raises(RecipeError, match="sizes of at least 1"):
        autoencoder(picture(1, 8, 8), hidden=(64, 0))
    with pytest.raises(RecipeError, match="4 halvings of a picture of 8×9"):
        conv_vae(picture(1, 8, 9), stages=4)
    with pytest.raises(RecipeError, match="takes one picture; there are number"):
        conv_autoencoder(ModelSpec((InputSpec("number", (4,)),), 4, rebuilds=True))


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
def test_signals_keep_their_size_on_the_way_up(activation: str):
    """Transposed convolutions are drawn by the number of values that each pixel is a sum of."""
    torch.manual_seed(0)
    model = conv_autoencoder(picture(1, 32, 32), width=64, activation=activation)
    grown = [each for each in model.head if isinstance(each, nn.ConvTranspose2d)]
    from orthogon.nn.activations import gain

    for layer in grown[:-1]:
        assert layer.bias is None
        assert layer.weight.std().item() == pytest.approx(gain(activation) / (layer.in_channels * 4) ** 0.5, rel=0.03)
    last = grown[-1]
    assert last.weight.std().item() == pytest.approx(0.1 / (last.in_channels * 4) ** 0.5, rel=0.1)
    assert not last.bias.any()
