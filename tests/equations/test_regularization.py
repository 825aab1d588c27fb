"""Penalties, weight decay, max-norm, dropout."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.optimizers import gradient_descent
from orthogon.equations.regularization import (
    dropout_mask,
    inverted_dropout,
    inverted_dropout_backward,
    l1_penalty,
    l1_penalty_backward,
    l2_penalty,
    l2_penalty_backward,
    max_norm,
    original_dropout,
    original_dropout_at_test_time,
    original_dropout_backward,
    weight_decay,
)

WEIGHTS = [np.array([[1.0, -2.0]]), np.array([[3.0], [0.0]])]


def test_l2_sums_squares_and_l1_absolute_values():
    """E6; row 36.31: (λ/2) Σ W² and λ Σ |W|."""
    assert l2_penalty(WEIGHTS, 0.1)[0] == pytest.approx(0.05 * 14.0, rel=1e-15)
    assert l1_penalty(WEIGHTS, 0.1)[0] == pytest.approx(0.1 * 6.0, rel=1e-15)


def test_the_penalty_is_a_cost_of_the_weights_alone():
    """E56: it adds λ W, or λ sign(W), to the gradients of the weights, and knows no activations."""
    by_l2 = l2_penalty_backward(2.0, l2_penalty(WEIGHTS, 0.1)[1])
    by_l1 = l1_penalty_backward(2.0, l1_penalty(WEIGHTS, 0.1)[1])
    for W, d2, d1 in zip(WEIGHTS, by_l2, by_l1):
        np.testing.assert_allclose(d2, 0.2 * W, rtol=1e-15)
        np.testing.assert_allclose(d1, 0.2 * np.sign(W), rtol=1e-15)


def test_the_courses_lambda_over_2m_is_ours_times_m():
    """Row 36.31"""
    m, course = 50, 0.7
    (W,) = l2_penalty_backward(1.0, l2_penalty(WEIGHTS[:1], course / m)[1])
    np.testing.assert_allclose(W, course / m * WEIGHTS[0], rtol=1e-15)


def test_l1_takes_unimportant_weights_to_zero_and_l2_only_near():
    """E56, rows 5.01, 5.02: the minima of ½ (w − a)² + P for a = 0.5 and λ = 1 are 0 and a / (1 + λ)."""
    by_l1, by_l2 = np.array([0.5]), np.array([0.5])
    for _ in range(2000):
        by_l1, _ = gradient_descent(by_l1, by_l1 - 0.5 + l1_penalty_backward(1.0, ([by_l1], 1.0))[0], {})
        by_l2, _ = gradient_descent(by_l2, by_l2 - 0.5 + l2_penalty_backward(1.0, ([by_l2], 1.0))[0], {})
    assert abs(by_l1[0]) < 0.02
    assert by_l2[0] == pytest.approx(0.25, rel=1e-6)


def test_weight_decay_is_gradient_descent_on_the_l2_penalty():
    (gradient,) = l2_penalty_backward(1.0, l2_penalty(WEIGHTS[:1], 0.3)[1])
    stepped, _ = gradient_descent(WEIGHTS[0], gradient, {}, 0.1)
    np.testing.assert_allclose(weight_decay(WEIGHTS[0], 0.1, 0.3), stepped, rtol=1e-15)


@pytest.mark.parametrize("f", [lambda s: l2_penalty(WEIGHTS, s), lambda s: l1_penalty(WEIGHTS, s),
                               lambda s: weight_decay(WEIGHTS[0], 0.1, s)])
def test_a_negative_strength_is_refused(f):
    assert f(0.0) is not None
    for wrong in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="expected 0 or more"):
            f(wrong)


def test_units_longer_than_the_limit_are_scaled_back_to_it():
    """Row 5.09: rows of length 5, 2 and 0 under limits of 4 and 1."""
    W = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    np.testing.assert_allclose(max_norm(W), [[2.4, 3.2], [0.0, 2.0], [0.0, 0.0]], rtol=1e-15)
    np.testing.assert_allclose(max_norm(W, 1.0), [[0.6, 0.8], [0.0, 1.0], [0.0, 0.0]], rtol=1e-15)
    with pytest.raises(ValueError, match="W is 3, expected units×n"):
        max_norm(np.ones(3))


def test_kept_activations_are_divided_by_the_number_keep_prob():
    """E13: with half of the units off the others count double, forward and backward."""
    mask = np.array([[1.0, 0.0, 1.0]])
    out, cache = inverted_dropout(np.array([[3.0, 5.0, -1.0]]), mask, 0.5)
    assert out.tolist() == [[6.0, 0.0, -2.0]]
    assert inverted_dropout_backward(np.ones((1, 3)), cache).tolist() == [[2.0, 0.0, 2.0]]


def test_the_mask_keeps_the_share_it_should():
    """Row 5.04: within 5 standard errors of 0.8."""
    mask = dropout_mask((400, 500), 0.8, np.random.default_rng(0))
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert mask.mean() == pytest.approx(0.8, abs=5 * np.sqrt(0.8 * 0.2 / mask.size))
    assert dropout_mask((50,), 1.0, np.random.default_rng(0)).all()


def test_both_forms_of_dropout_are_equal_in_expectation_and_differ_by_keep_prob():
    """Rows 5.05, 5.06: the mean over masks is what each form gives at test time."""
    A, keep = np.array([2.0, -1.0, 0.5]), 0.7
    mask = dropout_mask((200000, 3), keep, np.random.default_rng(1))
    repeated = np.broadcast_to(A, mask.shape)
    error = 5 * np.abs(A) * np.sqrt((1 - keep) / keep / len(mask))
    assert np.all(np.abs(inverted_dropout(repeated, mask, keep)[0].mean(axis=0) - A) < error)
    at_test = original_dropout_at_test_time(A, keep)
    assert np.all(np.abs(original_dropout(repeated, mask)[0].mean(axis=0) - at_test) < error)
    np.testing.assert_allclose(at_test, keep * A)


def test_the_original_form_leaves_what_it_keeps():
    out, cache = original_dropout(np.array([3.0, 5.0]), np.array([1.0, 0.0]))
    assert out.tolist() == [3.0, 0.0]
    assert original_dropout_backward(np.array([7.0, 7.0]), cache).tolist() == [7.0, 0.0]


def test_masks_must_fit_and_keep_prob_be_a_share():
    A = np.ones((2, 3))
    for f in (lambda mask: inverted_dropout(A, mask, 0.5), lambda mask: original_dropout(A, mask)):
        with pytest.raises(ValueError, match="mask is 3, expected 2×3"):
            f(np.ones(3))
    for wrong in (0.0, 1.1, -0.5):
        for use in (lambda k: inverted_dropout(A, A, k), lambda k: original_dropout_at_test_time(A, k),
                    lambda k: dropout_mask((3,), k, np.random.default_rng(0))):
            with pytest.raises(ValueError, match="expected above 0 and at most 1"):
                use(wrong)
