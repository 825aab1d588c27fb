"""Sentences in words as ids of words and of their characters."""

import numpy as np
import pytest
import torch

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.encode import encoder_from_state, fit_encoders
from orthogon.data.text_columns import TokensColumn
from orthogon.data.word_encoders import CHARACTERS, CharactersEncoder, WordsEncoder
from orthogon.errors import DataError
from orthogon.nn.spec import FIRST_TOKEN, UNKNOWN, InputSpec
from orthogon.train.settings import DataSettings

SENTENCES = [("The", "cat", "the", "cat"), ("a", "dog"), ("the", "cats"), ("unseen", "Zebra")]
TRAIN = np.arange(3)


def data(sentences=SENTENCES) -> Dataset:
    return Dataset("d", {"words": TokensColumn(sentences)}, None, np.arange(len(sentences)).astype(str))


def encoders(**settings) -> tuple[WordsEncoder, CharactersEncoder]:
    words, letters = fit_encoders(data(), TRAIN, DataSettings(**settings))
    assert isinstance(words, WordsEncoder)
    assert isinstance(letters, CharactersEncoder)
    return words, letters


def test_words_that_occur_twice_in_train_are_known_in_lower_case():
    words, _ = encoders()
    the, cat = FIRST_TOKEN, FIRST_TOKEN + 1
    expected = [[the, cat, the, cat], [UNKNOWN, UNKNOWN, 0, 0], [the, UNKNOWN, 0, 0], [UNKNOWN, UNKNOWN, 0, 0]]
    assert words.encode(data()).tolist() == expected
    assert words.input_spec() == InputSpec("text", (4,), (6,))
    cased, _ = encoders(lowercase=False, min_count=1, vocabulary=6)
    assert cased.vocabulary.words == ("cat", "the")
    assert cased.encode(data())[0].tolist() == [UNKNOWN, FIRST_TOKEN, FIRST_TOKEN + 1, FIRST_TOKEN]


def test_a_batch_is_cut_to_its_longest_sentence_in_words_and_characters():
    words, letters = encoders()
    rows = torch.tensor([1, 2])
    assert words.prepare(words.encode(data())[rows]).shape == (2, 2)
    spelled = letters.prepare(letters.encode(data())[rows])
    assert spelled.shape == (2, 2, CHARACTERS)
    assert spelled.dtype == torch.int64


def test_characters_are_those_of_each_word_with_their_case():
    _, letters = encoders()
    spelled = letters.prepare(letters.encode(data()))
    known = letters.vocabulary
    for row, sentence in enumerate(SENTENCES):
        for place, word in enumerate(sentence):
            assert spelled[row, place].tolist() == [*known.ids(word), *[0] * (CHARACTERS - len(word))]
    assert (spelled[1, 2:] == 0).all()
    assert "t" in known
    assert "T" not in known  # it occurs once


def test_of_a_long_word_both_ends_are_read():
    _, letters = encoders()
    word = "cats" * 3 + "x" * 50 + "the" * 4
    spelled = letters.prepare(letters.encode(data([(word,)])))[0, 0]
    assert spelled.tolist() == letters.vocabulary.ids(word[:10] + word[-10:])


@pytest.mark.parametrize("number", [0, 1])
def test_an_encoder_is_made_again_from_its_state(number):
    encoder = encoders()[number]
    again = encoder_from_state(encoder.state())
    assert torch.equal(again.prepare(again.encode(data())), encoder.prepare(encoder.encode(data())))
    assert again.input_spec() == encoder.input_spec()


def test_longer_sentences_than_those_of_train_are_not_cut():
    words, letters = encoders()
    longer = data([("the",) * 9])
    assert words.encode(longer).shape == (1, 9)
    assert letters.prepare(letters.encode(longer)).shape == (1, 9, CHARACTERS)


def test_a_sentence_of_too_many_words_is_refused():
    words, _ = encoders(max_tokens=5)
    with pytest.raises(DataError, match="6 words, more than the 5 taken at once") as caught:
        words.encode(data([("a",), ("a",) * 6]))
    assert caught.value.where == "d: id 1"


def test_a_missing_sentence_is_one_unknown_word():
    words, letters = encoders()
    missing = data([None, ("the",)])
    assert words.encode(missing).tolist() == [[UNKNOWN], [FIRST_TOKEN]]
    assert (letters.prepare(letters.encode(missing))[0] == 0).all()


def test_other_columns_are_refused():
    words, _ = encoders()
    text = Dataset("d", {"words": TextColumn(["the cat"])}, None, np.array(["0"]))
    with pytest.raises(DataError, match="of kind text where the network was trained on sentences in words"):
        words.encode(text)
