import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from orthogon.errors import DataError
from orthogon.stats import roc_auc
from orthogon.stats.roc import _delong

scored = st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=4, max_size=60).filter(
    lambda rows: min(sum(y for _, y in rows), sum(not y for _, y in rows)) >= 2
)


def direct_delong(positive, negative):
    kernel = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    v10, v01 = kernel.mean(axis=1), kernel.mean(axis=0)
    return kernel.mean(), np.var(v10, ddof=1) / len(v10) + np.var(v01, ddof=1) / len(v01)


@settings(max_examples=40, deadline=None)
@given(scored)
def test_area_and_variance_agree_with_all_pairs_and_sklearn(rows):
    score, label = np.array([s for s, _ in rows], float), np.array([y for _, y in rows])
    area, variance = _delong(score[label], score[~label])
    assert (area, variance) == pytest.approx(direct_delong(score[label], score[~label]), abs=1e-12)
    found = roc_auc(score, label)
    assert found.value == pytest.approx(roc_auc_score(label, score))
    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    mirrored = roc_auc(-score, label)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low), abs=1e-6)


def test_perfect_separation_still_has_an_interval():
    found = roc_auc(np.arange(20.0), np.arange(20) >= 10)
    assert (found.value, found.high) == (1, 1)
    assert 0.7 < found.low < 0.95
    assert "Newcombe" in found.method


def test_one_class_alone_has_no_area():
    found = roc_auc([1.0, 2.0], [1, 1])
    assert np.isnan(found.value)
    assert "one class" in found.method
    with pytest.raises(DataError):
        roc_auc([1.0, np.nan], [0, 1])
    with pytest.raises(DataError):
        roc_auc([1.0, 2.0], [0, 2])


def test_interval_covers_the_true_area():
    generator, hits = np.random.default_rng(2), 0
    label = np.arange(120) < 40
    for _ in range(300):
        found = roc_auc(generator.normal(size=120) + label * np.sqrt(2), label)
        hits += found.low <= 0.8413447 <= found.high  # Phi(1)
    assert 0.91 < hits / 300 < 0.985
