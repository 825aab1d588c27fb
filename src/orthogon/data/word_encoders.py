"""Sentences that come in words, as ids: one for each word, and one for each of its characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from orthogon.data.dataset import Dataset
from orthogon.data.encoders import Encoder
from orthogon.data.text_columns import TokensColumn
from orthogon.data.text_encoder import LONGEST, WORDS, TokenSettings
from orthogon.data.vocabulary import Vocabulary, padded
from orthogon.errors import DataError
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import UNKNOWN, InputSpec

CHARACTERS = 20
"""Of a word as a network sees it; of a longer one the first half of them and the last half."""


class WordsEncoder(Encoder):
    """The words of a column of tokens as ids: int32 N×T in storage, int64 in the batch, cut there to its longest.

    A sentence is never cut, since each of its words has a tag: T is the longest of the data at hand. longest: of the
    train rows. most: tokens beyond which a sentence is refused, which keeps memory bounded.
    """

    kind = "text"

    def __init__(self, column: str, vocabulary: Vocabulary, lowercase: bool, longest: int, most: int) -> None:
        self.columns = (column,)
        self.vocabulary, self.lowercase, self.longest, self.most = vocabulary, lowercase, longest, most

    @classmethod
    def fitted(cls, column: str, data: Dataset, rows: np.ndarray, settings: TokenSettings) -> WordsEncoder:
        """On the sentences of those rows. Left open: lower case; words that occur once are unknown, 30,000 at most."""
        most, lowercase = settings.max_tokens or LONGEST, settings.lowercase is not False
        sentences = _sentences(data, column, rows, most)
        words = [[_read(word, lowercase) for word in sentence] for sentence in sentences]
        vocabulary = Vocabulary.fitted(words, settings.vocabulary or WORDS, settings.min_count or 2)
        return cls(column, vocabulary, lowercase, max(map(len, sentences)), most)

    def input_spec(self) -> InputSpec:
        return InputSpec("text", (self.longest,), (len(self.vocabulary),))

    def encode(self, data: Dataset) -> Tensor:
        sentences = _sentences(data, self.columns[0], np.arange(len(data)), self.most)
        ids = [self.vocabulary.ids(_read(word, self.lowercase) for word in sentence) for sentence in sentences]
        return torch.from_numpy(padded(ids, max(map(len, ids), default=1)))

    def prepare(self, stored: Tensor) -> Tensor:
        return stored[:, : _longest(stored)].long()

    def state(self) -> dict[str, Any]:
        return {"kind": "words", "column": self.columns[0], "vocabulary": self.vocabulary.state(),
                "lowercase": self.lowercase, "longest": self.longest, "most": self.most}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> WordsEncoder:
        return cls(state["column"], Vocabulary.from_state(state["vocabulary"]), state["lowercase"], state["longest"],
                   state["most"])


class CharactersEncoder(Encoder):
    """The characters of the words of a column of tokens: int64 N×T×C in the batch, cut there to its longest sentence.

    In storage each word is the number of its form, int32 N×T, and `forms` (forms × C) holds the characters of the data
    that was encoded last: a form that stands in a thousand places is spelled once. Letter case is kept.
    """

    kind = "characters"

    def __init__(self, column: str, vocabulary: Vocabulary, longest: int, most: int) -> None:
        self.columns = (column,)
        self.vocabulary, self.longest, self.most = vocabulary, longest, most
        self.forms = torch.zeros(1, CHARACTERS, dtype=torch.int64)

    @classmethod
    def fitted(cls, column: str, data: Dataset, rows: np.ndarray, settings: TokenSettings) -> CharactersEncoder:
        """On the sentences of those rows; characters that occur once are unknown."""
        most = settings.max_tokens or LONGEST
        sentences = _sentences(data, column, rows, most)
        vocabulary = Vocabulary.fitted((word for sentence in sentences for word in sentence), minimum=2)
        return cls(column, vocabulary, max(map(len, sentences)), most)

    def input_spec(self) -> InputSpec:
        return InputSpec("characters", (self.longest, CHARACTERS), (len(self.vocabulary),))

    def encode(self, data: Dataset) -> Tensor:
        sentences = _sentences(data, self.columns[0], np.arange(len(data)), self.most)
        numbers: dict[str, int] = {}
        rows = [[numbers.setdefault(word, len(numbers) + 1) for word in sentence] for sentence in sentences]
        spelled = padded([[UNKNOWN], *(self.vocabulary.ids(_middle_out(word)) for word in numbers)], CHARACTERS)
        self.forms = torch.from_numpy(spelled).long()
        self.forms[0] = 0
        return torch.from_numpy(padded(rows, max(map(len, rows), default=1)))

    def prepare(self, stored: Tensor) -> Tensor:
        if self.forms.device != stored.device:
            self.forms = self.forms.to(stored.device)
        return self.forms[stored[:, : _longest(stored)].long()]

    def state(self) -> dict[str, Any]:
        return {"kind": "characters", "column": self.columns[0], "vocabulary": self.vocabulary.state(),
                "longest": self.longest, "most": self.most}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CharactersEncoder:
        return cls(state["column"], Vocabulary.from_state(state["vocabulary"]), state["longest"], state["most"])


def _longest(stored: Tensor) -> int:
    return max(1, int(lengths_of(stored).max())) if len(stored) else 1


def _read(word: str, lowercase: bool) -> str:
    return word.lower() if lowercase else word


def _middle_out(word: str) -> str:
    """The word; of a long one its beginning and its end, which tell more than what lies between."""
    half = CHARACTERS // 2
    return word if len(word) <= CHARACTERS else word[:half] + word[-half:]


def _sentences(data: Dataset, name: str, rows: np.ndarray, most: int) -> list[tuple[str, ...]]:
    """The words of the rows; a sentence that is missing is one word without letters."""
    column = data.columns[name]
    if not isinstance(column, TokensColumn):
        raise DataError(f"column {name!r} is of kind {column.kind} where the network was trained on sentences in words",
                        where=data.name, remedy="Give a CoNLL file, or lists of words.")
    longest = int(np.argmax(column.lengths)) if len(column) else 0
    if len(column) and column.lengths[longest] > most:
        raise DataError(f"a sentence has {column.lengths[longest]:,} words, more than the {most:,} taken at once",
                        where=f"{data.name}: id {data.ids[longest]}",
                        remedy="Put blank lines between sentences, or raise data.max_tokens.")
    words: list[tuple[str, ...] | None] = column.values[rows].tolist()
    return [sentence or ("",) for sentence in words]
