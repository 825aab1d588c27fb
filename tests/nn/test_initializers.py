"""Initial weights: their variance by the formulas, and what becomes of a signal through fifty layers."""

import math

import pytest
import torch
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.activations import ACTIVATIONS, gain
from orthogon.nn.initializers import PAIRS, SCHEMES, initialize, initialize_output, random_image
from orthogon.nn.scale import signal_scale

N_IN, N_OUT = 400, 200


def drawn(scheme: str | None, followed_by: str = "identity", layer: nn.Module | None = None) -> torch.Tensor:
    torch.manual_seed(0)
    layer = layer or nn.Linear(N_IN, N_OUT)
    nn.init.ones_(layer.bias)
    initialize(layer, followed_by, scheme)
    assert (layer.bias == 0).all()
    return layer.weight.detach()


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [("small_random", 0.01**2), ("lecun_normal", 1 / N_IN), ("lecun_uniform", 1 / N_IN),
     ("glorot_normal", 2 / (N_IN + N_OUT)), ("glorot_uniform", 2 / (N_IN + N_OUT)), ("he_normal", 2 / N_IN),
     ("he_uniform", 2 / N_IN)],
)
def test_e8_the_formulas_are_variances_and_their_roots_are_standard_deviations(scheme, variance):
    weight = drawn(scheme, followed_by="tanh")  # the activation does not change a named scheme
    assert weight.var() == pytest.approx(variance, rel=0.02)
    assert abs(weight.mean()) < 4 * math.sqrt(variance / weight.numel())
    farthest = weight.abs().max() / math.sqrt(variance)
    if scheme.endswith("uniform"):
        assert math.sqrt(3) * 0.99 < farthest <= math.sqrt(3)
    else:
        assert farthest > 3


@pytest.mark.parametrize("name", ["identity", "relu", "elu", "gelu", "tanh"])
def test_gain_normal_has_the_gain_of_the_activation(name):
    assert drawn("gain_normal", name).std() == pytest.approx(gain(name) / math.sqrt(N_IN), rel=0.01)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_without_a_scheme_each_activation_has_the_one_documented_for_it(name):
    documented = {"relu": "he_normal", "leaky_relu": "he_normal", "selu": "lecun_normal", "identity": "glorot_uniform",
                  "tanh": "glorot_uniform", "sigmoid": "glorot_uniform"}
    assert PAIRS[name] == documented.get(name, "gain_normal")
    assert torch.equal(drawn(None, name), drawn(PAIRS[name], name))


def test_the_fan_in_of_a_convolution_is_its_window_times_its_channels():
    convolution = nn.Conv2d(16, 64, 5)
    assert drawn("he_normal", layer=convolution).var() == pytest.approx(2 / (16 * 25), rel=0.03)
    assert drawn("gain_normal", "relu", layer=convolution).var() == pytest.approx(2 / (16 * 25), rel=0.03)


