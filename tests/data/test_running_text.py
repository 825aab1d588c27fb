"""Running text: blocks that follow each other, what is read of files, and parts in the order of the text."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orthogon as og
from orthogon.data.running_text import BLOCK, RunningText, blocks
from orthogon.data.split import split
from orthogon.data.text_encoder import TextEncoder
from orthogon.data.tokens import tokenizer, tokenizer_from_state
from orthogon.errors import DataError, RecipeError
from orthogon.nn.spec import UNKNOWN
from orthogon.train.settings import DataSettings


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet="ab \n", max_size=200), st.integers(1, 30))
def test_blocks_are_the_text_and_none_is_too_long(text: str, most: int) -> None:
    found = blocks(text, most)
    assert "".join(found) == text
    assert all(0 < len(block) <= most for block in found)


def test_blocks_end_with_lines_then_with_blanks_then_anywhere() -> None:
    assert blocks("one\ntwo\nthree", 9) == ["one\ntwo\n", "three"]
    assert blocks("one two three", 9) == ["one two ", "three"]
    assert blocks("abcdefgh", 3) == ["abc", "def", "gh"]


def test_rows_follow_each_other_only_where_they_did_and_lie_side_by_side() -> None:
    column = RunningText.of(["a\n" * BLOCK, "b\n" * BLOCK])
    assert column.follows.tolist() == [False, True, False, True]
    assert column.take(np.array([0, 1, 3])).follows.tolist() == [False, True, False]
    assert column.take(np.array([1, 0])).follows.tolist() == [False, False]
    assert column.take(np.array([False, True, True, True])).follows.tolist() == [False, False, True]


def test_files_are_read_whole_in_parts(tmp_path) -> None:
    (tmp_path / "book-train.txt").write_bytes("\ufeffOne\r\n\r\ntwo".encode())
    (tmp_path / "book-test.txt.gz").write_bytes(gzip.compress("drei ä".encode()))
    data = og.read({"train": tmp_path / "book-train.txt", "test": tmp_path / "book-test.txt.gz"}, running=True)
    assert [data.columns["text"].cell(row) for row in range(2)] == ["One\n\ntwo", "drei ä"]
    assert data.part.tolist() == ["train", "test"]
    assert data.columns["text"].follows.tolist() == [False, False]


def test_the_texts_of_a_folder_follow_one_another_by_name(tmp_path) -> None:
    for name, text in (("b/2", "two"), ("a", "one"), ("README", "about")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(text)
    data = og.read(tmp_path, running=True)
    assert [data.columns["text"].cell(row) for row in range(2)] == ["one", "two"]
    assert data.columns["text"].follows.tolist() == [False, False]
    assert data.part is None
    assert "2 text files" in data.findings[0].what
    for name in ("train", "dev"):
        (tmp_path / "b" / f"{name}.txt").write_text(name)
    (tmp_path / "b" / "2.txt").unlink()
    assert og.read(tmp_path / "b", running=True).part.tolist() == ["train", "dev"]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no text file"):
        og.read(tmp_path / "none", running=True)


def test_what_is_no_utf8_is_named_by_line_and_byte(tmp_path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"fine\nna\xefve\n")
    with pytest.raises(DataError) as error:
        og.read(path, running=True)
    assert error.value.where == f"{path}:2"
    assert "byte 3 of the line" in error.value.what
    assert "0xef" in error.value.what


@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_refused(tmp_path, content: bytes) -> None:
    path = tmp_path / "empty.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no text"):
        og.read(path, running=True)


def test_parts_follow_one_another_in_the_order_of_the_text(tmp_path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("".join(f"line {number}\n" for number in range(5000)))
    data = og.read(path, running=True)
    passport = split(data, by="order", dev=0.1, test=0.2)
    sizes = {name: len(rows) for name, rows in passport.parts.items()}
    order = np.concatenate([np.sort(passport.parts[name]) for name in ("train", "dev", "test")])
    assert order.tolist() == list(range(len(data)))
    assert sizes["test"] == round(0.2 * len(data))
    with pytest.raises(RecipeError, match="folds"):
        split(data, by="order", folds=3)


def test_the_end_of_a_line_is_a_token_of_words_in_running_text() -> None:
    words = tokenizer("word", lines=True)
    assert words.split("To be,\n or\n\nnot") == ["To", "be", ",", "\n", "or", "\n", "\n", "not"]
    assert words.join(words.split("To be,\nor\n\nnot")) == "To be,\nor\n\nnot"
    assert tokenizer_from_state(words.state()).split("a\nb") == ["a", "\n", "b"]
    assert tokenizer("word").split("a\nb") == ["a", "b"]


def test_no_block_of_dev_is_cut_because_those_of_train_are_shorter() -> None:
    data = og.Dataset("book", {"text": RunningText(["ab\n", "ababababab\n"], np.array([False, True]))}, None,
                      np.array(["0", "1"]))
    encoder = TextEncoder.fitted("text", data, np.array([0]), DataSettings(tokens="character"))
    stored = encoder.encode(data)
    assert stored.shape == (2, 11)
    assert (stored[1] != 0).all()
    assert UNKNOWN not in stored
    with pytest.raises(RecipeError, match="not cut"):
        TextEncoder.fitted("text", data, np.array([0]), DataSettings(tokens="character", max_tokens=5))
