"""Initializers: variances against standard deviations, and why weights must differ and keep their scale."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.dense import network, network_backward
from orthogon.equations.initialization import glorot_normal, glorot_uniform, he_normal, lecun_normal, small_random
from orthogon.equations.losses import cross_entropy_from_logits, cross_entropy_from_logits_backward

VARIANCES = {
    lecun_normal: lambda units, inputs: 1 / inputs,
    glorot_normal: lambda units, inputs: 2 / (inputs + units),
    glorot_uniform: lambda units, inputs: 2 / (inputs + units),
    he_normal: lambda units, inputs: 2 / inputs,
    small_random: lambda units, inputs: 1e-4,
}


@pytest.mark.parametrize("draw", VARIANCES, ids=lambda draw: draw.__name__)
def test_the_variance_not_the_deviation_is_1_or_2_over_n(draw):
    """E8: within 5 standard errors of the variance, √(2/N), at 120,000 draws."""
    W = draw(300, 400, np.random.default_rng(0))
    assert W.shape == (300, 400)
    wanted = VARIANCES[draw](300, 400)
    assert W.var() == pytest.approx(wanted, rel=5 * np.sqrt(2 / W.size))
    assert abs(W.mean()) < 5 * np.sqrt(wanted / W.size)


def test_he_is_the_courses_line_of_code():
    """Row 4.05: randn(n_l, n_{l−1}) · sqrt(2/n_{l−1})."""
    drawn = np.random.default_rng(1).standard_normal((4, 8))
    np.testing.assert_allclose(he_normal(4, 8, np.random.default_rng(1)), drawn * np.sqrt(2 / 8), rtol=1e-15)


def test_glorot_uniform_has_no_tails():
    """Row 4.08: all within ±√(6/(n_in + n_out)), and close to it."""
    W, r = glorot_uniform(30, 40, np.random.default_rng(2)), np.sqrt(6 / 70)
    assert 0.99 * r < W.max() <= r
    assert -r <= W.min() < -0.99 * r


def scale_after_fifty_layers(name: str, draw) -> float:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, 100))
    weights = [draw(100, 100, rng) for _ in range(50)]
    out, _ = network(X, weights, [np.zeros(100)] * 50, [name] * 50)
    return float(np.sqrt(np.mean(out**2)))


def test_he_keeps_the_scale_of_relu_and_a_gain_beside_it_does_not():
    """E7: what counts is the gain against 1, not the sign of the weights."""
    assert 0.1 < scale_after_fifty_layers("relu", he_normal) < 10.0
    assert scale_after_fifty_layers("relu", lambda *a: 0.8 * he_normal(*a)) < 1e-4
    assert scale_after_fifty_layers("relu", lambda *a: 1.25 * he_normal(*a)) > 1e4


def test_a_gain_below_1_vanishes_and_above_1_explodes_whatever_the_sign():
    """E7"""
    for sign in (1.0, -1.0):
        small, large = (
            network(np.ones((1, 1)), [np.full((1, 1), sign * gain)] * 50, [np.zeros(1)] * 50, ["identity"] * 50)[0]
            for gain in (0.5, 1.5)
        )
        assert abs(small.item()) == pytest.approx(0.5**50)
        assert abs(large.item()) == pytest.approx(1.5**50)


def train(weights: list[np.ndarray], steps: int = 20) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((30, 3)), rng.integers(0, 2, size=30)
    biases = [np.zeros(len(W)) for W in weights]
    for _ in range(steps):
        out, layers = network(X, weights, biases, ["tanh", "identity"])
        _, d_weights, d_biases = network_backward(
            cross_entropy_from_logits_backward(1.0, cross_entropy_from_logits(out, y)[1]), layers
        )
        weights = [W - 0.5 * d for W, d in zip(weights, d_weights)]
        biases = [b - 0.5 * d for b, d in zip(biases, d_biases)]
    return weights


def test_units_that_start_alike_stay_alike():
    """Row 4.01: whatever the constant, all hidden units go on computing the same; from zero they never start."""
    hidden, _ = train([np.full((4, 3), 0.3), np.array([[0.1] * 4, [-0.2] * 4])])
    assert np.ptp(hidden, axis=0).max() < 1e-15
    assert np.abs(hidden - 0.3).max() > 1e-3
    zero, head = train([np.zeros((4, 3)), np.zeros((2, 4))])
    assert not zero.any()
    assert not head.any()


def test_random_weights_break_the_symmetry_though_biases_start_at_zero():
    """Rows 4.01 to 4.03"""
    rng = np.random.default_rng(5)
    hidden, _ = train([small_random(4, 3, rng), small_random(2, 4, rng)], steps=60)
    assert np.ptp(hidden, axis=0).max() > 0.02
