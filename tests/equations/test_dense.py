"""Dense layers and networks: the course's column form, dimension checks, loops, depth."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.dense import check_dimensions, dense, dense_backward, network, network_backward, network_by_loop


def four_layers(rng: np.random.Generator):
    """The course's example: L = 4, n = 3, 4, 3, 1 after 3 inputs, and 5 examples."""
    sizes = [3, 3, 4, 3, 1]
    weights = [rng.normal(size=(sizes[k + 1], sizes[k])) for k in range(4)]
    return rng.normal(size=(5, 3)), weights, [rng.normal(size=n) for n in sizes[1:]]


def test_shapes_of_the_four_layer_network_are_those_of_row_1_19():
    """34.25"""
    X, weights, biases = four_layers(np.random.default_rng(0))
    assert check_dimensions(X, weights, biases) == [(5, 3), (5, 4), (5, 3), (5, 1)]


def test_one_hidden_layer_has_one_bias_per_hidden_unit():
    """E82: W¹ is 4×3 and b¹ has 4 entries."""
    X = np.ones((2, 3))
    assert check_dimensions(X, [np.ones((4, 3)), np.ones((1, 4))], [np.ones(4), np.ones(1)]) == [(2, 4), (2, 1)]
    with pytest.raises(ValueError, match=r"b of layer 1 is 3, expected 4: one bias per row"):
        check_dimensions(X, [np.ones((4, 3))], [np.ones(3)])


@pytest.mark.parametrize(
    ("weights", "biases", "words"),
    [
        ([np.ones((4, 2))], [np.ones(4)], "W of layer 1 is 4×2, expected units×3: a column per unit of layer 0"),
        ([np.ones((4, 3)), np.ones((4, 1))], [np.ones(4), np.ones(4)], "W of layer 2 is 4×1, expected units×4"),
        ([np.ones((4, 3))], [np.ones((4, 1))], "b of layer 1 is 4×1, expected 4"),
        ([np.ones(3)], [np.ones(3)], "W of layer 1 is 3, expected units×3"),
        ([np.ones((4, 3))], [], "1 weights and 0 biases"),
        ([], [], "0 weights and 0 biases"),
    ],
)
def test_what_does_not_fit_is_named(weights, biases, words):
    with pytest.raises(ValueError, match=words):
        check_dimensions(np.ones((5, 3)), weights, biases)


def test_a_dense_layer_is_the_courses_with_columns_turned_to_rows():
    """Z = W X + b with n×m and b as a column is the transpose of ours (row 1.14)."""
    rng = np.random.default_rng(1)
    X, W, b = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 1))
    np.testing.assert_allclose(dense(X, W, b[:, 0])[0].T, W @ X.T + b, rtol=1e-14)


@pytest.mark.parametrize(
    ("X", "W", "b", "words"),
    [
        (np.ones((3, 5)), np.ones((4, 3)), np.ones(4), "X is 3×5, expected m×3: .* pass X.T"),
        (np.ones((5, 3)), np.ones(3), np.ones(4), "W is 3, expected units×n"),
        (np.ones((5, 3)), np.ones((4, 3)), np.ones(3), "b is 3, expected 4"),
        (np.float64(1), np.ones((4, 3)), np.ones(4), "X is a single number"),
    ],
)
def test_a_dense_layer_refuses_what_does_not_fit(X, W, b, words):
    with pytest.raises(ValueError, match=words):
        dense(X, W, b)


def test_the_sums_over_examples_are_not_divided_by_their_number():
    """The mean is taken in the cost alone, so two copies of the examples give twice the gradients."""
    _, cache = dense(np.ones((3, 2)), np.ones((1, 2)), np.zeros(1))
    d_X, d_W, d_b = dense_backward(np.ones((3, 1)), cache)
    assert (d_X.tolist(), d_W.tolist(), d_b.tolist()) == ([[1.0, 1.0]] * 3, [[3.0, 3.0]], [3.0])


def test_a_network_of_linear_layers_is_one_linear_layer():
    """Row 1.28"""
    X, weights, biases = four_layers(np.random.default_rng(2))
    out, _ = network(X, weights, biases, ["identity"] * 4)
    W, b = np.eye(3), np.zeros(3)
    for weight, bias in zip(weights, biases):
        W, b = weight @ W, weight @ b + bias
    np.testing.assert_allclose(out, X @ W.T + b, rtol=1e-12)


def test_gradients_come_per_layer_in_the_order_of_the_layers():
    X, weights, biases = four_layers(np.random.default_rng(3))
    out, cache = network(X, weights, biases, ["tanh"] * 4)
    d_X, d_weights, d_biases = network_backward(np.ones_like(out), cache)
    assert d_X.shape == X.shape
    assert [d.shape for d in d_weights] == [W.shape for W in weights]
    assert [d.shape for d in d_biases] == [b.shape for b in biases]


def test_slopes_below_one_multiply_until_the_first_layer_hardly_learns():
    """34.15: 0.1 · 0.1 · 0.1 = 0.001 (row 1.18, E49)."""
    _, cache = network(np.ones((1, 1)), [np.full((1, 1), 0.1)] * 3, [np.zeros(1)] * 3, ["identity"] * 3)
    d_X, _, _ = network_backward(np.ones((1, 1)), cache)
    assert d_X.item() == pytest.approx(0.001, rel=1e-12)


def test_the_loop_takes_one_example_at_a_time_and_gives_the_same():
    """Row 1.13"""
    X, weights, biases = four_layers(np.random.default_rng(4))
    names = ["relu", "tanh", "relu", "sigmoid"]
    np.testing.assert_allclose(
        network_by_loop(X, weights, biases, names), network(X, weights, biases, names)[0], rtol=1e-13
    )


def test_activations_are_one_known_name_per_layer():
    X, weights, biases = four_layers(np.random.default_rng(5))
    with pytest.raises(ValueError, match="3 activations for 4 layers"):
        network(X, weights, biases, ["relu"] * 3)
    with pytest.raises(ValueError, match="no activation 'rely', expected one of: identity, sigmoid"):
        network(X, weights, biases, ["rely"] * 4)
    with pytest.raises(ValueError, match="W of layer 1"):
        network(X[:, :2], weights, biases, ["relu"] * 4)
    with pytest.raises(ValueError, match="W of layer 1"):
        network_by_loop(X[:, :2], weights, biases, ["relu"] * 4)
