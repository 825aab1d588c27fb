"""The perceptron, and what it can and cannot learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape


class Perceptron(NamedTuple):
    """w: n. b: a number. mistakes: how many in each epoch. converged: the last epoch had none."""

    w: Floats
    b: float
    mistakes: list[int]
    converged: bool


def perceive(X: Floats, w: Floats, b: float) -> Floats:
    """The answer of a neuron with a step for its activation.

        ŷ = 1 where wᵀx + b > 0, else 0

    X: m×n. w: n. Rows 1.01, 1.03.
    """
    expect_shape("X", X, ("m", len(w)), "examples are rows, a column per weight")
    return (X @ w + b > 0).astype(float)


def train_perceptron(X: Floats, y: Floats, epochs: int = 100) -> Perceptron:
    """The perceptron's rule: only mistakes move the weights.

        for each example:  w := w + (y − ŷ) x        b := b + (y − ŷ)

    X: m×n. y: 0 or 1, m. It ends after an epoch without a mistake, and gets there if a line divides the classes (AND,
    OR, NOT). For XOR none does: it goes round in circles until the epochs are used up; that takes a hidden layer.
    Rows 1.01, 1.02, E104; Rosenblatt 1958.
    """
    expect_shape("X", X, ("m", "n"), "examples are rows, features columns")
    expect_shape("y", y, (len(X),), "0 or 1 for each example")
    w, b, mistakes = np.zeros(X.shape[1]), 0.0, []
    for _ in range(epochs):
        wrong = 0
        for x, target in zip(X, y):
            error = target - perceive(x[None], w, b)[0]
            w, b, wrong = w + error * x, b + error, wrong + int(error != 0)
        mistakes.append(wrong)
        if wrong == 0:
            break
    return Perceptron(w, float(b), mistakes, converged=mistakes[-1:] == [0])
