"""Recurrent cells, one step of time each, and back-propagation through time over any of them.

x⟨t⟩ is the input, a⟨t⟩ the activation, c⟨t⟩ the memory, Γ a gate, [a, x] the two side by side, ∗ element by element.
W and b hold the rows of all gates, in this order, n_a rows each:

    RNN   W: n_a×(n_a+n_x)     a                    state a: N×n_a
    GRU   W: 3n_a×(n_a+n_x)    c̃, Γ_u, Γ_r          state c: N×n_a
    LSTM  W: 4n_a×(n_a+n_x)    c̃, Γ_u, Γ_f, Γ_o     state (a, c): 2×N×n_a

A step gives the state from which the next step starts. It is a⟨t⟩ that goes up to the next layer, never ŷ⟨t⟩ (E46).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from orthogon.equations._shapes import Booleans, Floats, expect_shape
from orthogon.equations.activations import sigmoid

Cache = tuple[Any, ...]


def rnn_step(x: Floats, a: Floats, W: Floats, b: Floats) -> tuple[Floats, Cache]:
    """A step of the basic recurrent network.

        a⟨t⟩ = tanh(W [a⟨t−1⟩, x⟨t⟩] + b),  W = [W_aa | W_ax]
        dz = da ∗ (1 − a⟨t⟩²)        [da⟨t−1⟩, dx⟨t⟩] = dz W        dW = dzᵀ [a⟨t−1⟩, x⟨t⟩]        db = Σᵢ dz⁽ⁱ⁾

    x: N×n_x. a: N×n_a. W: n_a×(n_a+n_x). b: n_a. Gradients: d_x, d_a, d_W, d_b. Rows 24.01, 24.02, 36.01.
    """
    ax = _side_by_side(a, x, W, b, gates=1)
    a = np.tanh(ax @ W.T + b)
    return a, (ax, a, W)


def rnn_step_backward(d_a: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats]:
    ax, a, W = cache
    d_z = d_a * (1 - a**2)
    d_before, d_x = np.split(d_z @ W, [len(W)], axis=1)
    return d_x, d_before, d_z.T @ ax, d_z.sum(axis=0)


def gru_step(x: Floats, c: Floats, W: Floats, b: Floats) -> tuple[Floats, Cache]:
    """A step of the gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

        Γ_u = σ(W_u [c⟨t−1⟩, x⟨t⟩] + b_u)        Γ_r = σ(W_r [c⟨t−1⟩, x⟨t⟩] + b_r)
        c̃ = tanh(W_c [Γ_r ∗ c⟨t−1⟩, x⟨t⟩] + b_c)        c⟨t⟩ = a⟨t⟩ = Γ_u ∗ c̃ + (1 − Γ_u) ∗ c⟨t−1⟩
        dz_c = dc ∗ Γ_u ∗ (1 − c̃²)        dz_u = dc ∗ (c̃ − c⟨t−1⟩) ∗ Γ_u ∗ (1 − Γ_u)
        [d(Γ_r ∗ c⟨t−1⟩), dx⟨t⟩] = dz_c W_c        dz_r = d(Γ_r ∗ c⟨t−1⟩) ∗ c⟨t−1⟩ ∗ Γ_r ∗ (1 − Γ_r)
        dc⟨t−1⟩ = dc ∗ (1 − Γ_u) + d(Γ_r ∗ c⟨t−1⟩) ∗ Γ_r; and [dc⟨t−1⟩, dx⟨t⟩] grows by dz_u W_u + dz_r W_r

    x: N×n_x. c: N×n_a. W: 3n_a×(n_a+n_x). b: 3n_a. Rows c̃, Γ_u, Γ_r. Gradients: d_x, d_c, d_W, d_b.
    The relevance gate Γ_r and the update of c belong to it (rows 24.18, 36.02, E80).
    """
    cx = _side_by_side(c, x, W, b, gates=3)
    (W_c, W_u, W_r), (b_c, b_u, b_r) = np.split(W, 3), np.split(b, 3)
    u, r = sigmoid(cx @ W_u.T + b_u)[0], sigmoid(cx @ W_r.T + b_r)[0]
    rcx = np.concatenate([r * c, x], axis=1)
    candidate = np.tanh(rcx @ W_c.T + b_c)
    return u * candidate + (1 - u) * c, (cx, rcx, c, candidate, u, r, W)


def gru_step_backward(d_out: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats]:
    cx, rcx, c, candidate, u, r, W = cache
    W_c, W_u, W_r = np.split(W, 3)
    d_zc = d_out * u * (1 - candidate**2)
    d_rc, d_x = np.split(d_zc @ W_c, [c.shape[1]], axis=1)
    d_zu = d_out * (candidate - c) * u * (1 - u)
    d_zr = d_rc * c * r * (1 - r)
    d_c_gates, d_x_gates = np.split(d_zu @ W_u + d_zr @ W_r, [c.shape[1]], axis=1)
    d_W = np.concatenate([d_zc.T @ rcx, d_zu.T @ cx, d_zr.T @ cx])
    d_b = np.concatenate([d_zc, d_zu, d_zr], axis=1).sum(axis=0)
    return d_x + d_x_gates, d_out * (1 - u) + d_rc * r + d_c_gates, d_W, d_b


def gru_reset_after_step(x: Floats, c: Floats, W: Floats, b: Floats, b_c: Floats) -> tuple[Floats, Cache]:
    """A step of the gated recurrent unit as torch and cuDNN have it: reset after the matrix product, not before.

        h = W_cc c⟨t−1⟩ + b_cc        c̃ = tanh(W_cx x⟨t⟩ + b_cx + Γ_r ∗ h),  W_c = [W_cc | W_cx]
        dz_c = dc ∗ Γ_u ∗ (1 − c̃²)        dh = dz_c ∗ Γ_r        dz_r = dz_c ∗ h ∗ Γ_r ∗ (1 − Γ_r)

    All else as in `gru_step`, with b_cx among the rows of b, and b_c: n_a, which is b_cc. Gradients: d_x, d_c, d_W,
    d_b, d_b_c. torch orders the rows r, z, n, with z = 1 − Γ_u. Row 36.02.
    """
    cx = _side_by_side(c, x, W, b, gates=3)
    expect_shape("b_c", b_c, (c.shape[1],), "one bias per unit, added before the reset")
    z_x, z_h = x @ W[:, c.shape[1] :].T + b, c @ W[:, : c.shape[1]].T
    (x_c, x_u, x_r), (h, h_u, h_r) = np.split(z_x, 3, axis=1), np.split(z_h, 3, axis=1)
    h = h + b_c
    u, r = sigmoid(x_u + h_u)[0], sigmoid(x_r + h_r)[0]
    candidate = np.tanh(x_c + r * h)
    return u * candidate + (1 - u) * c, (cx, h, c, candidate, u, r, W)


def gru_reset_after_step_backward(d_out: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    cx, h, c, candidate, u, r, W = cache
    n = c.shape[1]
    d_zc = d_out * u * (1 - candidate**2)
    d_zu = d_out * (candidate - c) * u * (1 - u)
    d_zr = d_zc * h * r * (1 - r)
    from_x = np.concatenate([d_zc, d_zu, d_zr], axis=1)
    from_c = np.concatenate([d_zc * r, d_zu, d_zr], axis=1)
    d_W = np.concatenate([from_c.T @ cx[:, :n], from_x.T @ cx[:, n:]], axis=1)
    return from_x @ W[:, n:], d_out * (1 - u) + from_c @ W[:, :n], d_W, from_x.sum(axis=0), (d_zc * r).sum(axis=0)


def lstm_step(x: Floats, state: Floats, W: Floats, b: Floats) -> tuple[Floats, Cache]:
    """A step of long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        c̃ = tanh(W_c [a⟨t−1⟩, x⟨t⟩] + b_c)        Γ_u, Γ_f, Γ_o = σ(W_· [a⟨t−1⟩, x⟨t⟩] + b_·)
        c⟨t⟩ = Γ_u ∗ c̃ + Γ_f ∗ c⟨t−1⟩        a⟨t⟩ = Γ_o ∗ tanh(c⟨t⟩)

    x: N×n_x. state: (a, c), 2×N×n_a, as what comes out. W: 4n_a×(n_a+n_x). b: 4n_a. Rows c̃, Γ_u, Γ_f, Γ_o. Gradients:
    d_x, d_state, d_W, d_b, those of `peephole_lstm_step` with P = 0. Rows 24.19, 36.03.
    """
    return peephole_lstm_step(x, state, W, b, np.zeros((3, state.shape[2])))


def lstm_step_backward(d_out: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats]:
    d_x, d_state, d_W, d_b, _ = peephole_lstm_step_backward(d_out, cache)
    return d_x, d_state, d_W, d_b


def peephole_lstm_step(x: Floats, state: Floats, W: Floats, b: Floats, P: Floats) -> tuple[Floats, Cache]:
    """A step of an LSTM whose gates also look at the memory, each unit's gates at its own.

        Γ_u, Γ_f, Γ_o = σ(W_· [a⟨t−1⟩, x⟨t⟩] + P_· ∗ c⟨t−1⟩ + b_·)
        dc = dc⟨t⟩ + da⟨t⟩ ∗ Γ_o ∗ (1 − tanh²(c⟨t⟩))        dz_c = dc ∗ Γ_u ∗ (1 − c̃²)
        dz_u = dc ∗ c̃ ∗ Γ_u ∗ (1 − Γ_u)        dz_f = dc ∗ c⟨t−1⟩ ∗ Γ_f ∗ (1 − Γ_f)
        dz_o = da⟨t⟩ ∗ tanh(c⟨t⟩) ∗ Γ_o ∗ (1 − Γ_o)
        dc⟨t−1⟩ = dc ∗ Γ_f + P_u ∗ dz_u + P_f ∗ dz_f + P_o ∗ dz_o        dP_· = Σᵢ dz_· ∗ c⟨t−1⟩

    P: 3×n_a, rows Γ_u, Γ_f, Γ_o; all else as in `lstm_step`. Gradients: d_x, d_state, d_W, d_b, d_P. All gates look at
    c⟨t−1⟩; in Gers & Schmidhuber 2000 the output gate looks at c⟨t⟩. Rows 24.20, 36.04.
    """
    a, before = state
    ax = _side_by_side(a, x, W, b, gates=4)
    expect_shape("P", P, (3, a.shape[1]), "a row for each of the gates u, f, o, a weight per unit")
    z_c, z_u, z_f, z_o = np.split(ax @ W.T + b, 4, axis=1)
    candidate = np.tanh(z_c)
    u, f, o = (sigmoid(z + p * before)[0] for z, p in zip((z_u, z_f, z_o), P))
    c = u * candidate + f * before
    return np.stack([o * np.tanh(c), c]), (ax, before, c, candidate, u, f, o, W, P)


def peephole_lstm_step_backward(d_out: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    ax, before, c, candidate, u, f, o, W, P = cache
    d_a, d_c = d_out
    tanh_c = np.tanh(c)
    d_c = d_c + d_a * o * (1 - tanh_c**2)
    d_gates = np.stack([d_c * candidate * u * (1 - u), d_c * before * f * (1 - f), d_a * tanh_c * o * (1 - o)])
    d_z = np.concatenate([d_c * u * (1 - candidate**2), *d_gates], axis=1)
    d_before, d_x = np.split(d_z @ W, [c.shape[1]], axis=1)
    d_state = np.stack([d_before, d_c * f + (d_gates * P[:, None]).sum(axis=0)])
    return d_x, d_state, d_z.T @ ax, d_z.sum(axis=0), (d_gates * before).sum(axis=1)


CELLS: dict[str, tuple[Callable[..., tuple[Floats, Cache]], Callable[[Floats, Cache], tuple[Floats, ...]]]] = {
    "rnn": (rnn_step, rnn_step_backward),
    "gru": (gru_step, gru_step_backward),
    "gru_reset_after": (gru_reset_after_step, gru_reset_after_step_backward),
    "lstm": (lstm_step, lstm_step_backward),
    "peephole_lstm": (peephole_lstm_step, peephole_lstm_step_backward),
}


def unroll(
    cell: str, x: Floats, state: Floats, parameters: Sequence[Floats], mask: Booleans | None = None
) -> tuple[Floats, Cache]:
    """A cell unfolded over time, the same parameters at each step; backward it is back-propagation through time.

        s⟨t⟩ = step(x⟨t⟩, s⟨t−1⟩) where m⟨t⟩, else s⟨t−1⟩
        ds⟨t⟩ = ∂J/∂s⟨t⟩ + ds⟨t⟩ as step t+1 gives it        dW = Σ_t dW⟨t⟩        db = Σ_t db⟨t⟩

    cell: a name of CELLS. x: N×T×n_x. state: s⟨0⟩, N×n_a or 2×N×n_a. parameters: those of the step. mask: N×T, True at
    the T_x⁽ⁱ⁾ first steps of example i; all by default. Output: s⟨1⟩ … s⟨T⟩, N×T×n_a or 2×N×T×n_a. Gradients: d_x,
    d_state, list of d_parameters. Rows 24.03, 24.04, 24.06.
    """
    if cell not in CELLS:
        raise ValueError(f"no cell is called {cell!r}, expected one of {', '.join(CELLS)}")
    step, step_backward = CELLS[cell]
    present = np.ones(x.shape[:2], dtype=bool) if mask is None else mask
    expect_shape("mask", present, x.shape[:2], "an entry per example and step of time")
    x = np.where(present[..., None], x, 0.0)  # what stands after the end may be anything, NaN too
    states, caches = [], []
    for t in range(x.shape[1]):
        after, cache = step(x[:, t], state, *parameters)
        state = np.where(present[:, t, None], after, state)
        states.append(state)
        caches.append(cache)
    return np.stack(states, axis=-2), (step_backward, caches, present)


def unroll_backward(d_out: Floats, cache: Cache) -> tuple[Floats, Floats, list[Floats]]:
    step_backward, caches, present = cache
    d_state = np.zeros_like(d_out[..., 0, :])
    d_x, d_parameters = [], []
    for t in reversed(range(len(caches))):
        d_state = d_state + d_out[..., t, :]
        here = present[:, t, None]
        d_x_t, d_before, *d_step = step_backward(np.where(here, d_state, 0.0), caches[t])
        d_state = d_before + np.where(here, 0.0, d_state)
        d_x.append(d_x_t)
        d_parameters.append(d_step)
    return np.stack(d_x[::-1], axis=1), d_state, [np.sum(steps, axis=0) for steps in zip(*d_parameters)]


def _side_by_side(state: Floats, x: Floats, W: Floats, b: Floats, gates: int) -> Floats:
    """[state, x], once W and b are known to fit."""
    units, inputs = state.shape[1], x.shape[1]
    expect_shape("W", W, (gates * units, units + inputs), f"{units} rows per gate, a column per unit and per input")
    expect_shape("b", b, (gates * units,), f"{units} biases per gate")
    return np.concatenate([state, x], axis=1)
