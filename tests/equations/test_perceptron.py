"""What one perceptron learns, and what it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.activations import relu
from orthogon.equations.perceptron import perceive, train_perceptron

PAIRS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize(
    ("X", "y"),
    [(PAIRS, [0, 0, 0, 1]), (PAIRS, [0, 1, 1, 1]), (np.array([[0.0], [1.0]]), [1, 0])],
    ids=["AND", "OR", "NOT"],
)
def test_a_perceptron_learns_and_or_not(X, y):
    """Row 1.01"""
    found = train_perceptron(X, np.array(y, dtype=float))
    assert found.converged
    assert found.mistakes[-1] == 0
    assert all(found.mistakes[:-1])
    assert perceive(X, found.w, found.b).tolist() == y


def test_xor_is_never_learnt():
    """Row 1.02: all epochs are used up, each with a mistake."""
    found = train_perceptron(PAIRS, np.array([0.0, 1.0, 1.0, 0.0]))
    assert not found.converged
    assert len(found.mistakes) == 100
    assert min(found.mistakes) > 0
    assert len(train_perceptron(PAIRS, np.array([0.0, 1.0, 1.0, 0.0]), epochs=3).mistakes) == 3


def test_a_hidden_layer_of_two_units_says_xor():
    """Row 1.02, E104: relu(x₁ + x₂) − 2 relu(x₁ + x₂ − 1)."""
    total = PAIRS.sum(axis=1)
    assert (relu(total)[0] - 2.0 * relu(total - 1.0)[0]).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_only_mistakes_move_the_weights():
    """By hand, from 0: the second example is missed and added; then the first is missed and taken off."""
    found = train_perceptron(np.array([[1.0], [2.0]]), np.array([0.0, 1.0]), epochs=2)
    assert found.mistakes == [1, 1]
    assert (found.w.tolist(), found.b) == ([1.0], 0.0)


def test_on_the_line_the_answer_is_no():
    assert perceive(np.array([[1.0], [1.1]]), np.array([1.0]), -1.0).tolist() == [0.0, 1.0]


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="y is 3, expected 4"):
        train_perceptron(PAIRS, np.ones(3))
    with pytest.raises(ValueError, match="X is 4, expected m×n"):
        train_perceptron(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="X is 4×2, expected m×3"):
        perceive(PAIRS, np.ones(3), 0.0)
