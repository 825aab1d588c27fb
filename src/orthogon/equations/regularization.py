"""What holds a network back from fitting its training set too well: penalties, max-norm, dropout.

A penalty is added to the mean cost J; it does not touch activations, and biases are left out of it (row 5.03, E56).
λ stands here as (λ/2) Σ W² and λ Σ |W|. The course's (λ/2m) Σ W² is the same with λ_course = m λ: its dW += (λ/m) W
is our dW += λ W (row 36.31).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from orthogon.equations._shapes import Floats, expect_shape

Penalty = tuple[float, tuple[Sequence[Floats], float]]


def l2_penalty(weights: Sequence[Floats], strength: float) -> Penalty:
    """The sum of squares: shrinks weights towards 0, but not to it (ridge).

        P = (λ/2) Σ_l ‖Wˡ‖²        dWˡ = λ Wˡ

    strength: λ ≥ 0. Gradient: a list, one per weight. Rows 1.30, 5.01, E6, E56.
    """
    _expect_strength(strength)
    return 0.5 * strength * sum(float((W**2).sum()) for W in weights), (weights, strength)


def l2_penalty_backward(d_P: float, cache: tuple[Sequence[Floats], float]) -> list[Floats]:
    weights, strength = cache
    return [d_P * strength * W for W in weights]


def l1_penalty(weights: Sequence[Floats], strength: float) -> Penalty:
    """The sum of absolute values: unimportant weights reach 0 (lasso).

        P = λ Σ_l Σ |Wˡ|        dWˡ = λ sign(Wˡ), 0 at 0

    strength: λ ≥ 0. Gradient: a list, one per weight. Rows 1.30, 5.02, E6, E56.
    """
    _expect_strength(strength)
    return strength * sum(float(np.abs(W).sum()) for W in weights), (weights, strength)


def l1_penalty_backward(d_P: float, cache: tuple[Sequence[Floats], float]) -> list[Floats]:
    weights, strength = cache
    return [d_P * strength * np.sign(W) for W in weights]


def weight_decay(W: Floats, learning_rate: float, strength: float) -> Floats:
    """The weights shrink by themselves at each step.

        W := (1 − α λ) W

    Under gradient descent the same as `l2_penalty`; under adaptive methods it is not, and works better (row 5.01).
    """
    _expect_strength(strength)
    return (1.0 - learning_rate * strength) * W


def max_norm(W: Floats, limit: float = 4.0) -> Floats:
    """No unit's weights longer than the limit; longer ones are scaled back to it.

        wᵢ := wᵢ · min(1, c / ‖wᵢ‖₂)        wᵢ: row i of W, what comes into unit i

    W: units×inputs. Rows 5.08, 5.09: c of 4 or 5; Srivastava et al. 2014.
    """
    expect_shape("W", W, ("units", "n"), "a row per unit, a column per input")
    lengths = np.linalg.norm(W, axis=1, keepdims=True)
    return W * (limit / np.maximum(lengths, limit))


def dropout_mask(shape: tuple[int, ...], keep_prob: float, generator: Generator) -> Floats:
    """Which units stay on in this iteration; the same mask serves forward and backward.

        d = 1 with probability keep_prob, else 0

    Row 5.04.
    """
    _expect_probability(keep_prob)
    return (generator.random(shape) < keep_prob).astype(float)


def inverted_dropout(A: Floats, mask: Floats, keep_prob: float) -> tuple[Floats, Floats]:
    """Units switched off at random in training; at test time nothing is left to do.

        A := A ∗ d / keep_prob        dA := dA ∗ d / keep_prob

    The number keep_prob divides, so that the mean stays: with half of the units off the rest count double.
    mask: from `dropout_mask`, the shape of A. Rows 5.04, 5.05, E13; Srivastava et al. 2014.
    """
    _expect_probability(keep_prob)
    expect_shape("mask", mask, A.shape, "one 0 or 1 per activation")
    factor = mask / keep_prob
    return A * factor, factor


def inverted_dropout_backward(d_A: Floats, cache: Floats) -> Floats:
    factor = cache
    return d_A * factor


def original_dropout(A: Floats, mask: Floats) -> tuple[Floats, Floats]:
    """Units switched off at random in training, the others as they are; test time is scaled instead.

        A := A ∗ d        dA := dA ∗ d

    mask: from `dropout_mask`, the shape of A. Row 5.06.
    """
    expect_shape("mask", mask, A.shape, "one 0 or 1 per activation")
    return A * mask, mask


def original_dropout_backward(d_A: Floats, cache: Floats) -> Floats:
    mask = cache
    return d_A * mask


def original_dropout_at_test_time(A: Floats, keep_prob: float) -> Floats:
    """All units on, scaled to what they gave on average in training.

        A := A · keep_prob

    keep_prob times as large, in training and at test time, as under `inverted_dropout` (row 5.06).
    """
    _expect_probability(keep_prob)
    return A * keep_prob


def _expect_strength(strength: float) -> None:
    if not strength >= 0.0:
        raise ValueError(f"the strength λ is {strength}, expected 0 or more: a negative one rewards large weights")


def _expect_probability(keep_prob: float) -> None:
    if not 0.0 < keep_prob <= 1.0:
        raise ValueError(f"keep_prob is {keep_prob}, expected above 0 and at most 1: the share of units that stay on")
