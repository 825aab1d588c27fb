"""Logistic regression by loops and by arrays, against scikit-learn where it has converged."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from orthogon.equations.logistic import fit_logistic, logistic, logistic_by_loop

RNG = np.random.default_rng(11)
X = RNG.normal(size=(40, 3))
Y = (RNG.random(40) < 1.0 / (1.0 + np.exp(-(X @ [1.0, -2.0, 0.5] + 0.3)))).astype(float)


@pytest.mark.parametrize("f", [logistic, logistic_by_loop])
def test_one_example_by_hand(f):
    """E81, E26: with z = 0, a = ½; J = log 2, dz = a − y, dw = dz x, db = dz."""
    J, dw, db = f(np.array([[2.0, 0.0]]), np.array([1.0]), np.array([0.5, 3.0]), -1.0)
    assert pytest.approx(np.log(2.0)) == J
    assert dw.tolist() == [-1.0, 0.0]
    assert db == -0.5


def test_the_loop_and_the_arrays_agree_and_share_one_bias():
    """Rows 1.08, 1.09, E81"""
    w, b = np.array([0.3, -0.2, 0.9]), 0.1
    for by_loop, vectorized in zip(logistic_by_loop(X, Y, w, b), logistic(X, Y, w, b)):
        np.testing.assert_allclose(by_loop, vectorized, rtol=1e-12)


def test_the_gradients_are_means_over_examples():
    """E19, E81: all three are divided by m, so repeating the examples changes nothing."""
    for f in (logistic, logistic_by_loop):
        once = f(X, Y, np.ones(3), 0.5)
        twice = f(np.vstack([X, X]), np.hstack([Y, Y]), np.ones(3), 0.5)
        for a, b in zip(once, twice):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_descent_goes_down_and_arrives_where_scikit_learn_does():
    fitted = fit_logistic(X, Y, learning_rate=1.0, steps=2000)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, Y)
    np.testing.assert_allclose(fitted.w, reference.coef_[0], rtol=1e-5)
    assert fitted.b == pytest.approx(reference.intercept_[0], rel=1e-5)
    assert fitted.costs[0] == pytest.approx(np.log(2.0))
    assert np.all(np.diff(fitted.costs) <= 1e-15)


def test_a_step_is_the_rate_times_the_gradient():
    _, dw, db = logistic(X, Y, np.zeros(3), 0.0)
    fitted = fit_logistic(X, Y, steps=1)
    np.testing.assert_allclose(fitted.w, -0.01 * dw, rtol=1e-14)
    assert fitted.b == pytest.approx(-0.01 * db, rel=1e-14)
    assert len(fit_logistic(X, Y).costs) == 1000


@pytest.mark.parametrize("f", [logistic, logistic_by_loop])
def test_shapes_must_fit(f):
    with pytest.raises(ValueError, match="X is 40×3, expected m×2"):
        f(X, Y, np.ones(2), 0.0)
    with pytest.raises(ValueError, match="y is 40×1, expected 40"):
        f(X, Y[:, None], np.ones(3), 0.0)
    with pytest.raises(ValueError, match="w is 3×1, expected n"):
        f(X, Y, np.ones((3, 1)), 0.0)
