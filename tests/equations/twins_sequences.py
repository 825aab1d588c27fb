"""The twins of the structured half: convolution, recurrence, attention, embeddings, Boltzmann machines."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator

from orthogon.equations import attention, boltzmann, convolution, embeddings, recurrent, similarity

from .twins import Twin

N, T, N_X, N_A = 3, 4, 3, 2
LSTM_ROWS = ("u", "f", "c", "o")  # torch's order


def drawn(**shapes: tuple[int, ...]) -> Any:
    return lambda rng: {name: rng.normal(size=shape) for name, shape in shapes.items()}


def filters(x: tuple[int, ...], W: tuple[int, ...], **options: int) -> Any:
    return lambda rng: {**drawn(x=x, W=W, b=W[:1])(rng), **options}


def distinct(*shape: int, **options: int) -> Any:
    """Values no two of which are near each other, so that no maximum changes place."""
    size = int(np.prod(shape))
    return lambda rng: {"x": rng.permutation(size).reshape(shape) / size - 0.5, **options}


def torch_convolution(x, W, b, stride=1, padding=0):
    return (F.conv1d, F.conv2d, F.conv3d)[x.ndim - 3](x, W, b, stride, padding)


def torch_true_convolution(x, W, b, stride=1, padding=0):
    return torch_convolution(x, W.flip(2, 3), b, stride, padding)


def cell(gates: int, state: tuple[int, ...] = (), **more: tuple[int, ...]) -> Any:
    """Inputs of a step; state: the shape in front of N×n_a."""
    name = "state" if state else "a" if gates == 1 else "c"
    return drawn(x=(N, N_X), **{name: (*state, N, N_A)}, W=(gates * N_A, N_A + N_X), b=(gates * N_A,), **more)


def sequence(cell: str, gates: int, state: tuple[int, ...] = (), masked: bool = False, **more: tuple[int, ...]) -> Any:
    def inputs(rng: Generator) -> dict[str, Any]:
        shapes = {"W": (gates * N_A, N_A + N_X), "b": (gates * N_A,), **more}
        mask = {"mask": np.arange(T) < np.array([T, 1, 3])[:, None]} if masked else {}
        return {
            "cell": cell,
            "x": rng.normal(size=(N, T, N_X)),
            "state": rng.normal(size=(*state, N, N_A)),
            "parameters": [rng.normal(size=shape) for shape in shapes.values()],
            **mask,
        }

    return inputs


def apart(W, names):
    """The rows of each gate, by name, as (for the state, for x)."""
    return {name: (rows[:, :N_A], rows[:, N_A:]) for name, rows in zip(names, W.chunk(len(names)))}


def torch_lstm_weights(W, b):
    gates, biases = apart(W, "cufo"), dict(zip("cufo", b.chunk(4)))
    W_hh, W_ih = (torch.cat([gates[name][k] for name in LSTM_ROWS]) for k in (0, 1))
    bias = torch.cat([biases[name] for name in LSTM_ROWS])
    return W_ih, W_hh, bias, torch.zeros_like(bias)


def torch_gru_weights(W, b, b_c):
    """Rows r, z, n; torch's update gate is z = 1 − Γ_u, so its weights have the other sign."""
    gates, (bias_c, bias_u, bias_r) = apart(W, "cur"), b.chunk(3)
    W_hh, W_ih = (torch.cat([gates["r"][k], -gates["u"][k], gates["c"][k]]) for k in (0, 1))
    zero = torch.zeros_like(b_c)
    return W_ih, W_hh, torch.cat([bias_r, -bias_u, bias_c]), torch.cat([zero, zero, b_c])


def torch_rnn_step(x, a, W, b):
    return torch.rnn_tanh_cell(x, a, W[:, N_A:], W[:, :N_A], b, torch.zeros_like(b))


def torch_gru_step(x, c, W, b):
    linear = {name: (rows, bias) for name, rows, bias in zip("cur", W.chunk(3), b.chunk(3))}
    update = torch.sigmoid(F.linear(torch.cat([c, x], 1), *linear["u"]))
    relevance = torch.sigmoid(F.linear(torch.cat([c, x], 1), *linear["r"]))
    candidate = torch.tanh(F.linear(torch.cat([relevance * c, x], 1), *linear["c"]))
    return torch.lerp(c, candidate, update)


def torch_gru_reset_after_step(x, c, W, b, b_c):
    return torch.gru_cell(x, c, *torch_gru_weights(W, b, b_c))


