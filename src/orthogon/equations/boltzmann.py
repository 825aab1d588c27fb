"""The restricted Boltzmann machine: energies, probabilities, and contrastive divergence.

v: N×n_v visible units, h: N×n_h hidden units, W: n_v×n_h, b: n_v biases of the visible, c: n_h of the hidden units.
Restricted: no two units of the same layer are connected (E50). So given the other layer, units are independent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape
from orthogon.equations.activations import sigmoid, softplus

Cache = tuple[Any, ...]
MOST_UNITS_TO_ENUMERATE = 16


def energy(v: Floats, h: Floats, W: Floats, b: Floats, c: Floats) -> Floats:
    """The energy of a joint state of both layers; low is likely, p(v, h) = exp(−E) / Z.

        E(v, h) = −vᵀ W h − bᵀ v − cᵀ h

    E: N. Row 23.08.
    """
    _expect_layers(v, W, b, c)
    expect_shape("h", h, (len(v), len(c)), "a row per example, a column per hidden unit")
    return -((v @ W) * h).sum(axis=1) - v @ b - h @ c


def free_energy(v: Floats, W: Floats, b: Floats, c: Floats) -> tuple[Floats, Cache]:
    """The energy of a visible state with the hidden units summed out, p(v) = exp(−F) / Z.

        F(v) = −log Σ_h exp(−E(v, h)) = −bᵀ v − Σ_j log(1 + exp(c_j + vᵀ W_j))
        p = σ(c + vᵀ W)        dv = −(b + W p) dF        dW = −Σᵢ v pᵀ dF        db = −Σᵢ v dF        dc = −Σᵢ p dF

    F: N. Gradients: d_v, d_W, d_b, d_c. Row 23.08.
    """
    _expect_layers(v, W, b, c)
    return -v @ b - softplus(v @ W + c)[0].sum(axis=1), (v, W, b, c)


def free_energy_backward(d_F: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats]:
    v, W, b, c = cache
    p = sigmoid(v @ W + c)[0]
    d_v = -(b + p @ W.T) * d_F[:, None]
    return d_v, -(v.T * d_F) @ p, -d_F @ v, -d_F @ p


def gaussian_free_energy(v: Floats, W: Floats, b: Floats, c: Floats) -> tuple[Floats, Cache]:
    """The free energy with real-valued visible units of variance 1 (Hinton 2012, "A practical guide", section 13.2).

        E(v, h) = ½ ‖v − b‖² − vᵀ W h − cᵀ h        F(v) = ½ ‖v − b‖² − Σ_j log(1 + exp(c_j + vᵀ W_j))
        dv = (v − b − W p) dF        db = −Σᵢ (v − b) dF        the others as in `free_energy`

    Standardize v first. Shapes and gradients as in `free_energy`. Row 23.08.
    """
    _expect_layers(v, W, b, c)
    return 0.5 * ((v - b) ** 2).sum(axis=1) - softplus(v @ W + c)[0].sum(axis=1), (v, W, b, c)


def gaussian_free_energy_backward(d_F: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats]:
    v, W, b, c = cache
    p = sigmoid(v @ W + c)[0]
    d_v = (v - b - p @ W.T) * d_F[:, None]
    return d_v, -(v.T * d_F) @ p, -d_F @ (v - b), -d_F @ p


def hidden_probabilities(v: Floats, W: Floats, c: Floats) -> Floats:
    """P(h_j = 1 | v) = σ(c_j + vᵀ W_j), for either kind of visible units. N×n_h. Row 23.08, E50."""
    return sigmoid(v @ W + c)[0]


def visible_probabilities(h: Floats, W: Floats, b: Floats) -> Floats:
    """P(v_i = 1 | h) = σ(b_i + W_i h). N×n_v. Row 23.08, E50."""
    return sigmoid(h @ W.T + b)[0]


def bernoulli_visible(h: Floats, W: Floats, b: Floats, draws: Floats) -> Floats:
    """Binary visible units given the hidden ones: v_i = 1 where draws < P(v_i = 1 | h). draws: N×n_v, uniform."""
    return (draws < visible_probabilities(h, W, b)).astype(float)


def gaussian_visible(h: Floats, W: Floats, b: Floats, draws: Floats) -> Floats:
    """Real-valued visible units given the hidden ones: v = b + W h + draws. draws: N×n_v, standard normal."""
    return h @ W.T + b + draws


def contrastive_divergence(
    v: Floats,
    W: Floats,
    b: Floats,
    c: Floats,
    hidden_draws: Floats,
    visible_draws: Floats,
    visible: Callable[[Floats, Floats, Floats, Floats], Floats] = bernoulli_visible,
) -> tuple[Floats, Floats, Floats]:
    """The gradients of CD-k (Hinton 2002): what the machine makes of the data in k steps, less the data.

        v⁰ = v        hˢ ~ P(h | vˢ)        vˢ⁺¹ ~ P(v | hˢ),  s = 0 … k−1        pˢ = P(h = 1 | vˢ)
        dW = ⟨vᵏ pᵏᵀ⟩ − ⟨v⁰ p⁰ᵀ⟩        db = ⟨vᵏ⟩ − ⟨v⁰⟩        dc = ⟨pᵏ⟩ − ⟨p⁰⟩,  ⟨ ⟩ the mean over examples

    hidden_draws: k×N×n_h, uniform in [0, 1). visible_draws: k×N×n_v, as `visible` wants them. Output: d_W, d_b, d_c, to
    be descended. No step computes a KL divergence: CD-k lowers, nearly, the difference of two of them, and for k → ∞
    these are the gradients of the mean of −log p(v) (row 23.08, E51).
    """
    _expect_layers(v, W, b, c)
    if not len(hidden_draws):
        raise ValueError("no draws for a step, expected k >= 1 steps along the first axis of hidden_draws")
    expect_shape("hidden_draws", hidden_draws, ("k", len(v), len(c)), "steps × examples × hidden units")
    expect_shape("visible_draws", visible_draws, (len(hidden_draws), *v.shape), "steps × examples × visible units")
    made = v
    for for_hidden, for_visible in zip(hidden_draws, visible_draws):
        h = (for_hidden < hidden_probabilities(made, W, c)).astype(float)
        made = visible(h, W, b, for_visible)
    p, p_made = hidden_probabilities(v, W, c), hidden_probabilities(made, W, c)
    return (made.T @ p_made - v.T @ p) / len(v), (made - v).mean(axis=0), (p_made - p).mean(axis=0)


def log_partition(W: Floats, b: Floats, c: Floats) -> float:
    """log Z of a small machine with binary units, exactly: over all 2^n_v visible states.

        Z = Σ_v Σ_h exp(−E(v, h)) = Σ_v exp(−F(v))

    ValueError beyond 16 visible units. Row 23.08.
    """
    if len(b) > MOST_UNITS_TO_ENUMERATE:
        raise ValueError(f"2^{len(b)} states are too many to count, expected at most {MOST_UNITS_TO_ENUMERATE} units")
    states = ((np.arange(2 ** len(b))[:, None] >> np.arange(len(b))) & 1).astype(float)
    return float(np.logaddexp.reduce(-free_energy(states, W, b, c)[0]))


def _expect_layers(v: Floats, W: Floats, b: Floats, c: Floats) -> None:
    expect_shape("v", v, ("N", len(b)), "a row per example, a column per visible unit")
    expect_shape("W", W, (len(b), len(c)), "a row per visible unit, a column per hidden unit")
