"""Vocabulary: tokens <-> ids, learnt from train alone (rows 25.05, 25.07, 26.06)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from orthogon.errors import DataError
from orthogon.nn.spec import FIRST_TOKEN, UNKNOWN

NAMES = ("", "<unknown>", "<begin>", "<end>")
"""How the ids of no word are shown."""


class Vocabulary:
    """Tokens with ids from 4; 0 to 3 are padding, unknown, begin and end of a sequence. What is not known is 1.

    len() is the number of ids, these four included.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = (*NAMES, *tokens)
        self._ids = {token: id for id, token in enumerate(tokens, start=FIRST_TOKEN)}
        if len(self._ids) != len(tokens):
            raise DataError("a token occurs twice in the vocabulary", remedy="Give each token once.")

    @classmethod
    def fitted(cls, sequences: Iterable[Iterable[str]], size: int | None = None, minimum: int = 1) -> Vocabulary:
        """The commonest tokens first, equally common ones by the alphabet.

        size: most ids, the four included. minimum: what is rarer is unknown. DataError where nothing is left.
        """
        counts: Counter[str] = Counter()
        for tokens in sequences:
            counts.update(tokens)
        kept = sorted((token for token, count in counts.items() if count >= minimum), key=lambda t: (-counts[t], t))
        kept = kept if size is None else kept[: max(0, size - FIRST_TOKEN)]
        if not kept:
            raise DataError(f"no token occurs at least {minimum} times in the {len(counts):,} different tokens of train"
                            if counts else "the train texts hold no tokens",
                            remedy="Give more text, or lower data.min_count." if counts else "Fill the texts in.")
        return cls(kept)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    def ids(self, tokens: Iterable[str]) -> list[int]:
        find = self._ids.get
        return [find(token, UNKNOWN) for token in tokens]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids; of padding nothing."""
        return [self._tokens[id] for id in ids if id]

    @property
    def words(self) -> tuple[str, ...]:
        """All tokens without the four marks, in the order of their ids."""
        return self._tokens[FIRST_TOKEN:]

    def state(self) -> dict[str, Any]:
        return {"tokens": list(self.words)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Vocabulary:
        return cls(state["tokens"])


def padded(sequences: Sequence[Sequence[int]], longest: int) -> np.ndarray:
    """Int32 (n, longest): each sequence cut at `longest` and filled up with 0 on the right."""
    lengths = np.fromiter((min(len(each), longest) for each in sequences), dtype=np.int64, count=len(sequences))
    table = np.zeros((len(sequences), longest), dtype=np.int32)
    there = np.arange(longest) < lengths[:, None]
    table[there] = np.fromiter((id for each in sequences for id in each[:longest]), dtype=np.int32,
                               count=int(lengths.sum()))
    return table
