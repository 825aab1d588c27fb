"""TF, IDF and TF-IDF against scikit-learn and their formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from orthogon.data.vocabulary import Vocabulary
from orthogon.text.tf_idf import counts_of, inverse_document_frequency, term_frequency, tf_idf

TEXTS = [text.split() for text in ("the cat sat on the mat", "the dog sat", "a cat and a dog", "", "mouse")]
VOCABULARY = Vocabulary(sorted({word for text in TEXTS for word in text} - {"mouse"}))


def counts():
    return counts_of(TEXTS, VOCABULARY)


def test_counts_are_those_of_scikit_learn_and_unknown_words_are_not_counted():
    theirs = CountVectorizer(vocabulary=VOCABULARY.words, analyzer=str.split)
    expected = theirs.fit_transform([" ".join(text) for text in TEXTS])
    np.testing.assert_array_equal(counts().toarray(), expected.toarray())
    assert counts()[4].nnz == 0
    assert counts()[0].nnz == 5  # "the" once, with the count 2


def test_term_frequency_is_the_count_or_its_logarithm():
    """Row 26.07."""
    np.testing.assert_array_equal(term_frequency(counts()).toarray(), counts().toarray())
    np.testing.assert_allclose(term_frequency(counts(), logarithm=True).toarray(), np.log(1 + counts().toarray()))


@pytest.mark.parametrize("smooth", [True, False])
def test_rare_words_weigh_more_as_in_scikit_learn(smooth):
    """Row 26.08."""
    ours = inverse_document_frequency(counts(), smooth)
    theirs = TfidfTransformer(smooth_idf=smooth).fit(counts()).idf_
    np.testing.assert_allclose(ours, theirs)
    names = list(VOCABULARY.words)
    assert ours[names.index("mat")] > ours[names.index("the")]
    assert ours[names.index("the")] == pytest.approx(np.log(6 / 3) + 1 if smooth else np.log(5 / 2) + 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=8), min_size=1, max_size=8), st.booleans())
def test_both_together_are_those_of_scikit_learn(texts, smooth):
    """Row 26.09."""
    table = counts_of(texts, Vocabulary([each for each in "abcdef" if any(each in text for text in texts)] or ["a"]))
    if not smooth and not table.nnz:
        return
    theirs = TfidfTransformer(smooth_idf=smooth).fit_transform(table).toarray()
    np.testing.assert_allclose(tf_idf(table, smooth=smooth).toarray(), theirs, atol=1e-12)


def test_weights_of_other_texts_are_used_and_a_row_without_known_words_is_zero():
    idf = inverse_document_frequency(counts())
    some = counts()[[0, 3]]
    found = tf_idf(some, idf=idf)
    np.testing.assert_allclose(found.toarray(), tf_idf(counts()).toarray()[[0, 3]])
    assert found[1].nnz == 0
    logged = tf_idf(counts(), logarithm=True).toarray()
    weighed = np.log(1 + counts().toarray()) * idf
    np.testing.assert_allclose(logged[0], weighed[0] / np.linalg.norm(weighed[0]))
