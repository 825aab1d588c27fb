"""Weight norm, cosine norm, local response norm."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.weight_normalization import cosine_norm, local_response_norm, weight_norm, weight_norm_backward

RNG = np.random.default_rng(13)


def test_a_units_weights_are_as_long_as_g():
    """Row 9.11"""
    W, cache = weight_norm(np.array([[3.0, 4.0], [0.0, -2.0]]), np.array([10.0, 1.0]))
    assert W.tolist() == [[6.0, 8.0], [0.0, -1.0]]
    d_V, d_g = weight_norm_backward(np.array([[1.0, 0.0], [0.0, 3.0]]), cache)
    assert d_g.tolist() == [0.6, -3.0]
    np.testing.assert_allclose(d_V, [[2.0 * 0.64, -2.0 * 0.48], [0.0, 0.0]], atol=1e-15)


def test_cosine_norm_is_the_cosine_whatever_the_lengths():
    """Row 9.12"""
    X, W = RNG.normal(size=(5, 3)), RNG.normal(size=(2, 3))
    Y, _ = cosine_norm(X, W)
    np.testing.assert_allclose(Y, X @ W.T / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(W, axis=1)), rtol=1e-13)
    np.testing.assert_allclose(cosine_norm(7.0 * X, 0.1 * W)[0], Y, rtol=1e-13)


def test_a_row_of_zeros_has_no_direction():
    with pytest.raises(ValueError, match="V has a row of zeros"):
        weight_norm(np.array([[1.0, 0.0], [0.0, 0.0]]), np.ones(2))
    with pytest.raises(ValueError, match="X has a row of zeros"):
        cosine_norm(np.zeros((1, 2)), np.ones((1, 2)))


def test_each_position_is_divided_by_its_neighboring_channels():
    """Row 9.15: one position of channels 1, 2, 3 with a window of 3, by hand; the default window is five."""
    A = np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1)
    B, _ = local_response_norm(A, size=3, alpha=3.0, beta=1.0, k=1.0)
    np.testing.assert_allclose(B.ravel(), [1 / 6, 2 / 15, 3 / 14], rtol=1e-15)
    many = RNG.normal(size=(2, 9, 3))
    default = np.array([
        many[:, c] / (1 + 1e-4 / 5 * (many[:, max(0, c - 2) : c + 3] ** 2).sum(axis=1)) ** 0.75 for c in range(9)
    ])
    np.testing.assert_allclose(local_response_norm(many)[0], default.transpose(1, 0, 2), rtol=1e-14)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="V is 3, expected units×n"):
        weight_norm(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="g is 2, expected 3"):
        weight_norm(np.ones((3, 2)), np.ones(2))
    with pytest.raises(ValueError, match="X is 2×3, expected m×4"):
        cosine_norm(np.ones((2, 3)), np.ones((5, 4)))
    with pytest.raises(ValueError, match="W is 4, expected units×n"):
        cosine_norm(np.ones((2, 4)), np.ones(4))
    with pytest.raises(ValueError, match="A is 2×3, expected m×C×…"):
        local_response_norm(np.ones((2, 3)))
