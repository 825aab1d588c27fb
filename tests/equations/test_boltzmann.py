"""Restricted Boltzmann machines, small enough to be enumerated. Gradients: see twins_sequences."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from orthogon.equations.boltzmann import (
    bernoulli_visible,
    contrastive_divergence,
    energy,
    free_energy,
    free_energy_backward,
    gaussian_free_energy,
    gaussian_visible,
    hidden_probabilities,
    log_partition,
    visible_probabilities,
)

RNG = np.random.default_rng(0)
W, B, C = 2 * RNG.normal(size=(4, 3)), RNG.normal(size=4), RNG.normal(size=3)
VISIBLE = np.array(list(product([0.0, 1.0], repeat=4)))
HIDDEN = np.array(list(product([0.0, 1.0], repeat=3)))


def joint() -> np.ndarray:
    """exp(−E) of every visible state with every hidden state, by loops over units."""

    def minus_energy(v, h):
        return sum(v[i] * W[i, j] * h[j] for i in range(4) for j in range(3)) + sum(B * v) + sum(C * h)

    return np.array([[np.exp(minus_energy(v, h)) for h in HIDDEN] for v in VISIBLE])


def test_the_energy_of_a_joint_state():
    v, h = np.repeat(VISIBLE, 8, axis=0), np.tile(HIDDEN, (16, 1))
    np.testing.assert_allclose(np.exp(-energy(v, h, W, B, C)).reshape(16, 8), joint())


def test_units_of_a_layer_are_independent_given_the_other_layer():
    """E50: no two nodes within a layer are connected; so the joint distribution factors as the probabilities say."""
    given_v, given_h = joint() / joint().sum(axis=1, keepdims=True), joint() / joint().sum(axis=0)
    p, q = hidden_probabilities(VISIBLE, W, C), visible_probabilities(HIDDEN, W, B)
    for i, v in enumerate(VISIBLE):
        for j, h in enumerate(HIDDEN):
            assert given_v[i, j] == pytest.approx(np.prod(np.where(h == 1, p[i], 1 - p[i])))
            assert given_h[i, j] == pytest.approx(np.prod(np.where(v == 1, q[j], 1 - q[j])))


def test_the_free_energy_sums_the_hidden_units_out():
    np.testing.assert_allclose(free_energy(VISIBLE, W, B, C)[0], -np.log(joint().sum(axis=1)))


def test_the_partition_sums_over_all_states():
    assert log_partition(W, B, C) == pytest.approx(np.log(joint().sum()))


def test_a_partition_too_large_is_refused():
    assert log_partition(np.zeros((16, 1)), np.zeros(16), np.zeros(1)) == pytest.approx(17 * np.log(2))
    with pytest.raises(ValueError, match="too many"):
        log_partition(np.zeros((17, 1)), np.zeros(17), np.zeros(1))


def test_real_valued_visible_units_are_normal_around_what_the_hidden_ones_say():
    """E(v, h) = ½‖v−b‖² − vᵀWh − cᵀh; given h, v is normal with mean b + Wh and variance 1."""
    v = RNG.normal(size=(5, 4))
    states = [0.5 * ((v - B) ** 2).sum(axis=1) - v @ W @ h - C @ h for h in HIDDEN]
    np.testing.assert_allclose(gaussian_free_energy(v, W, B, C)[0], -np.log(np.exp(-np.array(states)).sum(axis=0)))
    h, draws = HIDDEN[[5]], RNG.normal(size=(1, 4))
    np.testing.assert_allclose(gaussian_visible(h, W, B, draws), B + W @ h[0] + draws)


def test_a_visible_unit_is_on_where_the_draw_is_below_its_probability():
    q = visible_probabilities(HIDDEN, W, B)
    np.testing.assert_array_equal(bernoulli_visible(HIDDEN, W, B, q - 1e-9), np.ones((8, 4)))
    np.testing.assert_array_equal(bernoulli_visible(HIDDEN, W, B, q), np.zeros((8, 4)))


def test_a_long_chain_gives_the_gradient_of_the_likelihood_and_a_short_one_only_nears_it():
    """E51: CD-k is no KL divergence per update; its step tends to the exact gradient of −log p(v) as k grows."""
    data = np.tile(VISIBLE[[1, 6, 15]], (8_000, 1))
    likely = joint().sum(axis=1) / joint().sum()

    def mean_gradients(v, weight):
        _, d_W, d_b, d_c = free_energy_backward(weight, free_energy(v, W, B, C)[1])
        return np.concatenate([d_W.ravel(), d_b, d_c])

    exact = mean_gradients(VISIBLE[[1, 6, 15]], np.full(3, 1 / 3)) - mean_gradients(VISIBLE, likely)

    def error(k):
        rng = np.random.default_rng(1)
        draws = rng.random((k, len(data), 3)), rng.random((k, len(data), 4))
        estimate = np.concatenate([d.ravel() for d in contrastive_divergence(data, W, B, C, *draws)])
        return np.abs(estimate - exact).max()

    assert error(1) > 0.1 > error(3) > 0.03
    assert error(30) < 0.01


def test_descending_contrastive_divergence_makes_the_data_likelier():
    data = np.tile(VISIBLE[[3, 12]], (10, 1))
    weights, b, c = 0.1 * RNG.normal(size=(4, 3)), np.zeros(4), np.zeros(3)

    def likelihood():
        return -free_energy(data, weights, b, c)[0].mean() - log_partition(weights, b, c)

    before = likelihood()
    for _ in range(300):
        draws = RNG.random((1, 20, 3)), RNG.random((1, 20, 4))
        d_weights, d_b, d_c = contrastive_divergence(data, weights, b, c, *draws)
        weights, b, c = weights - 0.3 * d_weights, b - 0.3 * d_b, c - 0.3 * d_c
    assert before == pytest.approx(4 * np.log(0.5), abs=0.2)
    assert likelihood() > 1.5 * np.log(0.5)


@pytest.mark.parametrize(
    ("hidden", "visible", "words"),
    [
        ((0, 16, 3), (0, 16, 4), "k >= 1"),
        ((2, 16, 4), (2, 16, 4), "hidden_draws is"),
        ((2, 15, 3), (2, 16, 4), "hidden_draws is"),
        ((2, 16, 3), (1, 16, 4), "visible_draws is"),
        ((2, 16, 3), (2, 16, 3), "visible_draws is"),
    ],
)
def test_draws_that_do_not_fit_are_refused(hidden, visible, words):
    with pytest.raises(ValueError, match=words):
        contrastive_divergence(VISIBLE, W, B, C, np.zeros(hidden), np.zeros(visible))


def test_layers_that_do_not_fit_are_refused():
    for call in (
        lambda: free_energy(VISIBLE[:, 1:], W, B, C),
        lambda: gaussian_free_energy(VISIBLE, W.T, B, C),
        lambda: energy(VISIBLE, HIDDEN, W, B, C),
        lambda: contrastive_divergence(VISIBLE[:, 1:], W, B, C, np.zeros((1, 16, 3)), np.zeros((1, 16, 3))),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()
