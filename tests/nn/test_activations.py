"""Activations against the equations and closed forms, gains against integrals, hardmax against its definition."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from orthogon.equations import activations as equations
from orthogon.errors import RecipeError
from orthogon.nn.activations import ACTIVATIONS, activation, gain, hardmax, second_moment_gain

EQUATIONS = sorted(name for name in ACTIVATIONS if hasattr(equations, name))


@pytest.mark.parametrize("name", EQUATIONS)
def test_each_activation_and_its_slope_are_those_of_the_equations(name):
    z = torch.linspace(-4, 4, 81, dtype=torch.float64, requires_grad=True)
    upstream = torch.linspace(1, 2, 81, dtype=torch.float64)
    given = activation(name)(z)
    (slope,) = torch.autograd.grad(given, z, upstream)
    expected, cache = getattr(equations, name)(z.detach().numpy())
    np.testing.assert_allclose(given.detach().numpy(), expected, atol=1e-12)
    backward = getattr(equations, f"{name}_backward")(upstream.numpy(), cache)
    away = np.abs(z.detach().numpy()) > 1e-9  # at 0 the slope of a kink is a convention
    np.testing.assert_allclose(slope.numpy()[away], backward[away], atol=1e-12)


def test_e1_sigmoid_stays_inside_zero_and_one_and_its_slope_dies_far_from_the_origin():
    z = torch.linspace(-30, 30, 601, dtype=torch.float64, requires_grad=True)
    given = activation("sigmoid")(z)
    (slope,) = torch.autograd.grad(given.sum(), z)
    assert 0 < given.min() < given.max() < 1
    assert slope.max() == 0.25
    assert slope[0] < 1e-12
    assert slope[-1] < 1e-12


@pytest.mark.parametrize(
    ("name", "expected"),
    [("identity", 1.0), ("sigmoid", 1.0), ("selu", 1.0), ("relu", math.sqrt(2)), ("tanh", 5 / 3),
     ("leaky_relu", math.sqrt(2 / (1 + 0.01**2)))],
)
def test_gains_with_a_closed_form(name, expected):
    assert gain(name) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["elu", "gelu", "silu", "mish", "softplus"])
def test_other_gains_make_the_second_moment_one(name):
    def term(z: float) -> float:
        value = float(activation(name)(torch.tensor(z, dtype=torch.float64)))
        return value**2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    moment = sum(integrate.quad(term, low, high, epsabs=1e-12)[0] for low, high in ((-12, 0), (0, 12)))
    assert gain(name) == pytest.approx(moment**-0.5, rel=1e-9)


def test_the_second_moment_gain_agrees_with_the_gains_that_have_a_closed_form():
    assert second_moment_gain(torch.nn.ReLU()) == pytest.approx(math.sqrt(2), rel=1e-8)
    assert second_moment_gain(torch.nn.SELU()) == pytest.approx(1.0, rel=1e-6)
    assert second_moment_gain(torch.nn.Identity()) == pytest.approx(1.0, rel=1e-12)


def test_hardmax_is_one_at_the_largest_and_zero_elsewhere():
    logits = torch.tensor([[0.1, 2.0, -3.0], [5.0, 1.0, 5.0]])
    assert hardmax(logits).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert hardmax(logits, dim=0).tolist() == [[0, 1, 0], [1, 0, 1]]
    assert hardmax(logits).dtype == logits.dtype


def test_an_unknown_activation_names_the_nearest():
    for asked in (activation, gain):
        with pytest.raises(RecipeError, match=r"model.options.activation: there is no activation 'rellu'\n.*'relu'"):
            asked("rellu")
