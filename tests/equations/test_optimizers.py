"""Optimizers: first steps by hand, momentum in both forms, what adapts to what."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from orthogon.equations import optimizers
from orthogon.equations.averages import bias_corrected, exponentially_weighted_average
from orthogon.equations.optimizers import (
    adadelta,
    adagrad,
    adam,
    adamod,
    adamw,
    backstitch,
    gradient_descent,
    momentum,
    nadam,
    nesterov,
    rmsprop,
    simplified_momentum,
)
from orthogon.equations.schedules import exponential, inverse_square_root

GRADIENTS = np.random.default_rng(3).normal(size=(6, 2))


def run(step, gradients=GRADIENTS, **settings) -> np.ndarray:
    theta, state = np.zeros(2), {}
    for gradient in gradients:
        theta, state = step(theta, gradient, state, **settings)
    return theta


@pytest.mark.parametrize(
    ("step", "moved"),
    [
        (gradient_descent, 0.01 * 2.0),
        (momentum, 0.01 * 0.1 * 2.0),
        (simplified_momentum, 0.001 * 2.0),
        (nesterov, 0.001 * 1.9 * 2.0),
        (rmsprop, 0.001 / np.sqrt(0.001)),
        (adam, 0.001),
        (adamw, 0.001 * 0.01 * 5.0 + 0.001),
        (adagrad, 0.01),
        (adadelta, np.sqrt(1e-6) / np.sqrt(0.1 * 4.0 + 1e-6) * 2.0),
        (adamod, 0.001 * 0.001),
    ],
)
def test_the_first_step_from_5_down_a_slope_of_2_is_as_computed_by_hand(step, moved):
    theta, _ = step(np.array([5.0]), np.array([2.0]), {})
    assert 5.0 - theta[0] == pytest.approx(moved, rel=1e-6)


def test_the_first_step_of_nadam_follows_its_momentum_schedule():
    """μ₁ = β₁ (1 − ½ · 0.96^0.004): the slope counts 1, the momentum μ₂ · (1 − β₁) / (1 − μ₁ μ₂)."""
    now, ahead = (0.9 * (1 - 0.5 * 0.96 ** (0.004 * t)) for t in (1, 2))
    theta, _ = nadam(np.array([5.0]), np.array([2.0]), {})
    assert 5.0 - theta[0] == pytest.approx(0.002 * (1.0 + ahead * 0.1 / (1.0 - now * ahead)), rel=1e-6)


def test_both_forms_of_momentum_take_the_same_path():
    """Row 7.04: α_adjusted = α (1 − β)."""
    np.testing.assert_allclose(
        run(momentum, learning_rate=0.3, beta=0.8), run(simplified_momentum, learning_rate=0.3 * (1 - 0.8), beta=0.8),
        rtol=1e-13,
    )


def test_momentum_walks_down_the_exponentially_weighted_average_of_the_slopes():
    """Rows 7.01, 7.03; no bias correction."""
    averages = exponentially_weighted_average(GRADIENTS, 0.9)
    np.testing.assert_allclose(run(momentum), -0.01 * averages.sum(axis=0), rtol=1e-13)


def test_adam_divides_corrected_averages():
    """E17: V and S by 1 − βᵗ, t from 1."""
    V = bias_corrected(exponentially_weighted_average(GRADIENTS, 0.9), 0.9)
    S = bias_corrected(exponentially_weighted_average(GRADIENTS**2, 0.999), 0.999)
    np.testing.assert_allclose(run(adam), -0.001 * (V / (np.sqrt(S) + 1e-8)).sum(axis=0), rtol=1e-12)


def test_rmsprop_slows_the_direction_with_the_large_root_mean_square():
    """E12: with S_db large and S_dW small, W speeds up and b slows down against gradient descent."""
    gradients = np.array([[0.1, 10.0]] * 3)
    W, b = run(rmsprop, gradients) / run(gradient_descent, gradients)
    assert W / b == pytest.approx(10.0 / 0.1, rel=1e-4)


def test_rmsprop_looks_at_past_slopes_not_at_how_far_the_minimum_lies():
    """E27: on a plane, which has no minimum, steps of slope 1 and 1000 are equally long."""
    plane = np.array([[1.0, 1000.0]] * 5)
    theta = run(rmsprop, plane)
    assert theta[0] == pytest.approx(theta[1], rel=1e-6)


def test_weight_decay_of_adamw_is_not_adapted():
    """Without a slope the weights shrink by α λ, whatever S holds."""
    theta, _ = adamw(np.array([2.0]), np.array([0.0]), {"t": 5, "V": 0.0, "S": 100.0}, learning_rate=0.1)
    assert theta[0] == pytest.approx(2.0 * (1 - 0.1 * 0.01), rel=1e-15)


def test_adagrad_only_ever_slows_down():
    """Row 7.07: the k-th step down a constant slope is α/√k."""
    path = [run(adagrad, np.ones((k, 2)))[0] for k in range(1, 5)]
    np.testing.assert_allclose(-np.diff(path, prepend=0.0), 0.01 / np.sqrt([1, 2, 3, 4]), rtol=1e-8)


def test_adamod_never_goes_faster_than_adam():
    """Row 7.10: the rates are bounded by their average; with β₃ = 0 that is the rate itself, and this is Adam."""
    np.testing.assert_allclose(run(adamod, beta3=0.0), run(adam), rtol=1e-13)
    plane = np.ones((50, 2))
    assert 0.0 < -run(adamod, plane)[0] < -run(adam, plane)[0]


def test_adamod_takes_the_smaller_of_rate_and_average():
    """When the slopes grow the average of the rates lies above the rate, and the rate counts."""
    gradients = np.array([[1.0, 1.0], [1e4, 1e4]])
    state, theta = {}, np.zeros(2)
    for gradient in gradients:
        before = theta
        theta, state = adamod(theta, gradient, state, beta3=0.5)
    last_of_adam = run(adam, gradients) - run(adam, gradients[:1])
    np.testing.assert_allclose(theta - before, last_of_adam, rtol=1e-12)


def test_backstitch_goes_back_and_then_down_by_the_slope_found_there():
    """Row 7.11, on ½ a θ²; without the step back it is gradient descent."""
    a, rate, scale = 2.0, 0.1, 0.3
    back = 5.0 * (1 + scale * rate * a)
    expected = back - (1 + scale) * rate * a * back
    theta = backstitch(np.array([5.0]), lambda theta: a * theta, learning_rate=rate)
    assert theta[0] == pytest.approx(expected, rel=1e-15)
    still = backstitch(np.array([5.0]), lambda theta: a * theta, learning_rate=rate, scale=0.0)
    assert still[0] == pytest.approx(5.0 * (1 - rate * a), rel=1e-15)
    assert backstitch(np.array([1.0]), np.ones_like)[0] == pytest.approx(0.99, rel=1e-15)


def test_the_mean_gradient_makes_the_step_independent_of_the_batch_size():
    """E116 (row 6.08): summing instead is a rate m times as large."""
    slopes = GRADIENTS[:4]
    by_mean, _ = gradient_descent(np.zeros(2), slopes.mean(axis=0), {}, 0.4)
    by_sum, _ = gradient_descent(np.zeros(2), slopes.sum(axis=0), {}, 0.4 / 4)
    np.testing.assert_allclose(by_mean, by_sum, rtol=1e-14)


def test_a_schedule_scales_the_first_rate():
    """E15, E16: a step at α = 0.95^epoch α₀, or (k/√epoch) α₀, is proportional to α₀."""
    for schedule in (exponential, inverse_square_root):
        one, ten = (gradient_descent(np.zeros(1), np.ones(1), {}, schedule(4, rate))[0] for rate in (0.1, 1.0))
        assert ten[0] == pytest.approx(10 * one[0], rel=1e-14)


STEPS = [f for name, f in inspect.getmembers(optimizers, inspect.isfunction)
         if not name.startswith("_") and "gradient" in inspect.signature(f).parameters]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_nothing_is_changed_in_place_and_shapes_must_agree(step):
    theta, state = np.ones(2), {}
    _, state = step(theta, np.ones(2), state)
    kept = {name: np.copy(value) for name, value in state.items()}
    step(theta, np.full(2, 3.0), state)
    assert theta.tolist() == [1.0, 1.0]
    assert all(np.array_equal(kept[name], value) for name, value in state.items())
    with pytest.raises(ValueError, match=r"shapes are \(2,\) and \(2, 1\), expected the same"):
        step(theta, np.ones((2, 1)), {})
