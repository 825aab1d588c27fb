"""Similarity, analogies, and embeddings freed of a bias. Gradients: see twins_sequences."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.similarity import (
    analogy,
    cosine_similarity,
    equalize,
    neutralize,
    squared_distance_similarity,
)

WORDS = {"man": 5391, "woman": 9853, "king": 4914, "queen": 7157, "apple": 456, "orange": 6257}
# Gender, royalty, age, food: the table of Ng's lecture "Word representation".
FEATURES = {
    "man": [-1.0, 0.01, 0.03, 0.04],
    "woman": [1.0, 0.02, 0.02, 0.01],
    "king": [-0.95, 0.93, 0.70, 0.02],
    "queen": [0.97, 0.95, 0.69, 0.01],
    "apple": [0.00, -0.01, 0.03, 0.95],
    "orange": [0.01, 0.00, -0.02, 0.97],
}


@pytest.mark.parametrize("similarity", [cosine_similarity, squared_distance_similarity])
def test_man_is_to_woman_as_king_to_queen(similarity):
    """34.16, with the numbers that the words have in a vocabulary of 10,000."""
    E = np.random.default_rng(0).normal(size=(50, 10_000))
    for word, number in WORDS.items():
        E[:, number] = np.pad(FEATURES[word], (0, 46))
    assert analogy(E, WORDS["man"], WORDS["woman"], WORDS["king"], similarity) == WORDS["queen"]
    assert analogy(E, WORDS["king"], WORDS["queen"], WORDS["man"], similarity) == WORDS["woman"]


def test_the_words_of_the_question_are_no_answer():
    E = np.array([[0.0, 0.1, 5.0, -3.0], [1.0, 1.0, 1.0, 1.0]])
    assert analogy(E, 0, 1, 2) == 3


def test_an_analogy_is_by_direction_unless_told_otherwise():
    E = np.array([[1.0, 0, 1], [0, 1, 1], [1, 1, 1], [0, 200, 100], [0, 2, 0.5]]).T
    assert analogy(E, 0, 1, 2) == 3
    assert analogy(E, 0, 1, 2, squared_distance_similarity) == 4


def test_a_cosine_is_that_of_the_angle_whatever_the_lengths():
    u, v = np.array([[1.0, 0], [1.0, 1], [2.0, 0]]), np.array([[0.0, 3], [5.0, 5], [-0.1, 0]])
    np.testing.assert_allclose(cosine_similarity(u, v)[0], [0, 1, -1], atol=1e-12)
    np.testing.assert_allclose(cosine_similarity(7 * u, 3 * v)[0], [0, 1, -1], atol=1e-12)


def test_a_distance_depends_on_the_lengths():
    np.testing.assert_allclose(squared_distance_similarity(np.array([1.0, 2]), np.array([4.0, -2]))[0], -25)


def test_vectors_without_a_direction_are_refused():
    for u, v in (([0.0, 0], [1.0, 0]), ([1.0, 0], [0.0, 0])):
        with pytest.raises(ValueError, match="no direction"):
            cosine_similarity(np.array(u), np.array(v))


@pytest.mark.parametrize("similarity", [cosine_similarity, squared_distance_similarity])
def test_vectors_of_two_sizes_are_refused(similarity):
    with pytest.raises(ValueError, match="v is"):
        similarity(np.ones((2, 3)), np.ones((1, 3)))


def test_a_neutral_word_has_nothing_along_the_bias():
    """36.16."""
    rng = np.random.default_rng(1)
    e, g = rng.normal(size=(5, 4)), rng.normal(size=4)
    neutral = neutralize(e, g)
    np.testing.assert_allclose(neutral @ g, 0, atol=1e-12)
    np.testing.assert_allclose(neutralize(np.array([3.0, 4]), np.array([10.0, 0])), [0, 4])
    np.testing.assert_allclose(neutral, neutralize(neutral, g))


def test_an_equalized_pair_is_as_near_to_every_neutral_word():
    """E69, 36.17: grandmother and grandfather, of length 1, mirror each other across the bias direction."""
    rng = np.random.default_rng(2)
    grandmother, grandfather = (e / np.linalg.norm(e) for e in rng.normal(size=(2, 6)))
    g, words = rng.normal(size=6), rng.normal(size=(9, 6))
    one, other = equalize(grandmother, grandfather, g)
    neutral = neutralize(words, g)
    np.testing.assert_allclose(np.linalg.norm(neutral - one, axis=1), np.linalg.norm(neutral - other, axis=1))
    np.testing.assert_allclose(one @ g, -other @ g)
    np.testing.assert_allclose([np.linalg.norm(one), np.linalg.norm(other)], 1)
    assert np.sign(one @ g) == np.sign((grandmother - grandfather) @ g)


def test_equalizing_by_hand():
    one, other = equalize(np.array([[0.6, 0.8]]), np.array([[0.0, 0.0]]), np.array([2.0, 0]))
    np.testing.assert_allclose(one, [[np.sqrt(0.84), 0.4]])
    np.testing.assert_allclose(other, [[-np.sqrt(0.84), 0.4]])


def test_a_pair_that_the_bias_does_not_tell_apart_is_refused():
    with pytest.raises(ValueError, match="do not differ"):
        equalize(np.array([0.5, 1.0]), np.array([0.5, -1.0]), np.array([1.0, 0]))


def test_a_bias_of_nothing_is_refused():
    with pytest.raises(ValueError, match="other than 0"):
        neutralize(np.ones(2), np.zeros(2))
