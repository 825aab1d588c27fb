"""Text as ids of tokens, fitted on the train rows alone."""

import numpy as np
import pytest
import torch

from orthogon.data.columns import CategoryColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.encode import encoder_from_state, fit_encoders
from orthogon.data.text_encoder import TextEncoder, long_texts
from orthogon.errors import DataError
from orthogon.nn.padding import lengths_of
from orthogon.train.settings import DataSettings

TEXTS = ["The cat ate.", "the cat slept", "", None, "a dog ate the cat and the fish and the bird"]


def texts(values=TEXTS) -> Dataset:
    return Dataset("pets", {"text": TextColumn(values)}, None, np.arange(len(values)).astype(str))


def fitted(rows, **settings) -> TextEncoder:
    return TextEncoder.fitted("text", texts(), np.asarray(rows), DataSettings(**settings))


def test_words_of_train_that_occur_twice_are_known_and_all_others_are_unknown():
    encoder = fitted([0, 1])
    assert encoder.vocabulary.words == ("cat", "the")
    stored = encoder.encode(texts())
    assert stored.dtype == torch.int32
    assert stored.tolist() == [[5, 4, 1, 1], [5, 4, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 1, 5]]
    assert encoder.input_spec().shape == (4,)
    assert encoder.input_spec().levels == (6,)


def test_a_batch_is_cut_to_its_longest():
    encoder = fitted([0, 1])
    stored = encoder.encode(texts())
    assert encoder.prepare(stored[1:3]).tolist() == [[5, 4, 1], [1, 0, 0]]
    assert encoder.prepare(stored[1:3]).dtype == torch.int64
    assert lengths_of(stored).tolist() == [4, 3, 1, 1, 4]


def test_marks_stand_around_the_text_even_where_it_is_cut_and_the_text_comes_back():
    settings = DataSettings(max_tokens=2, min_count=1, lowercase=False)
    encoder = TextEncoder.fitted("text", texts(), np.arange(5), settings, begin=True, end=True)
    stored = encoder.encode(texts())
    assert stored[:, 0].tolist() == [2] * 5
    assert encoder.text(stored[4].tolist()) == "a dog"
    assert stored[4].tolist()[-1] == 3
    assert encoder.text(stored[1].tolist()) == "the cat"


def test_settings_choose_tokens_letter_case_length_and_size():
    characters = fitted([0, 1], tokens="character", lowercase=False)
    assert {"T", "t", " "} <= set(characters.vocabulary.words)
    assert characters.longest == len("the cat slept")
    assert len(fitted([0, 1, 4], vocabulary=5, min_count=1).vocabulary) == 5
    assert fitted([0, 1], max_tokens=2).encode(texts()).shape == (5, 2)


def test_where_there_is_room_a_text_longer_than_all_of_train_is_read_whole():
    encoder = TextEncoder.fitted("text", texts(), np.arange(2), DataSettings(), roomy=True)
    assert encoder.input_spec().shape == (4,)
    assert lengths_of(encoder.encode(texts())).tolist() == [4, 3, 1, 1, 11]
    long = texts(["cat " * 1500])
    assert encoder.encode(long).shape == (1, 1000)


def test_its_state_builds_it_again():
    encoder = fitted([0, 1, 4], tokens="bpe", vocabulary=30)
    again = encoder_from_state(encoder.state())
    assert torch.equal(again.encode(texts()), encoder.encode(texts()))
    roomy = TextEncoder.fitted("text", texts(), np.arange(2), DataSettings(), roomy=True)
    again = encoder_from_state(roomy.state())
    assert torch.equal(again.encode(texts()), roomy.encode(texts()))
    assert again.input_spec() == roomy.input_spec()


def test_one_that_was_stored_with_one_length_alone_cuts_there():
    state = {name: value for name, value in fitted([0, 1]).state().items() if name != "most"}
    assert torch.equal(encoder_from_state(state).encode(texts()), fitted([0, 1]).encode(texts()))


def test_a_text_column_is_an_input_beside_others():
    data = texts()
    data.columns["kind"] = CategoryColumn.from_values(list("abaab"))
    assert [each.kind for each in fit_encoders(data, np.arange(5), DataSettings())] == ["text", "category"]


def test_texts_without_tokens_are_refused_with_their_column():
    with pytest.raises(DataError, match="pets: column 'text'"):
        TextEncoder.fitted("text", texts(["", None]), np.arange(2), DataSettings())


def test_texts_that_are_cut_are_told_of():
    (finding,) = long_texts(texts(["word " * 1200, "short"]), None)
    assert finding.kind == "long-text"
    assert "1 of 2" in finding.what
    assert not long_texts(texts(), None)
    assert long_texts(texts(), 2)


def test_stop_words_are_left_out_and_lemmas_stand_for_words():
    told = texts(["The mice ate and the mouse hasn't", "mouse and mice eat"])
    encoder = TextEncoder.fitted("text", told, np.arange(2), DataSettings(stop_words=True, lemmas="en", min_count=1))
    assert encoder.vocabulary.words == ("mouse", "eat")
    assert encoder.encode(told).tolist() == [[4, 5, 4], [4, 4, 5]]
    again = encoder_from_state(encoder.state())
    assert torch.equal(again.encode(told), encoder.encode(told))
    assert encoder_from_state({**fitted([0, 1]).state()}).words.stopped == frozenset()


def test_characters_are_counted_where_they_are_the_tokens():
    (finding,) = long_texts(texts(["x" * 1200, "short"]), None, "character")
    assert "1 of 2 texts have more than 1,000 characters, the longest 1,200" in finding.what
    assert not long_texts(texts(["x" * 1200, "short"]), None)
