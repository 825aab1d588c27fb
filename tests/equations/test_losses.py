"""Losses: signs, means, masks, large scores, wrong shapes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from orthogon.equations import losses
from orthogon.equations.activations import sigmoid, softmax
from orthogon.equations.losses import (
    binary_cross_entropy,
    binary_cross_entropy_from_logits,
    binary_cross_entropy_from_logits_backward,
    cross_entropy,
    cross_entropy_from_logits,
    cross_entropy_from_logits_backward,
    kl_divergence,
    mean_cost,
    multi_task_cross_entropy,
    multi_task_cross_entropy_backward,
    one_hot,
    sequence_cross_entropy,
    squared_hinge,
    squared_hinge_backward,
    weighted_examples,
    weighted_outputs,
)

RNG = np.random.default_rng(7)


def test_the_logistic_loss_of_a_zero_is_the_log_of_what_is_left():
    """E25: (1 − y) log(1 − ŷ), not (1 − y) log ŷ."""
    assert binary_cross_entropy(np.array([0.1]), np.array([0.0]))[0] == pytest.approx(-np.log(0.9), rel=1e-14)
    assert binary_cross_entropy(np.array([0.1]), np.array([1.0]))[0] == pytest.approx(-np.log(0.1), rel=1e-14)


def test_the_cost_is_plus_the_mean_of_the_losses():
    """E26: no second minus, so a cost of log-likelihoods is positive."""
    a, y = np.array([0.9, 0.2, 0.6]), np.array([1.0, 0.0, 1.0])
    cost, _ = binary_cross_entropy(a, y)
    assert cost == pytest.approx(-(np.log(0.9) + np.log(0.8) + np.log(0.6)) / 3, rel=1e-14)
    assert cost > 0.0


def test_the_loss_is_minus_the_logarithm_of_the_bernoulli_likelihood():
    """Row 1.06: f(y; p) = p^y (1 − p)^(1 − y)."""
    p, y = RNG.uniform(0.1, 0.9, size=8), RNG.integers(0, 2, size=8)
    assert binary_cross_entropy(p, y.astype(float))[0] == pytest.approx(-np.log(p**y * (1 - p) ** (1 - y)).mean())


def test_the_gradient_of_the_mean_cost_is_divided_by_m():
    """E19: ŷ − y of one example, (ŷ − y)/m of the mean."""
    z, y = RNG.normal(size=(4, 3)), one_hot(np.array([0, 2, 1, 1]), 3)
    cost, cache = cross_entropy_from_logits(z, y)
    np.testing.assert_allclose(cross_entropy_from_logits_backward(1.0, cache), (softmax(z)[0] - y) / 4, atol=1e-15)
    _, cache = binary_cross_entropy_from_logits(z[:, 0], y[:, 0])
    expected = (sigmoid(z[:, 0])[0] - y[:, 0]) / 4
    np.testing.assert_allclose(binary_cross_entropy_from_logits_backward(1.0, cache), expected, atol=1e-15)
    assert cross_entropy_from_logits(np.repeat(z, 2, axis=0), np.repeat(y, 2, axis=0))[0] == pytest.approx(cost)


def test_losses_sum_over_outputs_and_average_over_examples():
    assert mean_cost(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])) == 10.5


def test_classes_one_hot_and_probabilities_agree():
    """Rows 3.03 to 3.05"""
    z, classes = RNG.normal(size=(5, 3)), np.array([2, 0, 1, 1, 2])
    by_class = cross_entropy_from_logits(z, classes)[0]
    assert by_class == pytest.approx(cross_entropy_from_logits(z, one_hot(classes, 3))[0], rel=1e-14)
    assert by_class == pytest.approx(cross_entropy(softmax(z)[0], one_hot(classes, 3))[0], rel=1e-13)


def test_whole_numbers_in_rows_are_labels_not_classes():
    """A one-hot array of integers is taken as it is."""
    z = RNG.normal(size=(3, 3))
    assert cross_entropy_from_logits(z, np.eye(3, dtype=int))[0] == cross_entropy_from_logits(z, np.eye(3))[0]


def test_a_network_that_knows_nothing_costs_the_logarithm_of_the_classes():
    assert cross_entropy_from_logits(np.zeros((4, 10)), np.arange(4))[0] == pytest.approx(np.log(10.0), rel=1e-14)


def test_large_scores_do_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        z = np.array([[1e4, -1e4], [-1e4, 1e4]])
        assert cross_entropy_from_logits(z, np.array([0, 0]))[0] == 1e4
        assert binary_cross_entropy_from_logits(np.array([1e4, -1e4]), np.array([1.0, 1.0]))[0] == 5e3


def test_class_four_of_ten_is_the_fifth_entry():
    """E64"""
    assert one_hot(np.array([4]), 10).tolist() == [[0, 0, 0, 0, 1, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("wrong", [10, -1])
def test_a_class_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=f"class {wrong} of 10, expected 0 to 9"):
        one_hot(np.array([3, wrong]), 10)


def test_the_label_is_a_vector_and_the_loss_a_number():
    """E22; unknown labels are left out, whatever they hold (row 3.09)."""
    z = np.array([[0.3, -1.0], [2.0, 0.5]])
    y, known = np.array([[1.0, np.nan], [0.0, 1.0]]), np.array([[True, False], [True, True]])
    cost, cache = multi_task_cross_entropy(z, y, known)
    a, _ = sigmoid(z)
    assert isinstance(cost, float)
    assert cost == pytest.approx(-(np.log(a[0, 0]) + np.log(1 - a[1, 0]) + np.log(a[1, 1])) / 2, rel=1e-14)
    assert multi_task_cross_entropy_backward(1.0, cache)[0, 1] == 0.0


def test_sequences_sum_over_their_own_steps():
    """Row 3.10: uniform scores cost log C at each step within the length."""
    y = np.array([[0, 1, 2], [3, -9, 99]])
    assert sequence_cross_entropy(np.zeros((2, 3, 4)), y, np.array([3, 1]))[0] == pytest.approx(np.log(4.0) * 4 / 2)


def test_a_class_and_a_box_are_weighed_one_to_nine():
    """Row 3.08"""
    assert weighted_outputs(np.array([2.0, 5.0]), np.array([0.1, 0.9]))[0] == pytest.approx(4.7, rel=1e-14)


def test_weights_of_examples_are_shares():
    """Row 3.14: ten times the weight is ten copies."""
    assert weighted_examples(np.array([1.0, 0.0]), np.array([10.0, 1.0]))[0] == pytest.approx(10 / 11, rel=1e-14)


def test_the_divergence_of_a_distribution_from_itself_is_0():
    p = RNG.dirichlet(np.ones(4), size=3)
    assert kl_divergence(p, p)[0] == 0.0
    assert kl_divergence(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]]))[0] == pytest.approx(np.log(4 / 3) / 2)


def test_the_hinge_is_squared_and_each_class_stands_against_the_rest():
    """Row 2.12: margins 2, 0.5 and −1 of the right signs cost 0, 0.25 and 4."""
    cost, cache = squared_hinge(np.array([[2.0, -0.5, 1.0]]), np.array([0]))
    assert cost == pytest.approx(0.25 + 4.0)
    assert squared_hinge_backward(1.0, cache).tolist() == [[0.0, 1.0, 4.0]]


PAIRS = [name for name, f in inspect.getmembers(losses, inspect.isfunction)
         if len(inspect.signature(f).parameters) == 2 and f.__module__ == losses.__name__
         and not name.startswith("_") and not name.endswith("_backward") and name not in ("one_hot", "squared_hinge")]


@pytest.mark.parametrize("name", PAIRS)
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(ValueError, match=r"shapes are \(4, 1\) and \(4,\), expected the same"):
        getattr(losses, name)(np.full((4, 1), 0.5), np.full(4, 0.5))


def test_masks_classes_and_lengths_must_fit():
    z = np.zeros((3, 2))
    with pytest.raises(ValueError, match="expected the same"):
        multi_task_cross_entropy(z, np.zeros(3), z > 0)
    with pytest.raises(ValueError, match="expected the same"):
        multi_task_cross_entropy(z, z, np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="classes is 2, expected 3: one class per example"):
        squared_hinge(z, np.array([0, 1]))
    with pytest.raises(ValueError, match="z is 3×2, expected m×T×C"):
        sequence_cross_entropy(z, np.zeros((3, 2), dtype=int), np.ones(3))
    with pytest.raises(ValueError, match="y is 3×2, expected 3×4"):
        sequence_cross_entropy(np.zeros((3, 4, 2)), np.zeros((3, 2), dtype=int), np.ones(3))
    with pytest.raises(ValueError, match="lengths is 2, expected 3"):
        sequence_cross_entropy(np.zeros((3, 4, 2)), np.zeros((3, 4), dtype=int), np.ones(2))
