"""Attention: scores, weights that add up to 1, and the sum that they weigh."""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.equations._shapes import Booleans, Floats, expect_shape
from orthogon.equations.activations import softmax, softmax_backward
from orthogon.equations.recurrent import gru_step, gru_step_backward

Cache = tuple[Any, ...]


def attention_weights(e: Floats, mask: Booleans | None = None) -> tuple[Floats, Cache]:
    """Scores to weights, over the places that may be attended to.

        α⟨t,t′⟩ = exp(e⟨t,t′⟩) / Σ_t″ exp(e⟨t,t″⟩)        Σ_t′ α⟨t,t′⟩ = 1        α = 0 where the mask is False

    e, α: …×T. mask: of that shape or one that is stretched to it; True everywhere by default. Gradient: d_e.
    Row 36.24.
    """
    if mask is None:
        return softmax(e)
    if not np.broadcast_to(mask, e.shape).any(axis=-1).all():
        raise ValueError("the mask leaves a query nothing to attend to, expected a True along each last axis")
    return softmax(np.where(mask, e, -np.inf))


def attention_weights_backward(d_alpha: Floats, cache: Cache) -> Floats:
    return softmax_backward(d_alpha, cache)


def scaled_dot_product_attention(Q: Floats, K: Floats, V: Floats, mask: Booleans | None = None) -> tuple[Floats, Cache]:
    """Each query's mean of the values, weighted by how well the keys match (Vaswani et al. 2017, arXiv:1706.03762).

        α = softmax(Q Kᵀ / √d)        out = α V
        dV = αᵀ dout        dα = dout Vᵀ        dQ = de K / √d        dK = deᵀ Q / √d

    Q: …×T_q×d. K: …×T_k×d. V: …×T_k×d_v. mask: T_q×T_k, or with the axes in front, True where a query may attend.
    out: …×T_q×d_v. Gradients: d_Q, d_K, d_V.
    """
    if Q.shape[-1] != K.shape[-1] or K.shape[:-1] != V.shape[:-1] or Q.shape[:-2] != K.shape[:-2]:
        raise ValueError(f"Q is {Q.shape}, K {K.shape}, V {V.shape}: expected …×T_q×d, …×T_k×d and …×T_k×d_v")
    scale = 1 / np.sqrt(Q.shape[-1])
    alpha, weighing = attention_weights(scale * Q @ K.swapaxes(-1, -2), mask)
    return alpha @ V, (Q, K, V, alpha, weighing, scale)


def scaled_dot_product_attention_backward(d_out: Floats, cache: Cache) -> tuple[Floats, Floats, Floats]:
    Q, K, V, alpha, weighing, scale = cache
    d_e = scale * attention_weights_backward(d_out @ V.swapaxes(-1, -2), weighing)
    return d_e @ K, d_e.swapaxes(-1, -2) @ Q, alpha.swapaxes(-1, -2) @ d_out


def bahdanau_attention(
    s: Floats, a: Floats, W: Floats, b: Floats, v: Floats, mask: Booleans | None = None
) -> tuple[Floats, Cache]:
    """The context of one step of a decoder (Bahdanau et al. 2015, arXiv:1409.0473).

        h⟨t′⟩ = tanh(W [s⟨t−1⟩, a⟨t′⟩] + b)        e⟨t,t′⟩ = vᵀ h⟨t′⟩
        α⟨t,t′⟩ = softmax_t′(e⟨t,t′⟩)        c⟨t⟩ = Σ_t′ α⟨t,t′⟩ a⟨t′⟩
        dα⟨t,t′⟩ = dcᵀ a⟨t′⟩        dz = de vᵀ ∗ (1 − h²)        da⟨t′⟩ = α⟨t,t′⟩ dc + what comes through e

    s: N×n_s, the decoder's state. a: N×T×n_a, the encoder's outputs: they alone are added up, α only weighs (E110).
    W: n_h×(n_s+n_a). b, v: n_h. mask: N×T. c: N×n_a. Gradients: d_s, d_a, d_W, d_b, d_v.
    Rows 28.14, 36.24, 36.33.
    """
    expect_shape("s", s, (len(a), "n_s"), "a state of the decoder per example")
    expect_shape("W", W, ("n_h", s.shape[1] + a.shape[2]), "a column per entry of [s, a]")
    expect_shape("b", b, (len(W),), "one bias per row of W")
    expect_shape("v", v, (len(W),), "one weight per row of W")
    sa = np.concatenate([np.broadcast_to(s[:, None], (*a.shape[:2], s.shape[1])), a], axis=2)
    h = np.tanh(sa @ W.T + b)
    alpha, weighing = attention_weights(h @ v, mask)
    return (alpha[:, None] @ a)[:, 0], (sa, a, h, alpha, weighing, W, v)


def bahdanau_attention_backward(d_c: Floats, cache: Cache) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    sa, a, h, alpha, weighing, W, v = cache
    d_e = attention_weights_backward((a @ d_c[:, :, None])[:, :, 0], weighing)
    d_z = d_e[:, :, None] * v * (1 - h**2)
    d_s, d_a = np.split(d_z @ W, [sa.shape[2] - a.shape[2]], axis=2)
    d_a = d_a + alpha[:, :, None] * d_c[:, None]
    d_W = np.einsum("nth,ntw->hw", d_z, sa)
    return d_s.sum(axis=1), d_a, d_W, d_z.sum(axis=(0, 1)), np.einsum("nt,nth->h", d_e, h)


def bahdanau_decoder_step(
    y: Floats, s: Floats, a: Floats, attention: list[Floats], cell: list[Floats], mask: Booleans | None = None
) -> tuple[Floats, Cache]:
    """A step of a decoder that looks at the encoder's outputs before each word.

        c⟨t⟩ = bahdanau_attention(s⟨t−1⟩, a)        s⟨t⟩ = f(s⟨t−1⟩, y⟨t−1⟩, c⟨t⟩),  f the gated recurrent unit

    y: N×n_y, the word before. s: N×n_s. a: N×T×n_a. attention: W, b, v of `bahdanau_attention`. cell: W, b of
    `gru_step` with the inputs [y, c]. mask: N×T. Gradients: d_y, d_s, d_a, lists d_attention, d_cell. Row 36.33.
    """
    c, attending = bahdanau_attention(s, a, *attention, mask=mask)
    out, stepping = gru_step(np.concatenate([y, c], axis=1), s, *cell)
    return out, (attending, stepping, y.shape[1])


def bahdanau_decoder_step_backward(
    d_out: Floats, cache: Cache
) -> tuple[Floats, Floats, Floats, list[Floats], list[Floats]]:
    attending, stepping, n_y = cache
    d_yc, d_s, *d_cell = gru_step_backward(d_out, stepping)
    d_s_attention, d_a, *d_attention = bahdanau_attention_backward(d_yc[:, n_y:], attending)
    return d_yc[:, :n_y], d_s + d_s_attention, d_a, d_attention, d_cell
