"""The stop list is split as texts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from orthogon.data.stop_words import stop_words
from orthogon.data.tokens import tokenizer
from orthogon.errors import RecipeError

WORDS = sorted([*ENGLISH_STOP_WORDS, "hasn't", "won’t", "they're", "i'm", "that's"])


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from(["word", "whitespace"]))
def test_of_a_text_of_stop_words_nothing_is_left(words, name):
    """Row 26.02; a list that is not split as texts are leaves "hasn" of "hasn't"."""
    tokens = tokenizer(name)
    assert not set(tokens.split(" ".join(words))) - stop_words(tokens)


def test_words_that_say_something_are_none():
    assert not {"cat", "good", "hasn", "'"} & stop_words(tokenizer("word"))
    assert {"the", "this", "and", "hasn't"} <= stop_words(tokenizer("word"))


def test_parts_of_words_have_no_stop_words():
    with pytest.raises(RecipeError, match="splits words into parts"):
        stop_words(tokenizer("character"))