def torch_lstm_step(x, state, W, b):
    return torch.stack(torch.lstm_cell(x, tuple(state), *torch_lstm_weights(W, b)))


def torch_peephole_lstm_step(x, state, W, b, P):
    a, before = state
    z = dict(zip("cufo", F.linear(torch.cat([a, x], 1), W, b).chunk(4, 1)))
    u, f, o = (torch.sigmoid(torch.addcmul(z[name], p, before)) for name, p in zip("ufo", P))
    c = u * torch.tanh(z["c"]) + f * before
    return torch.stack([o * torch.tanh(c), c])


TORCH_CELLS = {
    "rnn": torch_rnn_step,
    "gru": torch_gru_step,
    "gru_reset_after": torch_gru_reset_after_step,
    "lstm": torch_lstm_step,
    "peephole_lstm": torch_peephole_lstm_step,
}


def torch_unroll(cell, x, state, parameters, mask=None):
    """Each example by itself, for as many steps as it has; its last state is repeated."""
    examples = []
    for i in range(len(x)):
        s, states = state[..., i : i + 1, :], []
        for t in range(x.shape[1]):
            s = TORCH_CELLS[cell](x[i : i + 1, t], s, *parameters) if mask is None or mask[i, t] else s
            states.append(s[..., 0, :])
        examples.append(torch.stack(states, -2))
    return torch.stack(examples, -3)


def torch_rnn(cell, x, state, parameters):
    W, b = parameters
    weights = [W[:, N_A:], W[:, :N_A], b, torch.zeros_like(b)]
    return torch.rnn_tanh(x, state[None], weights, True, 1, 0.0, True, False, True)[0]


def torch_gru(cell, x, state, parameters):
    return torch.gru(x, state[None], torch_gru_weights(*parameters), True, 1, 0.0, True, False, True)[0]


def lstm_activations(cell, x, state, parameters):
    """The activations alone, and the last memory, which is what torch.nn.LSTM gives."""
    states, cache = recurrent.unroll(cell, x, state, parameters)
    return (states[0], states[1, :, -1]), (cache, states.shape)


def lstm_activations_backward(d_out, cache):
    cache, shape = cache
    d_states = np.zeros(shape)
    d_states[0], d_states[1, :, -1] = d_out
    return recurrent.unroll_backward(d_states, cache)


def torch_lstm(cell, x, state, parameters):
    states = [state[0][None], state[1][None]]
    out, _, last = torch.lstm(x, states, torch_lstm_weights(*parameters), True, 1, 0.0, True, False, True)
    return out, last[0]


def attending(rng: Generator) -> dict[str, Any]:
    inputs = drawn(Q=(N, 2, 3, 4), K=(N, 2, 5, 4), V=(N, 2, 5, 6))(rng)
    return {**inputs, "mask": np.tril(np.ones((3, 5), dtype=bool), 1)}


BAHDANAU = {"s": (N, 2), "a": (N, T, 3), "W": (4, 5), "b": (4,), "v": (4,)}


def torch_attention(Q, K, V, mask=None):
    return F.scaled_dot_product_attention(Q, K, V, mask)


def torch_bahdanau(s, a, W, b, v, mask=None):
    e = torch.tanh((s @ W[:, :2].T)[:, None] + a @ W[:, 2:].T + b) @ v
    alpha = torch.softmax(e if mask is None else e.masked_fill(~mask, -torch.inf), 1)
    return torch.einsum("nt,nta->na", alpha, a)


def decoding(rng: Generator) -> dict[str, Any]:
    inputs = drawn(y=(N, 2), s=(N, N_A), a=(N, T, 3))(rng)
    inputs["attention"] = list(drawn(W=(4, N_A + 3), b=(4,), v=(4,))(rng).values())
    inputs["cell"] = list(drawn(W=(3 * N_A, N_A + 2 + 3), b=(3 * N_A,))(rng).values())
    return {**inputs, "mask": np.arange(T) < np.array([T, 1, 3])[:, None]}


def torch_decoder_step(y, s, a, attention, cell, mask):
    return torch_gru_step(torch.cat([y, torch_bahdanau(s, a, *attention, mask=mask)], 1), s, *cell)


def looked_up(rng: Generator) -> dict[str, Any]:
    return {"E": rng.normal(size=(3, 5)), "words": np.array([[4, 0, 4], [1, 4, 0]])}


