"""Tokenizers: what they split, and that joining gives the text again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthogon.data.tokens import tokenizer, tokenizer_from_state
from orthogon.errors import DataError, RecipeError

TEXTS = ["the cat, which already ate, was full.", "the cats were full", "a dog ate the cat's fish"] * 20


def test_each_splits_as_its_name_says():
    assert tokenizer("whitespace").split("a  b,\tc\n") == ["a", "b,", "c"]
    assert tokenizer("word").split("It hasn't (yet), 3.5") == ["It", "hasn't", "(", "yet", ")", ",", "3", ".", "5"]
    assert tokenizer("character").split("a b") == ["a", " ", "b"]


def test_words_are_joined_with_blanks_where_they_usually_are():
    text = "The cat, (which ate) was full!"
    assert tokenizer("word").join(tokenizer("word").split(text)) == text


@given(st.text())
def test_characters_are_joined_to_the_same_text(text):
    characters = tokenizer("character")
    assert characters.join(characters.split(text)) == text


@pytest.mark.parametrize("name", ["bpe", "unigram"])
def test_subwords_write_every_known_letter_again_and_survive_their_state(name):
    subwords = tokenizer(name)
    subwords.fit(TEXTS, 60)
    again = tokenizer_from_state(subwords.state())
    for text in ["the cat ate", "a fresh wish", "full cats"]:
        tokens = subwords.split(text)
        assert tokens == again.split(text)
        assert subwords.join(tokens) == text


def test_common_words_become_one_subword():
    subwords = tokenizer("bpe")
    subwords.fit(["lower lower lower newest newest newest newest widest"] * 10, 100)
    assert subwords.split("lower newest") == ["▁lower", "▁newest"]


def test_subwords_that_were_not_fitted_and_names_that_do_not_exist_are_refused():
    with pytest.raises(DataError, match="learnt nothing"):
        tokenizer("bpe").split("a")
    with pytest.raises(RecipeError, match="whitespace"):
        tokenizer("whitespaces")
