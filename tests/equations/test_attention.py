"""Attention: weights, masks, and what is added up. Gradients: see twins_sequences."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.attention import (
    attention_weights,
    bahdanau_attention,
    bahdanau_decoder_step,
    scaled_dot_product_attention,
)
from orthogon.equations.recurrent import gru_step

RNG = np.random.default_rng(0)
S, A = RNG.normal(size=(2, 3)), RNG.normal(size=(2, 5, 4))
W, B, V = RNG.normal(size=(6, 7)), RNG.normal(size=6), RNG.normal(size=6)


def test_weights_add_up_to_one_and_are_zero_where_masked():
    mask = np.array([[True, False, True], [False, True, False]])
    alpha, _ = attention_weights(np.array([[1.0, 99.0, 1.0], [3.0, 4.0, 5.0]]), mask)
    np.testing.assert_array_equal(alpha, [[0.5, 0, 0.5], [0, 1, 0]])


def test_the_context_is_the_weighted_sum_of_the_encoders_outputs():
    """E110, 36.24: by loops over examples and time; the weights add up to 1."""
    context, _ = bahdanau_attention(S, A, W, B, V)
    for i in range(2):
        e = [V @ np.tanh(W @ np.concatenate([S[i], A[i, t]]) + B) for t in range(5)]
        alpha = np.exp(e) / np.sum(np.exp(e))
        np.testing.assert_allclose(context[i], sum(alpha[t] * A[i, t] for t in range(5)))
        assert alpha.sum() == pytest.approx(1)


def test_equal_scores_give_the_mean_of_what_may_be_attended_to():
    mask = np.array([[True, True, False, True, False], [False, False, True, False, False]])
    context, _ = bahdanau_attention(S, A, W, B, np.zeros(6), mask)
    np.testing.assert_allclose(context, [A[0, [0, 1, 3]].mean(axis=0), A[1, 2]])


def test_masked_keys_and_values_do_not_matter():
    Q, K, V = RNG.normal(size=(3, 4)), RNG.normal(size=(5, 4)), RNG.normal(size=(5, 2))
    mask = np.arange(5) < 3
    out, _ = scaled_dot_product_attention(Q, K, V, mask)
    np.testing.assert_allclose(out, scaled_dot_product_attention(Q, K[:3], V[:3])[0])


def test_a_query_that_matches_one_key_gets_its_value():
    V = np.arange(6.0).reshape(3, 2)
    out, _ = scaled_dot_product_attention(1e4 * np.eye(3)[[2, 0]], np.eye(3), V)
    np.testing.assert_allclose(out, V[[2, 0]])


def test_a_decoder_step_feeds_word_and_context_to_the_gated_unit():
    """36.33: s⟨t⟩ = f(s⟨t−1⟩, y⟨t−1⟩, c⟨t⟩)."""
    y, cell = RNG.normal(size=(2, 2)), [RNG.normal(size=(9, 9)), RNG.normal(size=9)]
    out, _ = bahdanau_decoder_step(y, S, A, [W, B, V], cell)
    context, _ = bahdanau_attention(S, A, W, B, V)
    np.testing.assert_allclose(out, gru_step(np.hstack([y, context]), S, *cell)[0])


def test_nothing_to_attend_to_is_refused():
    with pytest.raises(ValueError, match="nothing to attend to"):
        attention_weights(np.ones((2, 3)), np.array([[True, True, True], [False, False, False]]))


@pytest.mark.parametrize(
    ("Q", "K", "V"),
    [
        ((3, 4), (5, 3), (5, 2)),
        ((3, 4), (5, 4), (6, 2)),
        ((2, 3, 4), (3, 5, 4), (3, 5, 2)),
        ((2, 3, 4), (2, 5, 4), (3, 5, 2)),
    ],
)
def test_queries_keys_and_values_that_do_not_fit_are_refused(Q, K, V):
    with pytest.raises(ValueError, match="expected …×T_q×d"):
        scaled_dot_product_attention(np.ones(Q), np.ones(K), np.ones(V))


@pytest.mark.parametrize(
    ("name", "shape"), [("s", (3, 3)), ("W", (6, 8)), ("W", (6, 6)), ("b", (5,)), ("v", (7,)), ("v", (6, 1))]
)
def test_a_small_network_that_does_not_fit_is_refused(name, shape):
    with pytest.raises(ValueError, match=f"{name} is"):
        bahdanau_attention(**{"s": S, "a": A, "W": W, "b": B, "v": V, name: np.ones(shape)})
