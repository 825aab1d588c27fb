"""What words are worth by counting: term frequency, inverse document frequency, and both (rows 26.07 to 26.09)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from orthogon.data.vocabulary import Vocabulary
from orthogon.nn.spec import FIRST_TOKEN, UNKNOWN


def counts_of(texts: Sequence[Iterable[str]], vocabulary: Vocabulary) -> Any:
    """How often each known token stands in each text: sparse CSR, float64 (n, tokens), as scikit-learn counts.

    texts: as tokens. Columns are those of `vocabulary.words`; tokens that are not known are not counted.
    """
    from scipy.sparse import csr_matrix

    ids = [[id for id in vocabulary.ids(tokens) if id != UNKNOWN] for tokens in texts]
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    columns = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=int(lengths.sum())) - FIRST_TOKEN
    shape = (len(ids), len(vocabulary.words))
    found = csr_matrix((np.ones(len(columns)), columns, np.concatenate([[0], lengths.cumsum()])), shape)
    found.sum_duplicates()
    return found


def term_frequency(counts: Any, logarithm: bool = False) -> Any:
    """tf = count, or log(1 + count), for each text and token (row 26.07). counts: sparse (n, tokens)."""
    return counts.log1p() if logarithm else counts.copy()


def inverse_document_frequency(counts: Any, smooth: bool = True) -> np.ndarray:
    """How rare each token is among n texts, of which df hold it: float64 (tokens,) (row 26.08).

    smooth: ln((1 + n) / (1 + df)) + 1, as if one more text held every token; else ln(n / df) + 1, infinite for tokens
    in no text. Both as scikit-learn has them: the 1 keeps tokens that stand in all texts.
    """
    texts = counts.shape[0] + smooth
    holding = np.bincount(counts.nonzero()[1], minlength=counts.shape[1]) + smooth
    with np.errstate(divide="ignore"):
        return np.log(texts / holding) + 1


def tf_idf(counts: Any, logarithm: bool = False, smooth: bool = True, idf: np.ndarray | None = None) -> Any:
    """tf · idf, each row divided by its length, so that a product of two rows is their cosine (rows 26.09, 26.10).

    idf: of other texts (those of train); None: of these. Rows without known tokens stay zero. With the defaults equal
    to scikit-learn's TfidfTransformer.
    """
    from scipy.sparse import diags

    weight = inverse_document_frequency(counts, smooth) if idf is None else idf
    found = term_frequency(counts, logarithm) @ diags(weight)
    length = np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel())
    return (diags(np.divide(1, length, out=np.zeros_like(length), where=length > 0)) @ found).tocsr()
