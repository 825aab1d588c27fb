"""Recurrent cells: what their gates do, layers on layers, ends of sequences. Gradients: see twins_sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from orthogon.equations.activations import sigmoid
from orthogon.equations.dense import dense, dense_backward
from orthogon.equations.losses import (
    binary_cross_entropy,
    binary_cross_entropy_from_logits,
    binary_cross_entropy_from_logits_backward,
)
from orthogon.equations.recurrent import (
    CELLS,
    gru_reset_after_step,
    gru_step,
    lstm_step,
    peephole_lstm_step,
    rnn_step,
    unroll,
    unroll_backward,
)

OPEN, SHUT = 50.0, -50.0


def lstm_layer(rng: np.random.Generator, inputs: int, units: int) -> list[np.ndarray]:
    return [rng.normal(size=(4 * units, units + inputs)), rng.normal(size=4 * units)]


def load_lstm(network: torch.nn.LSTM, layer: int, W: np.ndarray, b: np.ndarray) -> None:
    """Our rows c̃, Γ_u, Γ_f, Γ_o into torch's i, f, g, o."""
    units = len(b) // 4
    rows = np.concatenate([np.arange(units) + gate * units for gate in (1, 2, 0, 3)])
    with torch.no_grad():
        getattr(network, f"weight_hh_l{layer}").copy_(torch.tensor(W[rows, :units]))
        getattr(network, f"weight_ih_l{layer}").copy_(torch.tensor(W[rows, units:]))
        getattr(network, f"bias_hh_l{layer}").copy_(torch.tensor(b[rows]))
        getattr(network, f"bias_ih_l{layer}").zero_()


def test_it_is_the_activation_that_goes_up_to_the_next_layer():
    """E46: two layers, each fed with a⟨t⟩ of the one below, are torch's LSTM of two layers."""
    rng = np.random.default_rng(0)
    x, first, second = rng.normal(size=(2, 5, 3)), lstm_layer(rng, 3, 4), lstm_layer(rng, 4, 4)
    below, _ = unroll("lstm", x, np.zeros((2, 2, 4)), first)
    above, _ = unroll("lstm", below[0], np.zeros((2, 2, 4)), second)
    network = torch.nn.LSTM(3, 4, num_layers=2, batch_first=True, dtype=torch.float64)
    load_lstm(network, 0, *first)
    load_lstm(network, 1, *second)
    out, (_, memory) = network(torch.tensor(x))
    np.testing.assert_allclose(above[0], out.detach(), atol=1e-12)
    np.testing.assert_allclose(above[1, :, -1], memory[1].detach(), atol=1e-12)


def test_a_tagger_of_names_has_one_output_and_one_loss_per_word():
    """34.19: T_x = T_y = 9. E33: L⟨t⟩ = −(y log ŷ + (1−y) log(1−ŷ)), summed over t; its gradient through time."""
    words = ["Harry", "Potter", "and", "Hermione", "Granger", "invented", "a", "new", "spell"]
    y = np.array([[1.0, 1, 0, 1, 1, 0, 0, 0, 0]])
    rng = np.random.default_rng(1)
    x, W, b = np.eye(len(words))[None], rng.normal(size=(3, 12)), rng.normal(size=3)
    V, c = rng.normal(size=(1, 3)), rng.normal(size=1)

    states, through_time = unroll("rnn", x, np.zeros((1, 3)), [W, b])
    z, upward = dense(states[0], V, c)
    J, losing = binary_cross_entropy_from_logits(z.T, y)
    assert z.T.shape == y.shape == (1, 9)
    assert binary_cross_entropy(sigmoid(z.T)[0], y)[0] == pytest.approx(J)
    d_a, *_ = dense_backward(binary_cross_entropy_from_logits_backward(1.0, losing).T, upward)
    _, _, (d_W, d_b) = unroll_backward(d_a[None], through_time)

    W_t, b_t, a, likelihood = (
        torch.tensor(W, requires_grad=True),
        torch.tensor(b, requires_grad=True),
        torch.zeros(3),
        1,
    )
    for t in range(9):
        a = torch.tanh(W_t @ torch.cat([a.double(), torch.tensor(x[0, t])]) + b_t)
        p = torch.sigmoid(torch.tensor(V) @ a + torch.tensor(c))[0]
        likelihood = likelihood * (p if y[0, t] else 1 - p)
    (-likelihood.log()).backward()
    assert pytest.approx(-likelihood.log().item(), rel=1e-12) == J
    np.testing.assert_allclose(d_W, W_t.grad, atol=1e-12)
    np.testing.assert_allclose(d_b, b_t.grad, atol=1e-12)