def skip_gram(rng: Generator) -> dict[str, Any]:
    return {**drawn(e=(4, 3), theta=(3, 5))(rng), "target": np.array([2, 0, 2, 4])}


def negatives(rng: Generator) -> dict[str, Any]:
    return {
        **drawn(e=(4, 3), theta=(3, 7))(rng),
        "words": np.array([[2, 0, 0], [6, 3, 1], [2, 4, 5], [1, 2, 2]]),
        "y": np.eye(3)[[0, 0, 0, 0]],
    }


def torch_negative_sampling(e, theta, words, y):
    z = torch.einsum("nd,dnk->nk", e, theta[:, words])
    return F.binary_cross_entropy_with_logits(z, y, reduction="sum") / len(e)


def counted(rng: Generator) -> dict[str, Any]:
    X = rng.choice([0.0, 0.5, 45.0, 135.0], size=(5, 5))
    assert (X == 0).any()
    assert (X > 100).any()
    return {**drawn(theta=(3, 5), E=(3, 5), b=(5,), b_prime=(5,))(rng), "X": X}


def torch_glove(theta, E, b, b_prime, X):
    i, j = torch.nonzero(X, as_tuple=True)
    weight = (X[i, j] / 100).clamp(max=1) ** 0.75
    return (weight * ((theta[:, i] * E[:, j]).sum(0) + b[i] + b_prime[j] - X[i, j].log()) ** 2).sum()


def machine(v: tuple[int, int] = (4, 3), hidden: int = 2) -> Any:
    return drawn(v=v, W=(v[1], hidden), b=(v[1],), c=(hidden,))


def torch_free_energy(v, W, b, c):
    return -F.linear(v, b) - F.softplus(c + v @ W).sum(1)


def torch_gaussian_free_energy(v, W, b, c):
    return (v - b).square().sum(1) / 2 - F.softplus(c + v @ W).sum(1)


def diverging(rng: Generator) -> dict[str, Any]:
    inputs = machine()(rng)
    inputs["v"] = (inputs["v"] > 0).astype(float)
    return {**inputs, "hidden_draws": rng.random((3, 4, 2)), "visible_draws": rng.random((3, 4, 3))}


def diverging_gaussian(rng: Generator) -> dict[str, Any]:
    draws = {"hidden_draws": rng.random((2, 4, 2)), "visible_draws": rng.normal(size=(2, 4, 3))}
    return {**machine()(rng), **draws, "visible": boltzmann.gaussian_visible}


def torch_divergence(v, W, b, c, hidden_draws, visible_draws, visible=None):
    """The gradient of ⟨F(v⁰)⟩ − ⟨F(vᵏ)⟩, where vᵏ is held fast."""
    made = v
    for for_hidden, for_visible in zip(hidden_draws, visible_draws):
        h = (for_hidden < torch.sigmoid(made @ W + c)).double()
        field = h @ W.T + b
        made = (for_visible < torch.sigmoid(field)).double() if visible is None else field + for_visible
    W, b, c = (parameter.clone().requires_grad_() for parameter in (W, b, c))
    F_of = torch_free_energy if visible is None else torch_gaussian_free_energy
    return torch.autograd.grad((F_of(v, W, b, c) - F_of(made, W, b, c)).mean(), (W, b, c))


def pair(function: Any, inputs: Any, torch: Any, wrt: str, note: str = "") -> Twin:
    """A function of its module and the backward form beside it. wrt: names, as in "x W b"."""
    backward = getattr(import_module(function.__module__), f"{function.__name__}_backward")
    return Twin(function, backward, inputs, torch, tuple(wrt.split()), note=note)


def convolving(note: str, x: tuple[int, ...], W: tuple[int, ...], **options: int) -> Twin:
    return pair(convolution.convolution, filters(x, W, **options), torch_convolution, "x W b", note)


def unrolling(note: str, inputs: Any, torch: Any) -> Twin:
    return pair(recurrent.unroll, inputs, torch, "x state parameters", note)


def max_pool(pool: Any) -> Any:
    return lambda x, f, stride, padding=0: pool(x, f, stride, padding)


def average_pool(x, f, stride, padding=0):
    return F.avg_pool2d(x, f, stride, padding)


