"""Vocabulary: which tokens are known, and their ids."""

import numpy as np
import pytest

from orthogon.data.vocabulary import Vocabulary, padded
from orthogon.errors import DataError

SENTENCES = [["the", "cat", "ate"], ["the", "dog", "ate", "the", "fish"]]


def test_common_tokens_come_first_and_ties_go_by_the_alphabet():
    vocabulary = Vocabulary.fitted(SENTENCES)
    assert vocabulary.words == ("the", "ate", "cat", "dog", "fish")
    assert vocabulary.ids(["the", "fish", "bird"]) == [4, 8, 1]
    assert vocabulary.tokens([2, 4, 1, 3, 0, 0]) == ["<begin>", "the", "<unknown>", "<end>"]
    assert len(vocabulary) == 9
    assert "cat" in vocabulary
    assert "<end>" not in vocabulary


def test_size_counts_the_four_marks_and_rare_tokens_are_unknown():
    assert Vocabulary.fitted(SENTENCES, size=6).words == ("the", "ate")
    assert Vocabulary.fitted(SENTENCES, minimum=2).words == ("the", "ate")
    with pytest.raises(DataError, match="at least 5 times"):
        Vocabulary.fitted(SENTENCES, minimum=5)
    with pytest.raises(DataError, match="hold no tokens"):
        Vocabulary.fitted([[], []])


def test_a_token_named_like_a_mark_is_a_token():
    vocabulary = Vocabulary.fitted([["<unknown>", "a", "a"]])
    assert vocabulary.ids(["<unknown>"]) == [5]
    assert Vocabulary.from_state(vocabulary.state()).words == vocabulary.words


def test_padded_cuts_and_fills_up_on_the_right():
    assert padded([[5, 6], [7, 8, 9, 10], []], 3).tolist() == [[5, 6, 0], [7, 8, 9], [0, 0, 0]]
    assert padded([], 3).shape == (0, 3)
    assert padded([[1]], 2).dtype == np.int32
