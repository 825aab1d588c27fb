"""The texts most like a given one: cosine of TF-IDF, block by block, so that no table of all pairs is ever made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from orthogon.data.stop_words import stop_words as words_to_stop
from orthogon.data.tokens import Tokenizer, tokenizer
from orthogon.data.vocabulary import Vocabulary
from orthogon.errors import DataError
from orthogon.text.tf_idf import counts_of, inverse_document_frequency, tf_idf

TEXTS_AT_ONCE, QUERIES_AT_ONCE = 8192, 64
"""Their cosines are computed together: 2 MB, which stay in the processor's cache."""

MOST_BYTES = 1 << 26
"""Of the queries of a block written out; of long vocabularies fewer queries make a block."""


class Nearest(NamedTuple):
    """The k texts most like each query, the most like one first.

    rows: int64 (m, k), of the texts. similarity: float32 (m, k), cosines from 0 to 1.
    """

    rows: np.ndarray
    similarity: np.ndarray


def cosine_top_k(queries: Any, texts: Any, k: int) -> Nearest:
    """Of each query the k texts with the largest cosine (row 26.10); of equally like ones any.

    queries, texts: sparse (m, d) and (n, d) with rows of length 1 or 0, as `tf_idf` gives them. Beside them and
    the result it takes under 100 MB, whatever m and n. DataError where k is not from 1 to n.
    """
    if not 1 <= k <= texts.shape[0]:
        raise DataError(f"{k} nearest of {texts.shape[0]:,} texts", remedy=f"Ask for 1 to {texts.shape[0]:,}.")
    queries, texts = queries.astype(np.float32).tocsr(), texts.astype(np.float32).tocsr()
    at_once = int(np.clip(MOST_BYTES // (4 * queries.shape[1]), 1, QUERIES_AT_ONCE))
    starts = range(0, max(1, queries.shape[0]), at_once)  # no queries are one block, of none
    found = [_nearest(queries[start : start + at_once], texts, k) for start in starts]
    return Nearest(np.concatenate([each.rows for each in found]), np.concatenate([each.similarity for each in found]))


def _nearest(queries: Any, texts: Any, k: int) -> Nearest:
    turned = np.ascontiguousarray(queries.toarray().T)
    best, rows = torch.empty(queries.shape[0], 0), torch.empty(queries.shape[0], 0, dtype=torch.int64)
    for start in range(0, texts.shape[0], TEXTS_AT_ONCE):
        scores = torch.from_numpy(texts[start : start + TEXTS_AT_ONCE] @ turned).T.contiguous()
        top = scores.topk(min(k, scores.shape[1]), dim=1)
        best, rows = torch.cat([best, top.values], 1), torch.cat([rows, top.indices + start], 1)
        kept = best.topk(min(k, best.shape[1]), dim=1)
        best, rows = kept.values, rows.gather(1, kept.indices)
    return Nearest(rows.numpy(), best.numpy())


class TextSearch:
    """Texts that are searched for those most like a given one, by the words that they share, rare words counting most.

    tokens: what texts are split into. stop_words: whether English words such as "the" are left out. lowercase: whether
    letter case is ignored. logarithm: whether log(1 + count) counts in place of the count. DataError where the texts
    hold no words, or none but stop words.
    """

    def __init__(self, texts: Sequence[str], tokens: Tokenizer | None = None, stop_words: bool = False,
                 lowercase: bool = True, logarithm: bool = False) -> None:
        self.tokenizer, self.lowercase, self.logarithm = tokens or tokenizer("word"), lowercase, logarithm
        self.stopped = words_to_stop(self.tokenizer) if stop_words else frozenset()
        split = self._split(texts)
        if not any(split):
            but = " but stop words" if stop_words else ""
            raise DataError(f"the {len(texts):,} texts to search hold no words{but}",
                            remedy="Keep stop words: stop_words=False." if stop_words else "Give texts with words.")
        self.vocabulary = Vocabulary.fitted(split)
        counts = counts_of(split, self.vocabulary)
        self.idf = inverse_document_frequency(counts)
        self.rows = tf_idf(counts, logarithm, idf=self.idf)

    def __len__(self) -> int:
        return self.rows.shape[0]

    def nearest(self, queries: Sequence[str], k: int = 10) -> Nearest:
        """The k texts most like each query."""
        counts = counts_of(self._split(queries), self.vocabulary)
        return cosine_top_k(tf_idf(counts, self.logarithm, idf=self.idf), self.rows, k)

    def _split(self, texts: Sequence[str]) -> list[list[str]]:
        split = self.tokenizer.split_all([text.lower() for text in texts] if self.lowercase else texts)
        return [[token for token in tokens if token.lower() not in self.stopped] for tokens in split]
