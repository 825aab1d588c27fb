"""Dictionary forms by simplemma, and errors where there are none."""

import sys

import pytest

from orthogon.data.lemmas import lemmatizer
from orthogon.data.tokens import tokenizer
from orthogon.errors import RecipeError

WORD = tokenizer("word")


def test_words_become_their_dictionary_form():
    """Row 26.03."""
    lemma = lemmatizer("en", WORD)
    assert [lemma(word) for word in ("mice", "was", "running", "cars", "qwzx")] == ["mouse", "be", "run", "car", "qwzx"]
    assert lemmatizer("de", WORD)("Häuser") == "Haus"


def test_what_cannot_be_is_refused_with_a_remedy(monkeypatch):
    with pytest.raises(RecipeError, match="no dictionary of the language 'english'"):
        lemmatizer("english", WORD)
    with pytest.raises(RecipeError, match="splits words into parts"):
        lemmatizer("en", tokenizer("character"))
    monkeypatch.setitem(sys.modules, "simplemma", None)
    with pytest.raises(RecipeError, match="need the package simplemma") as caught:
        lemmatizer("en", WORD)
    assert "orthogon[text]" in str(caught.value.remedy)