TWINS = [
    convolving("", (2, 3, 5, 6), (4, 3, 3, 2)),
    convolving("stride 2, padding 1", (2, 3, 6, 7), (4, 3, 3, 2), stride=2, padding=1),
    convolving("one axis", (2, 2, 9), (3, 2, 4), stride=3, padding=2),
    convolving("three axes", (2, 2, 4, 3, 5), (2, 2, 2, 3, 2), stride=2, padding=1),
    pair(convolution.true_convolution, filters((2, 3, 6, 7), (2, 3, 3, 2)), torch_true_convolution, "x W b"),
    pair(
        convolution.true_convolution,
        filters((2, 3, 6, 7), (2, 3, 3, 2), stride=2, padding=1),
        torch_true_convolution,
        "x W b",
        "stride 2, padding 1",
    ),
    pair(convolution.max_pool, distinct(2, 3, 7, 6, f=3, stride=2, padding=1), max_pool(F.max_pool2d), "x"),
    pair(convolution.max_pool, distinct(2, 3, 9, f=2, stride=2), max_pool(F.max_pool1d), "x", "one axis"),
    pair(convolution.average_pool, distinct(2, 3, 7, 6, f=3, stride=2, padding=1), average_pool, "x"),
    pair(convolution.average_pool, distinct(2, 3, 5, 4, f=2, stride=1), average_pool, "x", "stride 1"),
    pair(recurrent.rnn_step, cell(1), torch_rnn_step, "x a W b"),
    pair(recurrent.gru_step, cell(3), torch_gru_step, "x c W b"),
    pair(recurrent.gru_reset_after_step, cell(3, b_c=(N_A,)), torch_gru_reset_after_step, "x c W b b_c"),
    pair(recurrent.lstm_step, cell(4, (2,)), torch_lstm_step, "x state W b"),
    pair(recurrent.peephole_lstm_step, cell(4, (2,), P=(3, N_A)), torch_peephole_lstm_step, "x state W b P"),
    unrolling("rnn", sequence("rnn", 1), torch_rnn),
    unrolling("gru_reset_after", sequence("gru_reset_after", 3, b_c=(N_A,)), torch_gru),
    unrolling("gru, masked", sequence("gru", 3, masked=True), torch_unroll),
    unrolling("lstm, masked", sequence("lstm", 4, (2,), masked=True), torch_unroll),
    unrolling("peephole_lstm", sequence("peephole_lstm", 4, (2,), P=(3, N_A)), torch_unroll),
    Twin(
        recurrent.unroll,
        lstm_activations_backward,
        sequence("lstm", 4, (2,)),
        torch_lstm,
        ("x", "state", "parameters"),
        call=lstm_activations,
        note="lstm",
    ),
    pair(attention.attention_weights, drawn(e=(3, 4)), lambda e: torch.softmax(e, 1), "e"),
    pair(attention.scaled_dot_product_attention, attending, torch_attention, "Q K V", "masked"),
    pair(attention.scaled_dot_product_attention, drawn(Q=(3, 4), K=(5, 4), V=(5, 6)), torch_attention, "Q K V"),
    pair(attention.bahdanau_attention, drawn(**BAHDANAU), torch_bahdanau, "s a W b v"),
    pair(attention.bahdanau_decoder_step, decoding, torch_decoder_step, "y s a attention cell"),
    pair(embeddings.embedding, looked_up, lambda E, words: F.embedding(words, E.T), "E"),
    pair(embeddings.skip_gram_loss, skip_gram, lambda e, theta, target: F.cross_entropy(e @ theta, target), "e theta"),
    pair(embeddings.negative_sampling_loss, negatives, torch_negative_sampling, "e theta"),
    pair(embeddings.glove_loss, counted, torch_glove, "theta E b b_prime"),
    pair(similarity.cosine_similarity, drawn(u=(4, 3), v=(4, 3)), lambda u, v: F.cosine_similarity(u, v), "u v"),
    pair(
        similarity.squared_distance_similarity,
        drawn(u=(4, 3), v=(4, 3)),
        lambda u, v: -F.pairwise_distance(u, v, eps=0.0).square(),
        "u v",
    ),
    pair(boltzmann.free_energy, machine(), torch_free_energy, "v W b c"),
    pair(boltzmann.gaussian_free_energy, machine(), torch_gaussian_free_energy, "v W b c"),
    Twin(boltzmann.contrastive_divergence, None, diverging, torch_divergence),
    Twin(boltzmann.contrastive_divergence, None, diverging_gaussian, torch_divergence, note="Gaussian visible units"),
]
