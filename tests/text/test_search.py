"""The texts most like a query, against all pairs by scikit-learn."""

import numpy as np
import pytest
from scipy.sparse import random as random_rows
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import normalize

from orthogon.data.tokens import tokenizer
from orthogon.errors import DataError
from orthogon.text import search
from orthogon.text.search import TextSearch, cosine_top_k


@pytest.mark.parametrize(("texts_at_once", "queries_at_once"), [(8192, 64), (7, 3), (3, 1)])
def test_the_nearest_are_those_among_all_pairs_however_they_are_cut_into_blocks(
        monkeypatch, texts_at_once, queries_at_once):
    monkeypatch.setattr(search, "TEXTS_AT_ONCE", texts_at_once)
    monkeypatch.setattr(search, "QUERIES_AT_ONCE", queries_at_once)
    rng = np.random.default_rng(0)
    texts, queries = (normalize(random_rows(count, 30, 0.3, random_state=rng)).tocsr() for count in (50, 11))
    found = cosine_top_k(queries, texts, 5)
    pairs = cosine_similarity(queries, texts)
    np.testing.assert_allclose(found.similarity, -np.sort(-pairs, axis=1)[:, :5], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(pairs, found.rows, 1), found.similarity, atol=1e-6)
    assert all(len(set(row)) == 5 for row in found.rows.tolist())


def test_few_queries_are_written_out_at_once_where_the_vocabulary_is_long(monkeypatch):
    widths = []
    monkeypatch.setattr(search, "MOST_BYTES", 4 * 30 * 2)
    one_block = search._nearest
    monkeypatch.setattr(search, "_nearest", lambda q, *rest: widths.append(q.shape[0]) or one_block(q, *rest))
    rows = normalize(random_rows(9, 30, 0.5, random_state=1)).tocsr()
    assert (cosine_top_k(rows, rows, 1).rows[:, 0] == np.arange(9)).all()
    assert widths == [2, 2, 2, 2, 1]


def test_more_nearest_than_texts_are_refused():
    rows = normalize(random_rows(4, 5, 0.9, random_state=0)).tocsr()
    for k in (0, 5):
        with pytest.raises(DataError, match=f"{k} nearest of 4 texts"):
            cosine_top_k(rows, rows, k)


TEXTS = ["The cat sat on the mat.", "A dog barked at the cat", "Stocks fell sharply", "Bonds and stocks rose",
         "The weather is fine"]


def test_texts_are_found_by_the_words_that_they_share():
    """Row 26.10: as scikit-learn's vectorizer and cosine have it on the same tokens."""
    found = TextSearch(TEXTS).nearest(["stocks rose today", "my cat"], 2)
    words = TfidfVectorizer(analyzer=lambda text: tokenizer("word").split(text.lower())).fit(TEXTS)
    pairs = cosine_similarity(words.transform(["stocks rose today", "my cat"]), words.transform(TEXTS))
    np.testing.assert_allclose(found.similarity, -np.sort(-pairs, axis=1)[:, :2], atol=1e-6)
    assert found.rows[:, 0].tolist() == [3, 1]


def test_of_no_queries_nothing_is_near():
    found = TextSearch(TEXTS).nearest([], 3)
    assert found.rows.shape == found.similarity.shape == (0, 3)
    assert found.rows.dtype == np.int64


def test_texts_without_words_are_refused_in_words_of_the_search():
    with pytest.raises(DataError, match="2 texts to search hold no words but stop words") as refused:
        TextSearch(["the", "and"], stop_words=True)
    assert "stop_words" in str(refused.value.remedy)
    with pytest.raises(DataError, match="1 texts to search hold no words"):
        TextSearch([" "])


def test_stop_words_do_not_make_texts_alike():
    assert TextSearch(TEXTS).nearest(["the"], 1).similarity[0, 0] > 0.3
    assert TextSearch(TEXTS, stop_words=True).nearest(["the"], 1).similarity[0, 0] == 0
    assert len(TextSearch(TEXTS)) == 5
