"""Activations: published values, ranges, conventions, large inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from orthogon.equations import activations
from orthogon.equations.activations import ACTIVATIONS, hardmax, leaky_relu, relu, relu_backward, sigmoid, softmax


def slope(name: str, z: np.ndarray) -> np.ndarray:
    forward, backward = ACTIVATIONS[name]
    return backward(np.ones_like(z), forward(z)[1])


def test_the_sigmoid_lies_between_0_and_1():
    """E1"""
    a, _ = sigmoid(np.linspace(-30.0, 30.0, 601))
    assert a.min() > 0.0
    assert a.max() < 1.0
    assert np.all(np.diff(a) > 0.0)
    assert sigmoid(np.array([0.0, np.log(3.0)]))[0].tolist() == [0.5, 0.75]


def test_the_slope_of_the_sigmoid_is_at_most_a_quarter_and_vanishes_far_from_0():
    """E1"""
    z = np.linspace(-30.0, 30.0, 601)
    slopes = slope("sigmoid", z)
    assert slopes.max() == slopes[300] == 0.25
    assert slopes[[0, -1]].max() < 1e-12


def test_sigmoid_and_softplus_take_any_number():
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-1e4, 1e4]))[0].tolist() == [0.0, 1.0]
        assert activations.softplus(np.array([-1e4, 1e4]))[0].tolist() == [0.0, 1e4]
        assert activations.elu(np.array([-1e4, 1e4]))[0].tolist() == [-1.0, 1e4]
        assert slope("elu", np.array([-1e4, 1e4])).tolist() == [0.0, 1.0]


def test_tanh_is_the_sigmoid_scaled_and_shifted():
    """E3"""
    z = np.linspace(-5.0, 5.0, 41)
    np.testing.assert_allclose(activations.tanh(z)[0], 2.0 * sigmoid(2.0 * z)[0] - 1.0, atol=1e-15)


def test_the_slope_of_relu_at_0_is_0():
    """E100"""
    z = np.array([-2.0, 0.0, 3.0])
    assert relu(z)[0].tolist() == [0.0, 0.0, 3.0]
    assert relu_backward(np.array([5.0, 5.0, 5.0]), relu(z)[1]).tolist() == [0.0, 0.0, 5.0]


def test_the_leak_is_a_hundredth():
    """Row 2.04: max(0.01 z, z)."""
    z = np.array([-2.0, 0.0, 3.0])
    assert leaky_relu(z)[0].tolist() == np.maximum(0.01 * z, z).tolist()
    assert slope("leaky_relu", z).tolist() == [0.01, 0.01, 1.0]
    assert slope("elu", np.zeros(1)).tolist() == [1.0]


@pytest.mark.parametrize("name", ["gelu", "silu", "softplus", "mish", "selu", "elu", "sigmoid", "tanh"])
def test_far_from_0_each_is_torchs_too(name):
    z = np.array([-12.0, -6.0, -1e-9, 0.0, 1e-9, 6.0, 12.0])
    twin = {"sigmoid": torch.sigmoid, "tanh": torch.tanh}.get(name) or getattr(F, name)
    np.testing.assert_allclose(ACTIVATIONS[name][0](z)[0], twin(torch.tensor(z)).numpy(), rtol=1e-11, atol=1e-14)


def test_softmax_sums_to_1_and_each_entry_is_divided_by_all():
    """E28: the sum runs over all j."""
    a, _ = softmax(np.log([[5.0, 2.0, 1.0, 2.0], [1.0, 1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(a, [[0.5, 0.2, 0.1, 0.2], [0.25] * 4], rtol=1e-15)


def test_softmax_does_not_overflow_and_a_shift_changes_nothing():
    z = np.array([[1000.0, 1001.0], [-1000.0, -1000.0]])
    np.testing.assert_allclose(softmax(z)[0], [[1.0 / (1.0 + np.e), np.e / (1.0 + np.e)], [0.5, 0.5]], rtol=1e-13)


def test_softmax_of_two_classes_is_the_sigmoid_of_their_difference():
    z = np.random.default_rng(0).normal(size=(6, 2))
    np.testing.assert_allclose(softmax(z)[0][:, 1], sigmoid(z[:, 1] - z[:, 0])[0], rtol=1e-14)


def test_hardmax_is_1_at_the_largest_and_0_elsewhere():
    """Row 2.11; the first of equals."""
    assert hardmax(np.array([[5.0, 2.0, -1.0, 5.0], [0.0, 1.0, 3.0, 2.0]])).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
    assert hardmax(np.array([[5.0, 2.0], [0.0, 3.0]]), axis=0).tolist() == [[1, 0], [0, 1]]


def test_selu_keeps_mean_and_variance_of_its_fixed_point():
    """∫ selu(z) φ(z) dz = 0 and ∫ selu(z)² φ(z) dz = 1: what its two constants were chosen for."""
    z, step = np.linspace(-12.0, 12.0, 240001, retstep=True)
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi) * step
    a, _ = activations.selu(z)
    assert np.sum(a * density) == pytest.approx(0.0, abs=1e-8)
    assert np.sum(a**2 * density) == pytest.approx(1.0, abs=1e-8)
