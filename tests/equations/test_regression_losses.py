"""Losses of numbers: closed forms, and the robust loss at and near its special cases."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from orthogon.equations.derivative import two_sided_derivative
from orthogon.equations.regression_losses import (
    absolute_error,
    absolute_error_backward,
    brier,
    huber,
    huber_backward,
    robust,
    robust_backward,
    squared_error,
)

X = np.array([-4.0, -0.7, 0.0, 0.3, 2.5])
C = 1.3


def test_errors_of_an_example_add_up_and_examples_are_averaged():
    prediction, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 4.0], [3.0, 1.0]])
    assert squared_error(prediction, y)[0] == (1 + 4 + 0 + 9) / 2
    cost, cache = absolute_error(prediction, y)
    assert cost == (1 + 2 + 0 + 3) / 2
    assert absolute_error_backward(1.0, cache).tolist() == [[0.5, -0.5], [0.0, 0.5]]


def test_huber_is_squared_up_to_delta_and_straight_after():
    cost, cache = huber(np.array([0.5, -3.0, 1.0]), np.zeros(3))
    assert cost == pytest.approx((0.125 + 2.5 + 0.5) / 3, rel=1e-15)
    np.testing.assert_allclose(huber_backward(3.0, cache), [0.5, -1.0, 1.0])


def test_the_brier_score_is_0_for_the_sure_and_right_and_2_for_the_sure_and_wrong():
    assert brier(np.eye(3), np.eye(3))[0] == 0.0
    assert brier(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))[0] == 2.0
    assert brier(np.array([0.0, 1.0]), np.array([0.0, 1.0]))[0] == 0.0
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match="entries outside"):
            brier(np.array([wrong]), np.array([1.0]))


@pytest.mark.parametrize("loss", [squared_error, absolute_error, huber, brier])
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(ValueError, match=r"shapes are \(4, 1\) and \(4,\), expected the same"):
        loss(np.full((4, 1), 0.5), np.full(4, 0.5))


CLOSED_FORMS = {
    2.0: lambda s: 0.5 * s,
    1.0: lambda s: np.sqrt(s + 1.0) - 1.0,
    0.0: lambda s: np.log(0.5 * s + 1.0),
    -2.0: lambda s: 2.0 * s / (s + 4.0),
    -math.inf: lambda s: 1.0 - np.exp(-0.5 * s),
}


@pytest.mark.parametrize("alpha", CLOSED_FORMS)
def test_the_robust_loss_has_the_closed_forms_of_the_paper(alpha):
    """Barron 2019: squared, Charbonnier, Cauchy, Geman-McClure, Welsch (row 3.12)."""
    np.testing.assert_allclose(robust(X, alpha, C)[0], CLOSED_FORMS[alpha]((X / C) ** 2), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(("special", "near"), [(2.0, 2.0 - 1e-9), (2.0, 2.0 + 1e-9), (0.0, 1e-9), (0.0, -1e-9),
                                               (-math.inf, -1e9)])
def test_the_robust_loss_runs_into_its_special_cases(special, near):
    d_rho = np.array([1.0, 0.5, -2.0, 0.3, 0.7])
    at, beside = (robust(X, alpha, C) for alpha in (special, near))
    np.testing.assert_allclose(beside[0], at[0], rtol=1e-6)
    (x_at, _, c_at), (x_beside, _, c_beside) = (robust_backward(d_rho, cache) for _, cache in (at, beside))
    np.testing.assert_allclose(x_beside, x_at, rtol=1e-6)
    assert c_beside == pytest.approx(c_at, rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1e-6, -1e-4, 1e-3, -1e-2, 1.9, 2.1, 0.5, -8.0, 3.0])
def test_the_slope_in_the_shape_is_that_of_differences_everywhere_but_at_2(alpha):
    _, cache = robust(X, alpha, C)
    expected = two_sided_derivative(lambda a: float(robust(X, a, C)[0].sum()), alpha, 1e-5)
    assert robust_backward(np.ones(5), cache)[1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("alpha", ["-0.01", "-0.0015", "-0.0007", "1e-5", "0.0009", "0.002", "0.5"])
def test_the_slope_in_the_shape_keeps_its_digits_near_0(alpha):
    """Against the paper's formula with 60 digits, where differences lose none."""

    def rho(x: Decimal, shape: Decimal) -> Decimal:
        b = abs(shape - 2)
        return b / shape * (((x / Decimal(C)) ** 2 / b + 1) ** (shape / 2) - 1)

    with localcontext(prec=60):
        step, expected = Decimal("1e-18"), []
        for x in map(Decimal, X):
            expected.append(float((rho(x, Decimal(alpha) + step) - rho(x, Decimal(alpha) - step)) / (2 * step)))
    slopes = [robust_backward(np.ones(1), robust(X[i : i + 1], float(alpha), C)[1])[1] for i in range(len(X))]
    np.testing.assert_allclose(slopes, expected, rtol=2e-11)


@pytest.mark.parametrize("alpha", CLOSED_FORMS)
def test_slopes_in_error_and_scale_are_those_of_differences(alpha):
    d_x, _, d_c = robust_backward(np.ones(5), robust(X, alpha, C)[1])
    by_x = [two_sided_derivative(lambda x: float(robust(np.array([x]), alpha, C)[0][0]), at) for at in X]
    np.testing.assert_allclose(d_x, by_x, rtol=1e-8, atol=1e-10)
    assert d_c == pytest.approx(two_sided_derivative(lambda c: float(robust(X, alpha, c)[0].sum()), C), rel=1e-8)


def test_the_slope_in_the_shape_is_upright_at_2_and_0_in_the_limit():
    _, cache = robust(X, 2.0, C)
    assert robust_backward(np.ones(5), cache)[1] == math.inf
    assert robust_backward(-np.ones(5), cache)[1] == -math.inf
    assert robust_backward(np.array([0.0, 0.0, 1.0, 0.0, 0.0]), cache)[1] == 0.0
    assert robust_backward(np.ones(5), robust(X, -math.inf, C)[1])[1] == 0.0


def test_large_errors_count_less_the_smaller_the_shape():
    values = [float(robust(np.array([10.0]), alpha, 1.0)[0][0]) for alpha in (2.0, 1.0, 0.0, -2.0, -math.inf)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("c", [0.0, -1.0, math.nan])
def test_the_scale_must_be_positive(c):
    with pytest.raises(ValueError, match="expected a positive scale"):
        robust(X, 1.0, c)
