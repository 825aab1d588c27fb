"""Text as ids of tokens: the tokenizer and the vocabulary, fitted on the train rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from orthogon.data.columns import CategoryColumn, Column, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.encoders import Encoder
from orthogon.data.lemmas import lemmatizer
from orthogon.data.running_text import BLOCK, RunningText
from orthogon.data.stop_words import stop_words
from orthogon.data.tokens import SUBWORDS, Tokenizer, TokenizerName, tokenizer, tokenizer_from_state
from orthogon.data.vocabulary import Vocabulary, padded
from orthogon.errors import DataError, RecipeError
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import BEGIN, END, UNKNOWN, InputSpec

WORDS = 30_000
"""Ids of a vocabulary of words, where no other number is asked for (row 25.07: 30,000 to 50,000 are usual)."""

LONGEST = 1000
"""Tokens after which a text is cut, where no other number is asked for."""

_AT_ONCE = 4096


class TokenSettings(Protocol):
    """What of the recipe's `data` section text follows."""

    tokens: TokenizerName | None
    vocabulary: int | None
    min_count: int | None
    max_tokens: int | None
    lowercase: bool | None
    stop_words: bool
    lemmas: str | None


class Words:
    """A tokenizer, and what is done to its tokens before they are looked up: stop words left out, then lemmas."""

    def __init__(self, tokens: Tokenizer, without_stop_words: bool, lemmas: str) -> None:
        self.tokenizer, self.lemmas = tokens, lemmas
        self.stopped = stop_words(tokens) if without_stop_words else frozenset()
        self._lemma = lemmatizer(lemmas, tokens) if lemmas else None

    def split_all(self, texts: Sequence[str]) -> list[list[str]]:
        split = self.tokenizer.split_all(texts)
        if self.stopped:
            split = [[token for token in tokens if token.lower() not in self.stopped] for tokens in split]
        if self._lemma is not None:
            split = [[self._lemma(token) for token in tokens] for tokens in split]
        return split


