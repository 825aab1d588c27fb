"""Columns of sentences in words, and of a tag for each word."""

import numpy as np
import pytest

from orthogon.data.text_columns import TagsColumn, TokensColumn

SENTENCES = [("the", "cat"), ("a",), None, ("dogs", "run", "fast")]
TAGS = [("DET", "NOUN"), ("DET",), None, ("NOUN", None, "ADV")]


def test_tokens_are_taken_told_and_missed():
    column = TokensColumn(SENTENCES)
    assert [column.cell(row) for row in range(4)] == ["the cat", "a", "", "dogs run fast"]
    assert column.missing().tolist() == [False, False, True, False]
    assert column.lengths.tolist() == [2, 1, 0, 3]
    taken = column.take(np.array([3, 0]))
    assert taken.values.tolist() == [("dogs", "run", "fast"), ("the", "cat")]
    assert TokensColumn([("a", "b"), ("c", "d")]).take(np.array([1])).values[0] == ("c", "d")


def test_digests_tell_sentences_apart_by_their_words():
    column = TokensColumn([("a", "b"), ("a b",), ("a", "b"), None, ()])
    digests = column.digests()
    assert digests[0] == digests[2]
    assert len(set(digests.tolist())) == 4
    assert (column.take(np.array([1, 0])).digests() == digests[[1, 0]]).all()


def test_tags_are_codes_of_levels_in_order():
    column = TagsColumn.from_values(TAGS)
    assert column.levels == ("ADV", "DET", "NOUN")
    assert column.codes.tolist() == [1, 2, 1, 2, -1, 0]
    assert column.lengths.tolist() == [2, 1, 0, 3]
    assert column.missing().tolist() == [False, False, True, False]
    assert [column.cell(row) for row in range(4)] == ["DET NOUN", "DET", "", "NOUN _ ADV"]
    assert TagsColumn.from_values([("X",), (None, None), ("X", None)]).missing().tolist() == [False, True, False]


@pytest.mark.parametrize("rows", [[3, 0], [2], [], [0, 1, 2, 3], [1, 1, 3]])
def test_taken_tags_are_those_of_the_sentences(rows):
    column = TagsColumn.from_values(TAGS)
    taken = column.take(np.array(rows, dtype=np.int64))
    assert [taken.cell(place) for place in range(len(rows))] == [column.cell(row) for row in rows]
    assert (taken.digests() == column.digests()[np.array(rows, dtype=np.int64)]).all()


def test_padding_is_no_tag():
    column = TagsColumn.from_values(TAGS)
    assert column.padded().tolist() == [[1, 2, -1], [1, -1, -1], [-1, -1, -1], [2, -1, 0]]
    assert column.padded(2).tolist() == [[1, 2], [1, -1], [-1, -1], [2, -1]]
    assert column.padded(4)[3].tolist() == [2, -1, 0, -1]


def test_lengths_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="3 tags for sentences of 2"):
        TagsColumn(np.array([0, 0, 0]), np.array([1, 1]), ["A"])


def test_the_scheme_of_a_column():
    assert TagsColumn.from_values([("O", "B-x", "I-x")]).scheme == "BIO"
    assert TagsColumn.from_values(TAGS).scheme == ""
