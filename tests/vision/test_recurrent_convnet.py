"""Recurrent convolutional networks (row 24.28): steps of time with one convolution, each with its own statistics."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.recurrent_convnet import RecurrentConvolution, recurrent_convnet


def spec(side: int, channels: int = 1) -> ModelSpec:
    return ModelSpec((InputSpec("image", (channels, side, side)),), 10)


@pytest.mark.parametrize("norms", ["step", "shared"])
def test_it_is_its_steps_written_out(norms):
    torch.manual_seed(0)
    layer, x = RecurrentConvolution(3, 4, norms).double(), torch.randn(5, 3, 6, 6).double()
    weights = [1.0 + t for t in range(len(layer.norms))]
    for norm, weight in zip(layer.norms, weights):
        nn.init.constant_(norm.weight, weight)

    def normalized(z, t):
        mean, variance = z.mean((0, 2, 3), keepdim=True), z.var((0, 2, 3), keepdim=True, unbiased=False)
        return weights[t if norms == "step" else 0] * (z - mean) / (variance + 1e-5).sqrt()

    h = normalized(x, 0).relu()
    for t in range(1, 4):
        h = normalized(x + F.conv2d(h, layer.recurrent.weight, padding=1), t).relu()
    torch.testing.assert_close(layer(x), h)
    torch.autograd.gradcheck(layer, (x[:2, :, :3, :3].clone().requires_grad_(),))


def test_without_norms_it_is_a_residual_network_with_shared_weights():
    """In evaluation a new norm is the identity: h grows by what the same layer adds to x, step after step."""
    torch.manual_seed(0)
    layer, x = RecurrentConvolution(2, 3).eval(), torch.randn(1, 2, 5, 5)
    for norm in layer.norms:
        norm.eps = 0.0
    add = lambda h: F.conv2d(h, layer.recurrent.weight, padding=1)  # noqa: E731
    torch.testing.assert_close(layer(x), (x + add((x + add(x.relu())).relu())).relu())


def test_statistics_are_those_of_each_step():
    torch.manual_seed(0)
    layer = RecurrentConvolution(4, 3)
    for _ in range(60):
        layer(torch.randn(16, 4, 8, 8))
    first, second, _ = (norm.running_var for norm in layer.norms)
    torch.testing.assert_close(first, torch.ones(4), rtol=0.1, atol=0)
    assert (second > 1.2 * first).all()  # x and what comes back add up


def test_steps_add_no_weights_but_those_of_norms():
    few, many, shared = (sum(each.numel() for each in recurrent_convnet(spec(28), 8, steps, norms).parameters())
                         for steps, norms in ((2, "step"), (6, "step"), (6, "shared")))
    assert many - few == 4 * 2 * (8 + 16 + 32)
    assert few - shared == 2 * (8 + 16 + 32)


@pytest.mark.parametrize(("side", "maps"), [(8, [(32, 1)]), (28, [(32, 1), (64, 2), (128, 4)])])
def test_maps_are_halved_while_twelve_pixels_are_left(side, maps):
    net = recurrent_convnet(spec(side))
    assert [(each.channels, each.stride) for each in net.maps] == maps
    assert net(torch.randn(2, 1, side, side)).shape == (2, 10)


def test_wrong_options_and_small_pictures_are_refused():
    for wrong in ({"width": 0}, {"steps": 1}):
        with pytest.raises(RecipeError, match="at least"):
            recurrent_convnet(spec(28), **wrong)
    with pytest.raises(RecipeError, match="step or shared"):
        recurrent_convnet(spec(28), norms="layer")
    with pytest.raises(RecipeError, match="at least 4×4"):
        recurrent_convnet(spec(3))