class TextEncoder(Encoder):
    """One text column as ids: int32 N×T in storage, int64 in the batch, cut there to the longest of the batch.

    T is the longest of the data at hand. longest: of the train rows; most: tokens after which a text is cut, left out
    `longest`; marks count in both. A text without tokens is one unknown token, so that no sequence is empty.
    begin, end: whether the marks `BEGIN` and `END` stand around each text. without_stop_words: whether these are left
    out. lemmas: the language whose dictionary forms stand for words; "": words stay as they are.
    """

    kind = "text"

    def __init__(self, column: str, tokens: Tokenizer, vocabulary: Vocabulary, longest: int, lowercase: bool,
                 begin: bool = False, end: bool = False, without_stop_words: bool = False, lemmas: str = "",
                 most: int | None = None) -> None:
        self.columns = (column,)
        self.tokenizer, self.vocabulary, self.longest, self.lowercase = tokens, vocabulary, longest, lowercase
        self.most = longest if most is None else most
        self.begin, self.end = begin, end
        self.words = Words(tokens, without_stop_words, lemmas)

    @classmethod
    def fitted(cls, column: str, data: Dataset, rows: np.ndarray, settings: TokenSettings, begin: bool = False,
               end: bool = False, beside: Sequence[str] = (), roomy: bool = False) -> TextEncoder:
        """On the texts of those rows. Left open: words in lower case, which occur twice at least; cut at the longest
        of these texts, up to 1,000 tokens. Of running text the end of a line is a token, and nothing is cut.

        beside: further columns whose texts count for tokens and vocabulary. roomy: texts up to 1,000 tokens are not cut
        even where those of train are all shorter.
        """
        texts = _texts(data, column, rows, lowercase := settings.lowercase is not False)
        # In the order of the data, so that all columns that are joined learn the same tokens.
        joined = [each for name in data.columns if name == column or name in beside
                  for each in _texts(data, name, rows, lowercase)]
        running = isinstance(data.columns[column], RunningText)
        tokens = tokenizer(settings.tokens or "word", lines=running)
        tokens.fit(joined, settings.vocabulary or SUBWORDS)
        words = Words(tokens, settings.stop_words, settings.lemmas or "")
        split = words.split_all(texts)
        counted = words.split_all(joined) if beside else split
        minimum = settings.min_count or (1 if tokens.subwords else 2)
        try:
            vocabulary = Vocabulary.fitted(counted, settings.vocabulary or WORDS, minimum)
        except DataError as error:
            raise DataError(error.what, where=f"{data.name}: column {column!r}", remedy=error.remedy) from None
        if running and settings.max_tokens is not None:
            raise RecipeError("blocks of running text are not cut", where="data.max_tokens", remedy="Leave it out.")
        seen = max(1, *(len(each) for each in split))
        kept = settings.max_tokens or (LONGEST if roomy else min(LONGEST, seen))
        most = BLOCK + 1 if running else kept + begin + end
        longest = most if running else min(most, seen + begin + end)
        return cls(column, tokens, vocabulary, longest, lowercase, begin, end, settings.stop_words,
                   settings.lemmas or "", most)

    def input_spec(self) -> InputSpec:
        return InputSpec("text", (self.longest,), (len(self.vocabulary),))

    def encode(self, data: Dataset) -> Tensor:
        pieces = []
        for start in range(0, len(data), _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, len(data)))
            ids = [self.ids(tokens) for tokens in self._split(data, rows)]
            pieces.append(padded(ids, max(map(len, ids))))
        stored = np.zeros((len(data), max((piece.shape[1] for piece in pieces), default=1)), dtype=np.int32)
        for number, piece in enumerate(pieces):
            stored[number * _AT_ONCE : number * _AT_ONCE + len(piece), : piece.shape[1]] = piece
        return torch.from_numpy(stored)

    def _split(self, data: Dataset, rows: np.ndarray) -> list[list[str]]:
        return self.words.split_all(_texts(data, self.columns[0], rows, self.lowercase))

    def ids(self, tokens: list[str]) -> list[int]:
        """With the marks around them, cut so that the mark of the end stays."""
        kept = self.vocabulary.ids(tokens)[: self.most - self.begin - self.end]
        kept = kept or ([] if self.begin or self.end else [UNKNOWN])
        return [*([BEGIN] if self.begin else ()), *kept, *([END] if self.end else ())]

    def text(self, ids: list[int]) -> str:
        """The text of ids, without marks: the way back, but for letter case, unknown tokens and what was cut."""
        return self.tokenizer.join(self.vocabulary.tokens(id for id in ids if id not in (BEGIN, END)))

    def prepare(self, stored: Tensor) -> Tensor:
        longest = int(lengths_of(stored).max()) if len(stored) else 1
        return stored[:, : max(1, longest)].long()

    def state(self) -> dict[str, Any]:
        return {"kind": "text", "column": self.columns[0], "tokenizer": self.tokenizer.state(),
                "vocabulary": self.vocabulary.state(), "longest": self.longest, "lowercase": self.lowercase,
                "begin": self.begin, "end": self.end, "stop_words": bool(self.words.stopped),
                "lemmas": self.words.lemmas, "most": self.most}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TextEncoder:
        return cls(state["column"], tokenizer_from_state(state["tokenizer"]),
                   Vocabulary.from_state(state["vocabulary"]), state["longest"], state["lowercase"], state["begin"],
                   state["end"], state.get("stop_words", False), state.get("lemmas", ""), state.get("most"))


def _texts(data: Dataset, name: str, rows: np.ndarray, lowercase: bool) -> list[str]:
    column: Column = data.columns[name]
    if not isinstance(column, (TextColumn, CategoryColumn)):
        raise DataError(f"column {name!r} is of kind {column.kind} where the network was trained on text",
                        where=data.name, remedy=f"Say how to read it: --set 'data.types={{{name}: text}}'")
    texts = [column.cell(int(row)) for row in rows]
    return [text.lower() for text in texts] if lowercase else texts


def words_recur(column: TextColumn) -> bool:
    """Whether any word stands in two texts, or twice in one: what holds none is a name or a key, not a text."""
    seen: set[str] = set()
    for value in column.values:
        for word in (value or "").lower().split():
            if word in seen:
                return True
            seen.add(word)
    return False


def long_texts(data: Dataset, most: int | None, tokens: TokenizerName | None = None) -> list[Finding]:
    """One note for each text input of which some texts are cut. most: tokens; None: as many as are kept by default.

    tokens: what texts are split into. Characters are counted, else words, of which no tokenizer makes fewer tokens.
    """
    unit = "characters" if tokens == "character" else "words"
    found = []
    for name, column in data.inputs.items():
        if not isinstance(column, TextColumn) or isinstance(column, RunningText):
            continue
        words = np.array([len(value or "") if tokens == "character" else (value or "").count(" ") + 1
                          for value in column.values])
        cut = words > (most or LONGEST)
        if cut.any():
            row = int(np.argmax(words))
            found.append(Finding(
                "long-text", "note", f"{int(cut.sum()):,} of {len(words):,} texts have more than {most or LONGEST:,} "
                f"{unit}, the longest {words[row]:,}; they are cut", where=f"{data.name}: id {data.ids[row]}",
                column=name, remedy="Set data.max_tokens to read more of each."))
    return found