@pytest.mark.parametrize("step", [gru_step, gru_reset_after_step])
def test_the_gates_of_a_gru_keep_replace_and_forget(step):
    """E80: the update gate shut keeps c, open replaces it; the relevance gate shut, the candidate forgets c."""
    rng = np.random.default_rng(2)
    x, c, W = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), rng.normal(size=(6, 4))
    W[2:] = 0
    b, more = rng.normal(size=6), [np.zeros(2)] if step is gru_reset_after_step else []

    def after(update: float, relevance: float) -> np.ndarray:
        return step(x, c, W, np.concatenate([b[:2], [update] * 2, [relevance] * 2]), *more)[0]

    np.testing.assert_allclose(after(SHUT, OPEN), c)
    np.testing.assert_allclose(after(OPEN, OPEN), np.tanh(c @ W[:2, :2].T + x @ W[:2, 2:].T + b[:2]))
    np.testing.assert_allclose(after(OPEN, SHUT), np.tanh(x @ W[:2, 2:].T + b[:2]))
    np.testing.assert_allclose(after(0.0, SHUT), (c + np.tanh(x @ W[:2, 2:].T + b[:2])) / 2)


def test_the_gates_of_an_lstm_write_keep_and_show():
    """36.03: memory and activation are two things."""
    rng = np.random.default_rng(3)
    x, state, W = rng.normal(size=(3, 2)), rng.normal(size=(2, 3, 2)), np.zeros((8, 4))
    W[:2] = rng.normal(size=(2, 4))
    candidate = np.tanh(state[0] @ W[:2, :2].T + x @ W[:2, 2:].T)

    def after(update: float, forget: float, output: float) -> np.ndarray:
        return lstm_step(x, state, W, np.repeat([0, update, forget, output], 2))[0]

    np.testing.assert_allclose(after(SHUT, OPEN, SHUT), [np.zeros((3, 2)), state[1]], atol=1e-12)
    np.testing.assert_allclose(after(OPEN, SHUT, OPEN), [np.tanh(candidate), candidate], atol=1e-12)
    np.testing.assert_allclose(after(OPEN, OPEN, SHUT)[1], candidate + state[1], atol=1e-12)


def test_a_peephole_looks_at_the_memory_of_its_own_unit_before_the_step():
    """36.04: c⟨t−1⟩ opens or shuts the forget gate; the activation before plays no part here."""
    c = np.array([[1.0, -1.0]])
    state, P = np.stack([np.zeros((1, 2)), c]), np.zeros((3, 2))
    P[1] = OPEN
    out, _ = peephole_lstm_step(np.zeros((1, 1)), state, np.zeros((8, 3)), np.zeros(8), P)
    np.testing.assert_allclose(out[1], [[1.0, 0.0]], atol=1e-12)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_stands_after_the_end_of_a_sequence_changes_nothing(cell):
    rng = np.random.default_rng(4)
    gates, state = (3, np.zeros((2, 3))) if cell == "gru" else (4, np.zeros((2, 2, 3)))
    parameters = [rng.normal(size=(gates * 3, 5)), rng.normal(size=gates * 3)]
    x, mask = rng.normal(size=(2, 6, 2)), np.arange(6) < np.array([[6], [4]])
    padded = np.where(mask[..., None], x, np.nan)
    states, cache = unroll(cell, padded, state, parameters, mask)
    alone, _ = unroll(cell, x[1:, :4], state[..., 1:, :], parameters)
    np.testing.assert_allclose(states[..., 1, :4, :], alone[..., 0, :, :])
    np.testing.assert_array_equal(states[..., 1, 4, :], states[..., 1, 3, :])
    np.testing.assert_array_equal(states[..., 1, 5, :], states[..., 1, 3, :])
    d_x, d_state, d_parameters = unroll_backward(np.ones_like(states), cache)
    assert not d_x[1, 4:].any()
    assert d_x[1, :4].all()
    assert all(np.isfinite(d).all() for d in (d_x, d_state, *d_parameters))


