"""Logistic regression: the building block of deep nets, by loops and by arrays."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape
from orthogon.equations.dense import dense, dense_backward
from orthogon.equations.losses import binary_cross_entropy_from_logits, binary_cross_entropy_from_logits_backward


class Fitted(NamedTuple):
    """w: n. b: a number. costs: J before each step."""

    w: Floats
    b: float
    costs: list[float]


def logistic_by_loop(X: Floats, y: Floats, w: Floats, b: float) -> tuple[float, Floats, float]:
    """J, dw, db of logistic regression with two explicit loops: over examples and over features.

        J = 0, dw = 0, db = 0
        for i = 1 … m:    z = wᵀx⁽ⁱ⁾ + b        a = σ(z)        J += −[y⁽ⁱ⁾ log a + (1 − y⁽ⁱ⁾) log(1 − a)]
                          dz = a − y⁽ⁱ⁾        dwⱼ += dz xⱼ⁽ⁱ⁾        db += dz
        J, dw, db: divided by m

    Algorithm 1 of the course. X: m×n. y: 0 or 1, m. w: n; one b for all examples. Rows 1.04, 1.07, 1.08, E26, E81.
    """
    _expect_shapes(X, y, w)
    m, n = X.shape
    J, dw, db = 0.0, [0.0] * n, 0.0
    for i in range(m):
        z = sum(w[j] * X[i, j] for j in range(n)) + b
        a = 1.0 / (1.0 + math.exp(-z))
        J += -(y[i] * math.log(a) + (1.0 - y[i]) * math.log(1.0 - a))
        dz = a - y[i]
        for j in range(n):
            dw[j] += dz * X[i, j]
        db += dz
    return J / m, np.array(dw) / m, db / m


def logistic(X: Floats, y: Floats, w: Floats, b: float) -> tuple[float, Floats, float]:
    """J, dw, db of logistic regression, both loops replaced by array operations.

        z = X w + b        J = (1/m) Σ L(σ(z), y)        dz = (σ(z) − y)/m        dw = Xᵀ dz        db = Σ dz

    X: m×n. y: 0 or 1, m. w: n. A dense layer of one unit under the logistic loss. Rows 1.04 to 1.09, 6.15, E19.
    """
    _expect_shapes(X, y, w)
    Z, layer = dense(X, w[None], np.array([b]))
    J, loss = binary_cross_entropy_from_logits(Z, y[:, None])
    _, dW, db = dense_backward(binary_cross_entropy_from_logits_backward(1.0, loss), layer)
    return J, dW[0], float(db[0])


def fit_logistic(X: Floats, y: Floats, learning_rate: float = 0.01, steps: int = 1000) -> Fitted:
    """Gradient descent on logistic regression, from zero.

        repeat:  w := w − α dw        b := b − α db

    X: m×n. y: 0 or 1, m. Zero is a fair start: without a hidden layer there is no symmetry to break.
    Rows 1.08, 6.01, 6.03.
    """
    w, b, costs = np.zeros(X.shape[1]), 0.0, []
    for _ in range(steps):
        J, dw, db = logistic(X, y, w, b)
        w, b = w - learning_rate * dw, b - learning_rate * db
        costs.append(J)
    return Fitted(w, b, costs)


def _expect_shapes(X: Floats, y: Floats, w: Floats) -> None:
    expect_shape("w", w, ("n",), "one weight per feature")
    expect_shape("X", X, ("m", len(w)), "examples are rows; pass X.T if they are columns")
    expect_shape("y", y, (len(X),), "0 or 1 for each example")
