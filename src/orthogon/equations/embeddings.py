"""Word embeddings: looked up, and trained on the words around them.

E: n×V holds the embedding of word i in its column i (E47; torch.nn.Embedding stores the transpose, V×n).
Words are numbers from 0 to V−1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from orthogon.equations._shapes import Floats, Integers, expect_shape
from orthogon.equations.losses import (
    binary_cross_entropy_from_logits,
    binary_cross_entropy_from_logits_backward,
    cross_entropy_from_logits,
    cross_entropy_from_logits_backward,
)

Cache = tuple[Any, ...]


def embedding(E: Floats, words: Integers) -> tuple[Floats, Cache]:
    """The columns of E that the words name: what a product with one-hot vectors would give, without the product.

        e_j = E o_j        dE[:, j] = Σ de over all places where word j stands

    E: n×V. words: any shape. e: that shape × n. Gradient: d_E. Rows 27.02, 27.03, 36.08, E47.
    """
    words = np.asarray(words)
    if not np.issubdtype(words.dtype, np.integer) or np.any((words < 0) | (words >= E.shape[1])):
        raise ValueError(f"not all words are whole numbers from 0 to {E.shape[1] - 1}, expected the column of each")
    return E.T[words], (words, E.shape)


def embedding_backward(d_e: Floats, cache: Cache) -> Floats:
    words, shape = cache
    d_E = np.zeros(shape)
    np.add.at(d_E.T, words, d_e)
    return d_E


def skip_gram_pairs(words: Integers, window: int) -> tuple[Integers, Integers]:
    """Every pair of a context word and a target at most `window` places before or after it.

        (w⟨t⟩, w⟨t+d⟩)        0 < |d| ≤ window

    words: T. Output: contexts and targets, in the order of the text. To reach a target d places away, the window must
    be at least d (rows 27.13, 34.17, E78).
    """
    if window < 1:
        raise ValueError(f"a window of {window} holds no target, expected at least 1")
    offsets = np.delete(np.arange(-window, window + 1), window)
    targets = np.arange(len(words))[:, None] + offsets
    inside = (targets >= 0) & (targets < len(words))
    return np.repeat(words, inside.sum(axis=1)), words[targets[inside]]


def skip_gram_loss(e: Floats, theta: Floats, target: Integers) -> tuple[float, Cache]:
    """The cross-entropy of a softmax over all words that may stand near the context word (Mikolov et al. 2013).

        p(t|c) = exp(θ_tᵀ e_c) / Σ_j exp(θ_jᵀ e_c)        L = −Σ_t y_t log p(t|c)
        z = eθ        dz = (p − y)/N dJ        de = dz θᵀ        dθ = eᵀ dz

    e: N×n, embeddings of the context words. theta: n×V. target: N. J is the mean of L. Gradients: d_e, d_theta.
    arXiv:1301.3781, rows 27.13, 27.14, 36.09.
    """
    expect_shape("theta", theta, (e.shape[1], "V"), "a column per word, a row per dimension of the embedding")
    expect_shape("target", target, (len(e),), "a word per context word")
    J, losing = cross_entropy_from_logits(e @ theta, target)
    return J, (e, theta, losing)


def skip_gram_loss_backward(d_J: float, cache: Cache) -> tuple[Floats, Floats]:
    e, theta, losing = cache
    d_z = cross_entropy_from_logits_backward(d_J, losing)
    return d_z @ theta.T, e.T @ d_z


def negative_sampling_loss(e: Floats, theta: Floats, words: Integers, y: Floats) -> tuple[float, Cache]:
    """One logistic model per word: is it a true neighbor, or one of k words drawn at random (Mikolov et al. 2013)?

        P(y = 1 | c, t) = σ(θ_tᵀ e_c)        L = −Σ_t [y log σ(θ_tᵀ e_c) + (1 − y) log(1 − σ(θ_tᵀ e_c))]
        dz = (σ − y)/N dJ        de = Σ_t θ_t dz        dθ_t = Σᵢ e dz

    e: N×n. theta: n×V. words: N×(k+1), the true neighbor and the k others. y: N×(k+1), 1 for the true one, else 0.
    J is the mean of L. Gradients: d_e, d_theta, 0 but for the words given. arXiv:1310.4546, rows 27.17, 36.10.
    """
    expect_shape("theta", theta, (e.shape[1], "V"), "a column per word, a row per dimension of the embedding")
    expect_shape("words", words, (len(e), "k+1"), "a row of words per context word")
    chosen, looking_up = embedding(theta, words)
    J, losing = binary_cross_entropy_from_logits((chosen @ e[:, :, None])[:, :, 0], y)
    return J, (e, chosen, looking_up, losing)


def negative_sampling_loss_backward(d_J: float, cache: Cache) -> tuple[Floats, Floats]:
    e, chosen, looking_up, losing = cache
    d_z = binary_cross_entropy_from_logits_backward(d_J, losing)
    return (d_z[:, None] @ chosen)[:, 0], embedding_backward(d_z[:, :, None] * e[:, None], looking_up)


def negative_distribution(counts: Floats, power: float = 0.75) -> Floats:
    """The distribution of the random words: between their frequency (power 1) and the same chance for all (power 0).

        P(w_i) = f(w_i)^¾ / Σ_j f(w_j)^¾

    counts: V, how often each word occurs. Rows 27.18, 36.11.
    """
    if np.any(counts < 0) or not np.any(counts):
        raise ValueError("counts of words below 0, or all of them 0: expected how often each word occurs")
    weights = np.where(counts > 0, counts**power, 0.0)
    return weights / weights.sum()


def glove_weight(X: Floats, x_max: float = 100.0) -> Floats:
    """How much a count of co-occurrences matters: not at all where it is 0, and no more beyond x_max.

        f(x) = (x / x_max)^¾ where x < x_max, else 1

    Rows 27.20, 36.12.
    """
    return np.minimum(X / x_max, 1.0) ** 0.75


def glove_loss(
    theta: Floats, E: Floats, b: Floats, b_prime: Floats, X: Floats, x_max: float = 100.0
) -> tuple[float, Cache]:
    """Embeddings whose products are the logarithms of counts (Pennington et al. 2014, GloVe).

        J = Σᵢ Σⱼ f(X_ij) (θ_iᵀ e_j + b_i + b′_j − log X_ij)²
        g = 2 f(X) ∗ (θᵀE + b + b′ᵀ − log X) dJ        dθ = E gᵀ        dE = θ g        db = Σⱼ g        db′ = Σᵢ g

    theta, E: n×V. b, b_prime: V. X: V×V, X_ij = how often i occurs in the context of j; where it is 0, f is 0 and no
    logarithm is taken. Gradients: d_theta, d_E, d_b, d_b_prime. Rows 4.10, 27.20, 36.12.
    """
    n, V = E.shape
    expect_shape("theta", theta, (n, V), "as E")
    expect_shape("X", X, (V, V), "a row and a column per word")
    for name, bias in (("b", b), ("b_prime", b_prime)):
        expect_shape(name, bias, (V,), "one bias per word")
    if np.any(X < 0):
        raise ValueError("X holds counts below 0, expected how often word i occurs in the context of word j")
    weight = glove_weight(X, x_max)
    error = theta.T @ E + b[:, None] + b_prime - np.log(np.where(X > 0, X, 1.0))
    return float(np.sum(weight * error**2)), (theta, E, weight, error)


def glove_loss_backward(d_J: float, cache: Cache) -> tuple[Floats, Floats, Floats, Floats]:
    theta, E, weight, error = cache
    g = 2 * weight * error * d_J
    return E @ g.T, theta @ g, g.sum(axis=1), g.sum(axis=0)


def glove_vectors(theta: Floats, E: Floats) -> Floats:
    """The embeddings after training: θ and e play the same part, so each word gets the mean of its two.

        (e_w + θ_w) / 2

    Rows 27.20, 36.13, E66.
    """
    return (E + theta) / 2