def test_units_that_start_at_zero_stay_the_same_as_each_other():
    """Row 4.01: after any number of steps the rows of the weights are equal, and so are the columns of the next."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1))
    initialize(net[0], "sigmoid", "zeros")
    initialize(net[2], scheme="zeros")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    x, y = torch.randn(20, 3), torch.randn(20, 1)
    for _ in range(20):
        optimizer.zero_grad()
        (net(x) - y).square().mean().backward()
        optimizer.step()
    assert net[0].weight.abs().max() > 0
    assert torch.equal(net[0].weight, net[0].weight[:1].expand(4, -1))
    assert torch.equal(net[2].weight, net[2].weight[:, :1].expand(-1, 4))


def test_the_output_layer_has_a_tenth_of_lecuns_weights():
    torch.manual_seed(0)
    layer = nn.Linear(N_IN, N_OUT)
    initialize_output(layer)
    assert float(layer.weight.detach().std()) == pytest.approx(0.1 / math.sqrt(N_IN), rel=0.01)
    assert (layer.bias == 0).all()


def test_names_that_do_not_exist_are_told_with_the_nearest():
    with pytest.raises(RecipeError, match=r"options.initializer: there is no initializer 'he_norm'\n.*'he_normal'"):
        initialize(nn.Linear(2, 2), scheme="he_norm")
    with pytest.raises(RecipeError, match="there is no activation"):
        initialize(nn.Linear(2, 2), followed_by="rel", scheme="zeros")


@pytest.fixture(scope="module")
def fifty_layers():
    return {name: signal_scale(name, examples=16, seeds=2) for name in (*KEEPING, "gelu", "silu", "mish", "sigmoid")}


KEEPING = ("identity", "relu", "leaky_relu", "elu", "selu", "tanh")


@pytest.mark.parametrize("name", KEEPING)
def test_activations_and_gradients_keep_their_scale_through_fifty_layers(fifty_layers, name):
    scale = fifty_layers[name]
    assert scale.activations.shape == scale.gradients.shape == (50,)
    assert scale.gradients[-1] == pytest.approx(1.0, rel=0.03)  # what enters at the top is N(0, 1)
    for each in scale:
        assert each.max() / each.min() < 10


def test_smooth_rectifiers_hold_for_some_layers_and_sigmoid_for_none(fifty_layers):
    for name, layers in {"silu": 10, "gelu": 20, "mish": 30}.items():
        for each in (fifty_layers[name].activations[:layers], fifty_layers[name].gradients[-layers:]):
            assert each.max() / each.min() < 10
    assert fifty_layers["sigmoid"].gradients[0] < 1e-20


def test_e7_signals_vanish_where_the_gain_is_below_one_whatever_the_sign():
    """34.15: a gain of 0.1 in each of three layers leaves 0.1³; a negative gain vanishes or grows alike."""
    depth, width = 12, 256
    small = signal_scale("identity", "small_random", depth, width).activations
    assert small[9] / small[0] == pytest.approx((0.01 * math.sqrt(width)) ** 9, rel=0.3)
    for factor in (0.1, -0.1):
        x = torch.ones(1, 1, dtype=torch.float64)
        for _ in range(3):
            x = x * factor
        assert abs(float(x)) == pytest.approx(0.001, rel=1e-12)
    large = signal_scale("identity", "he_normal", depth, width).activations
    assert large[9] / large[0] == pytest.approx(2 ** (9 / 2), rel=0.3)


def test_the_scale_of_a_few_layers_follows_from_the_variances():
    """A relu net with He's weights: E[x²] = 1/2 × the variance of the sums (2), so std² = 1 − 1/π in every layer."""
    scale = signal_scale("relu", depth=3, width=512, examples=64, seeds=3)
    assert scale.activations == pytest.approx([math.sqrt(1 - 1 / math.pi)] * 3, rel=0.06)
    assert scale.gradients == pytest.approx([1.0] * 3, rel=0.06)


def test_the_scale_leaves_global_randomness_alone_and_repeats():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (signal_scale("tanh", depth=2, width=8) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert (first.activations == second.activations).all()
    same = signal_scale("tanh", None, 2, width=256, examples=32, seeds=4)
    assert (signal_scale("tanh", depth=2).activations == same.activations).all()
    assert (first.gradients != signal_scale("tanh", depth=2, width=8, seeds=1).gradients).any()


def test_a_scale_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        signal_scale("relu", depth=0)
    assert set(SCHEMES) > {"zeros", "small_random"}


def test_a_random_image_is_uniform_noise():
    noise = random_image(generator=torch.Generator().manual_seed(3))
    assert noise.shape == (3, 100, 100)
    assert torch.equal(noise, random_image(3, 100, 100, torch.Generator().manual_seed(3)))
    assert 0 <= noise.min() < 1e-3
    assert 1 - 1e-3 < noise.max() < 1
    assert noise.mean() == pytest.approx(0.5, abs=0.01)
    assert noise.var() == pytest.approx(1 / 12, rel=0.02)
    assert random_image(1, 4, 6).shape == (1, 4, 6)
