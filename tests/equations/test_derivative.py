"""Numerical derivatives: the order of their error, and the ratio that compares gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest

from orthogon.equations.derivative import (
    gradient_check_ratio,
    numerical_gradient,
    one_sided_derivative,
    two_sided_derivative,
)


def cube(theta: float) -> float:
    return theta**3


@pytest.mark.parametrize("epsilon", [0.9, 0.5, 0.1, 0.01])
def test_two_sides_are_better_for_every_epsilon_below_1(epsilon):
    """E9: of θ³ at 1 the errors are ε² and 3ε + ε²; ε² < ε for ε below 1, not below 0."""
    two, one = (f(cube, 1.0, epsilon) - 3.0 for f in (two_sided_derivative, one_sided_derivative))
    assert two == pytest.approx(epsilon**2, rel=1e-9)
    assert one == pytest.approx(3 * epsilon + epsilon**2, rel=1e-9)


def test_the_error_falls_like_epsilon_on_one_side_and_its_square_on_two():
    """Row 10.07"""
    for f, order in ((one_sided_derivative, 1), (two_sided_derivative, 2)):
        coarse, fine = (abs(f(math.exp, 0.3, epsilon) - math.exp(0.3)) for epsilon in (1e-2, 1e-3))
        assert math.log10(coarse / fine) == pytest.approx(order, abs=0.02)


def test_the_default_step_gives_ten_digits():
    assert two_sided_derivative(math.sin, 1.0) == pytest.approx(math.cos(1.0), rel=1e-9)
    assert one_sided_derivative(math.sin, 1.0) == pytest.approx(math.cos(1.0), rel=1e-4)
    assert one_sided_derivative(cube, 0.0) == pytest.approx(1e-10)
    assert two_sided_derivative(cube, 0.0) == pytest.approx(1e-10)


def test_the_gradient_of_an_array_has_its_shape_and_leaves_it_as_it_was():
    theta = np.array([[1.0, -2.0], [0.5, 3.0]])
    kept = theta.copy()
    gradient = numerical_gradient(lambda t: float((t**3).sum()), theta)
    np.testing.assert_allclose(gradient, 3 * kept**2, rtol=1e-9)
    assert np.array_equal(theta, kept)
    assert numerical_gradient(lambda t: float(t[0] ** 3), np.zeros(1))[0] == pytest.approx(1e-10)


def test_the_ratio_is_the_distance_over_the_sum_of_lengths():
    """E10: norms are roots of the sums of squared entries, of the whole vector."""
    approximate, exact = np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])
    assert gradient_check_ratio(approximate, exact) == pytest.approx(5.0 / 7.0, rel=1e-15)
    assert gradient_check_ratio(exact, exact) == 0.0
    assert gradient_check_ratio(exact, -exact) == 1.0
    matrix = np.ones((2, 2))
    assert gradient_check_ratio(3.0 * matrix, matrix) == pytest.approx(0.5)


def test_two_zero_gradients_agree():
    """E10: 0/0 is guarded."""
    assert gradient_check_ratio(np.zeros(3), np.zeros(3)) == 0.0


def test_gradients_of_different_shapes_are_not_compared():
    with pytest.raises(ValueError, match=r"shapes \(2, 1\) and \(2,\), expected the same shape"):
        gradient_check_ratio(np.ones((2, 1)), np.ones(2))
