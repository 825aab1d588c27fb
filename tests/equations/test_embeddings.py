"""Embeddings: the table, its pairs and negatives, and what training aims at. Gradients: see twins_sequences."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.embeddings import (
    embedding,
    glove_loss,
    glove_vectors,
    glove_weight,
    negative_distribution,
    negative_sampling_loss,
    skip_gram_loss,
    skip_gram_pairs,
)

RNG = np.random.default_rng(0)
SENTENCE = ["I", "want", "a", "glass", "of", "orange", "juice", "to", "go", "along", "with", "my", "cereal"]


def pairs(window: int) -> set[tuple[str, str]]:
    contexts, targets = skip_gram_pairs(np.arange(len(SENTENCE)), window)
    return {(SENTENCE[c], SENTENCE[t]) for c, t in zip(contexts, targets)}


def test_a_word_is_a_column_of_the_table():
    """E47: E·o_j = e_j, the j-th column of n×V."""
    E, words = RNG.normal(size=(3, 5)), np.array([4, 1, 4])
    e, _ = embedding(E, words)
    np.testing.assert_array_equal(e, (E @ np.eye(5)[words].T).T)
    np.testing.assert_array_equal(e[0], E[:, 4])


def test_four_words_of_300_numbers_are_an_input_of_1200():
    """34.14."""
    e, _ = embedding(np.zeros((300, 10)), np.array([[0, 1, 2, 3], [4, 5, 6, 7]]))
    assert e.reshape(2, -1).shape == (2, 1200)


@pytest.mark.parametrize("words", [np.array([0, 5]), np.array([-1, 0]), np.array([0.0, 1.0])])
def test_words_outside_the_table_are_refused(words):
    with pytest.raises(ValueError, match="whole numbers from 0 to 4"):
        embedding(np.zeros((3, 5)), words)


def test_pairs_come_in_the_order_of_the_text():
    contexts, targets = skip_gram_pairs(np.array([7, 8, 9, 7]), 2)
    assert list(zip(contexts.tolist(), targets.tolist())) == [
        *[(7, 8), (7, 9)],
        *[(8, 7), (8, 9), (8, 7)],
        *[(9, 7), (9, 8), (9, 7)],
        *[(7, 8), (7, 9)],
    ]


def test_orange_reaches_my_only_in_a_window_of_six():
    """34.17, E78: juice is at +1, glass at −2, my at +6."""
    assert ("orange", "juice") in pairs(1)
    assert ("orange", "glass") not in pairs(1)
    assert ("orange", "glass") in pairs(2)
    assert ("orange", "my") not in pairs(5)
    assert ("orange", "my") in pairs(6)


def test_a_window_of_none_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        skip_gram_pairs(np.arange(3), 0)


def test_an_untrained_softmax_costs_the_logarithm_of_the_vocabulary():
    J, _ = skip_gram_loss(np.zeros((3, 2)), np.ones((2, 7)), np.array([0, 3, 6]))
    assert pytest.approx(np.log(7)) == J


def test_the_table_of_negative_sampling():
    """34.18: orange with juice is 1, with king, book, the, of 0; each costs log 2 before training."""
    vocabulary = ["orange", "juice", "king", "book", "the", "of"]
    words, y = np.array([[vocabulary.index(word) for word in vocabulary[1:]]]), np.array([[1.0, 0, 0, 0, 0]])
    J, _ = negative_sampling_loss(np.zeros((1, 2)), np.ones((2, 6)), words, y)
    assert pytest.approx(5 * np.log(2)) == J
    theta = np.full((2, 6), -30.0)
    theta[:, 1] = 30
    assert negative_sampling_loss(np.ones((1, 2)), theta, words, y)[0] < 1e-12
    assert negative_sampling_loss(np.ones((1, 2)), theta, words, 1 - y)[0] == pytest.approx(5 * 60)


def test_negatives_are_drawn_between_frequency_and_uniform():
    """36.11: f^¾."""
    np.testing.assert_allclose(negative_distribution(np.array([1.0, 16, 0])), [1 / 9, 8 / 9, 0])
    np.testing.assert_allclose(negative_distribution(np.array([1.0, 3, 0]), power=1), [0.25, 0.75, 0])
    np.testing.assert_allclose(negative_distribution(np.array([1.0, 3, 0]), power=0), [0.5, 0.5, 0])


@pytest.mark.parametrize("counts", [np.zeros(3), np.array([2.0, -1.0])])
def test_counts_that_are_none_are_refused(counts):
    with pytest.raises(ValueError, match="how often each word occurs"):
        negative_distribution(counts)


def test_the_weight_of_a_count_rises_to_one_and_is_zero_for_none():
    """36.12: (x/100)^¾ below 100, then 1; 0 where X = 0, so that log 0 is not needed."""
    np.testing.assert_allclose(glove_weight(np.array([0.0, 6.25, 100, 5000])), [0, 0.125, 1, 1])
    np.testing.assert_allclose(glove_weight(np.array([0.5, 8]), x_max=8), [0.125, 1])


def test_glove_is_done_when_products_are_the_logarithms_of_the_counts():
    X = np.array([[0.0, 1.0], [np.e, 0.0]])
    theta, E, b, b_prime = np.zeros((1, 2)), np.zeros((1, 2)), np.array([0.0, 1.0]), np.zeros(2)
    assert glove_loss(theta, E, b, b_prime, X)[0] == 0
    J, _ = glove_loss(theta, E, b, b_prime + 2, X)
    assert pytest.approx(4 * (0.01**0.75 + (np.e / 100) ** 0.75)) == J
    assert glove_loss(theta, E, b, b_prime + 2, X, x_max=1)[0] == pytest.approx(8)


def test_any_invertible_matrix_leaves_the_products_and_the_loss_as_they_are():
    """36.14: (Aθ)ᵀ(A^{−T}e) = θᵀe, so the axes mean nothing by themselves."""
    theta, E, A = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=(3, 3))
    b, X = RNG.normal(size=4), RNG.integers(1, 200, size=(4, 4)).astype(float)
    turned = glove_loss(A @ theta, np.linalg.inv(A).T @ E, b, b, X)[0]
    assert glove_loss(theta, E, b, b, X)[0] == pytest.approx(turned)


def test_theta_and_e_of_a_word_are_averaged():
    """E66, 36.13; the loss of symmetric counts does not change when they change places."""
    theta, E, b, c = (RNG.normal(size=shape) for shape in ((3, 4), (3, 4), 4, 4))
    X = RNG.integers(0, 200, size=(4, 4)).astype(float)
    assert glove_loss(theta, E, b, c, X + X.T)[0] == pytest.approx(glove_loss(E, theta, c, b, X + X.T)[0])
    np.testing.assert_array_equal(glove_vectors(np.array([[1.0, 4]]), np.array([[3.0, 0]])), [[2, 2]])


def test_tables_labels_and_counts_that_do_not_fit_are_refused():
    e, theta, words = np.ones((2, 3)), np.ones((3, 5)), np.zeros((2, 2), dtype=int)
    with pytest.raises(ValueError, match="theta is"):
        skip_gram_loss(e, theta.T, np.array([0, 1]))
    with pytest.raises(ValueError, match="target is"):
        skip_gram_loss(e, theta, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match="theta is"):
        negative_sampling_loss(e, theta.T, words, np.ones((2, 2)))
    with pytest.raises(ValueError, match="words is"):
        negative_sampling_loss(e, theta, words[:1], np.ones((1, 2)))
    square, bias = np.ones((5, 5)), np.ones(5)
    for broken in (
        (theta[:, 1:], theta, bias, bias, square),
        (theta, theta, bias[1:], bias, square),
        (theta, theta, bias, bias[1:], square),
        (theta, theta, bias, bias, square[1:]),
    ):
        with pytest.raises(ValueError, match="expected"):
            glove_loss(*broken)
    with pytest.raises(ValueError, match="counts below 0"):
        glove_loss(theta, theta, bias, bias, -square)