def test_an_open_memory_carries_its_gradient_through_a_hundred_steps():
    """Rows 24.18, 24.19: where tanh would have shrunk it to nothing, c passes it on unchanged."""
    gru = [np.zeros((3, 2)), np.array([0.0, SHUT, 0.0])]
    states, cache = unroll("gru", np.zeros((1, 100, 1)), np.ones((1, 1)), gru)
    d_out = np.zeros_like(states)
    d_out[:, -1] = 1
    assert unroll_backward(d_out, cache)[1] == pytest.approx(1)
    states, cache = unroll("rnn", np.zeros((1, 100, 1)), np.ones((1, 1)), [np.array([[0.5, 0.0]]), np.zeros(1)])
    assert abs(unroll_backward(d_out, cache)[1]) < 1e-30


def test_unrolled_gru_is_torchs_module():
    """torch orders the rows r, z, n, with z = 1 − Γ_u."""
    rng = np.random.default_rng(5)
    W, b, b_c, x = rng.normal(size=(6, 5)), rng.normal(size=6), rng.normal(size=2), rng.normal(size=(3, 4, 3))
    network = torch.nn.GRU(3, 2, batch_first=True, dtype=torch.float64)
    rows, sign = [4, 5, 2, 3, 0, 1], np.array([1, 1, -1, -1, 1, 1])
    with torch.no_grad():
        network.weight_hh_l0.copy_(torch.tensor(W[rows, :2] * sign[:, None]))
        network.weight_ih_l0.copy_(torch.tensor(W[rows, 2:] * sign[:, None]))
        network.bias_ih_l0.copy_(torch.tensor(b[rows] * sign))
        network.bias_hh_l0.copy_(F.pad(torch.tensor(b_c), (4, 0)))
    states, _ = unroll("gru_reset_after", x, np.zeros((3, 2)), [W, b, b_c])
    np.testing.assert_allclose(states, network(torch.tensor(x))[0].detach(), atol=1e-12)


def test_both_forms_of_the_reset_agree_only_where_the_relevance_gate_is_open():
    rng = np.random.default_rng(6)
    x, c, W, b = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), rng.normal(size=(6, 4)), rng.normal(size=6)
    assert not np.allclose(gru_step(x, c, W, b)[0], gru_reset_after_step(x, c, W, b, np.zeros(2))[0])
    b[4:] = OPEN
    np.testing.assert_allclose(gru_step(x, c, W, b)[0], gru_reset_after_step(x, c, W, b, np.zeros(2))[0])


def test_an_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="expected one of rnn, gru"):
        unroll("ltsm", np.ones((1, 2, 3)), np.ones((1, 2)), [])
    assert set(CELLS) == {"rnn", "gru", "gru_reset_after", "lstm", "peephole_lstm"}


@pytest.mark.parametrize(("W", "b"), [((2, 5), (2,)), ((3, 4), (2,)), ((2, 4), (3,))])
def test_weights_that_do_not_fit_are_refused(W, b):
    with pytest.raises(ValueError, match="expected"):
        rnn_step(np.ones((3, 2)), np.ones((3, 2)), np.ones(W), np.ones(b))


def test_masks_peepholes_and_biases_of_a_wrong_shape_are_refused():
    with pytest.raises(ValueError, match="mask is"):
        unroll("rnn", np.ones((2, 3, 1)), np.ones((2, 1)), [np.ones((1, 2)), np.ones(1)], np.ones((2, 2), dtype=bool))
    with pytest.raises(ValueError, match="P is"):
        peephole_lstm_step(np.ones((1, 1)), np.ones((2, 1, 2)), np.ones((8, 3)), np.ones(8), np.ones((4, 2)))
    with pytest.raises(ValueError, match="b_c is"):
        gru_reset_after_step(np.ones((1, 1)), np.ones((1, 2)), np.ones((6, 3)), np.ones(6), np.ones(3))
