"""Sentences that come in words: the words themselves, and a tag for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from orthogon.data.columns import Column, digest_rows, natural
from orthogon.data.tag_schemes import scheme_of

UNKNOWN_TAG = -1
"""The code of a token whose tag is not known."""


class TokensColumn(Column):
    """The words of a sentence: objects of tuple[str, …] (n,), None = missing."""

    kind = "tokens"

    def __init__(self, values: Iterable[Sequence[str] | None]) -> None:
        sentences = [None if words is None else tuple(words) for words in values]
        self.values = np.empty(len(sentences), dtype=object)
        for row, words in enumerate(sentences):  # a slice would make a table of sentences of one length
            self.values[row] = words

    def __len__(self) -> int:
        return len(self.values)

    @property
    def lengths(self) -> np.ndarray:
        """Int64 (n,): words of each; 0 where it is missing."""
        return np.array([len(words or ()) for words in self.values], dtype=np.int64)

    def take(self, rows: np.ndarray) -> TokensColumn:
        return TokensColumn(self.values[rows])

    def missing(self) -> np.ndarray:
        return np.array([words is None for words in self.values], dtype=bool)

    def cell(self, row: int) -> str:
        return " ".join(self.values[row] or ())

    def digests(self) -> np.ndarray:
        return _digests(["\0missing" if words is None else "\0".join(words) for words in self.values])


class TagsColumn(Column):
    """One of a closed list of levels for each token of a sentence.

    codes:   int32 (all tokens,): of sentence after sentence; −1 where the tag of a token is not known.
    lengths: int64 (n,): tokens of each sentence.
    """

    kind = "tags"

    def __init__(self, codes: np.ndarray, lengths: np.ndarray, levels: Sequence[str]) -> None:
        self.codes, self.lengths = np.asarray(codes, dtype=np.int32), np.asarray(lengths, dtype=np.int64)
        self.levels = tuple(str(level) for level in levels)
        self._starts = np.cumsum(self.lengths) - self.lengths
        if self.lengths.sum() != len(self.codes):
            raise ValueError(f"{len(self.codes):,} tags for sentences of {int(self.lengths.sum()):,} tokens")

    @classmethod
    def from_values(cls, values: Iterable[Sequence[str | None] | None]) -> TagsColumn:
        """Levels in natural order. None for a sentence: missing; for a token: not known."""
        sentences = [tuple(tags or ()) for tags in values]
        names = [name for tags in sentences for name in tags]
        levels = sorted({name for name in names if name is not None}, key=natural)
        code: dict[str | None, int] = {level: number for number, level in enumerate(levels)}
        return cls(np.array([code.get(name, UNKNOWN_TAG) for name in names], dtype=np.int32),
                   np.array([len(tags) for tags in sentences]), levels)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def scheme(self) -> str:
        """How the tags mark entities: "IOB1", "BIO", "BIOES", "BILOU"; "" where they mark none."""
        return scheme_of(self.levels, self.codes, self.lengths).name

    def take(self, rows: np.ndarray) -> TagsColumn:
        starts, lengths = self._starts[rows], self.lengths[rows]
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return TagsColumn(self.codes[np.repeat(starts, lengths) + inside], lengths, self.levels)

    def padded(self, longest: int | None = None) -> np.ndarray:
        """Int64 (n, longest): the codes, −1 behind the end; left out: as long as the longest."""
        width = int(self.lengths.max(initial=0)) if longest is None else longest
        table = np.full((len(self), width), UNKNOWN_TAG, dtype=np.int64)
        place = np.arange(width) < self.lengths[:, None]
        whole = np.arange(len(self.codes)) - np.repeat(self._starts, self.lengths) < width
        table[place] = self.codes[whole]
        return table

    def missing(self) -> np.ndarray:
        """Bool (n,): where no tag is known."""
        sentence = np.repeat(np.arange(len(self)), self.lengths)
        return np.bincount(sentence, self.codes >= 0, minlength=len(self)) == 0

    def tags(self, row: int) -> list[str]:
        """Of one sentence; "_" where one is not known."""
        start = self._starts[row]
        return ["_" if code < 0 else self.levels[code] for code in self.codes[start : start + self.lengths[row]]]

    def cell(self, row: int) -> str:
        return " ".join(self.tags(row))

    def digests(self) -> np.ndarray:
        return _digests(["\0".join(self.tags(row)) for row in range(len(self))])


def _digests(texts: Sequence[str]) -> np.ndarray:
    return np.array([digest_rows(np.frombuffer(text.encode(), np.uint8)[None])[0] for text in texts], dtype="V16")
