"""Sentences to predict on: texts, lists of words, CoNLL files with tags and without."""

import numpy as np
import pytest
import torch

from orthogon.data.dataset import Dataset
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.errors import DataError
from orthogon.serve.inputs import gather
from orthogon.serve.predictions import Predictions
from orthogon.serve.schema import InputColumn, Schema, schema_of
from orthogon.text.tag import Tag
from orthogon.train.settings import DataSettings, TaskSettings


@pytest.fixture(scope="module")
def schema() -> Schema:
    words = TokensColumn([("the", "cat"), ("the", "dog", "sees")])
    tags = TagsColumn.from_values([("DET", "NOUN"), ("DET", "NOUN", "VERB")])
    data = Dataset("d", {"words": words, "tags": tags}, "tags", np.array(["0", "1"]))
    task = Tag(TaskSettings(), DataSettings())
    task.fit(data, np.arange(2))
    task.attach(data, torch.device("cpu"))
    return schema_of(task)


def words_of(inputs, schema: Schema):
    found = gather(inputs, schema, DataSettings())
    return found.data.columns["words"].values.tolist(), found  # type: ignore[attr-defined]


def test_the_schema_names_the_words_once(schema):
    assert schema.columns == (InputColumn("words", "tokens"),)
    assert "tags" in schema.ignored
    assert Schema.from_dict(schema.to_dict()) == schema


def test_texts_are_split_and_lists_are_taken_as_they_are(schema):
    assert words_of([{"words": "The cat, it sees."}], schema)[0] == [("The", "cat", ",", "it", "sees", ".")]
    assert words_of([{"words": ["a b", "c"]}, {"words": ["d"]}], schema)[0] == [("a b", "c"), ("d",)]


def test_a_sentence_without_words_is_an_error_of_its_own(schema):
    words, found = words_of([{"words": "a"}, {"words": " "}], schema)
    assert words == [("a",)]
    assert found.remarks.errors == {1: "column 'words' holds no word"}


@pytest.mark.parametrize("text", ["the\ncat\n\na\n", "the\tX\ncat\tY\n\na\tX\n"])
def test_files_with_tags_and_without(schema, tmp_path, text):
    path = tmp_path / "new.conll"
    path.write_text(text, encoding="utf-8")
    assert words_of(path, schema)[0] == [("the", "cat"), ("a",)]


def test_other_columns_are_refused(schema):
    with pytest.raises(DataError, match="missing: 'words'"):
        gather([{"form": "a b"}], schema, DataSettings())


def test_tags_are_told_as_a_line():
    said = Predictions([{"id": "0", "words": ["Ann", "runs"], "tags": ["B-per", "O"], "entities": [["per", 0, 0]]}])
    assert "Ann/B-per runs" in str(said)
    assert said.to_frame().rows(named=True) == [{"id": "0", "words": "Ann runs", "tags": "B-per O",
                                                 "entities": "per 0 to 0"}]
