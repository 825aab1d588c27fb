import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from orthogon.errors import DataError
from orthogon.stats import compare_roc_auc, roc_auc
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


def by_all_pairs(score_a, score_b, label):
    """The difference of the areas and its variance from the m × k kernel, as in DeLong et al. (1988), equations 1-9."""
    kernels = [np.sign(s[label][:, None] - s[~label][None, :]) / 2 + 0.5 for s in (score_a, score_b)]
    s10 = np.cov([kernel.mean(axis=1) for kernel in kernels])
    s01 = np.cov([kernel.mean(axis=0) for kernel in kernels])
    contrast = np.array([-1.0, 1.0])
    variance = contrast @ (s10 / label.sum() + s01 / (~label).sum()) @ contrast
    return kernels[1].mean() - kernels[0].mean(), variance


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 20), st.integers(2, 30))
def test_comparison_of_areas_agrees_with_all_pairs(seed, m, k):
    generator = np.random.default_rng(seed)
    label = np.arange(m + k) < m
    a, b = np.round(generator.normal(size=(2, m + k)) + label, 1)
    difference, variance = by_all_pairs(a, b, label)
    found, swapped = compare_roc_auc(a, b, label), compare_roc_auc(b, a, label)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.difference == pytest.approx(roc_auc_score(label, b) - roc_auc_score(label, a), abs=1e-12)
    assert (found.put_right, found.broken) == (swapped.broken, swapped.put_right)
    if variance > 1e-20:
        z = difference / np.sqrt(variance)
        assert found.p_value == pytest.approx(2 * norm.sf(abs(z)), abs=1e-9)
        half = 1.959964 * np.sqrt(variance)
        expected = np.clip([difference - half, difference + half], -1, 1)
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)


def test_comparison_of_areas_counts_the_examples_that_move():
    label = np.array([1, 1, 1, 0, 0, 0])
    found = compare_roc_auc([3, 2, 1, 2.5, 0, 0], [3, 2, 1, 0.5, 0, 4], label)
    assert (found.put_right, found.broken, found.verdict) == (1, 2, "tied")
    same = compare_roc_auc([3, 2, 1, 0], [6, 5, 4, 1], [1, 1, 0, 0])
    assert (same.difference, same.p_value, same.verdict) == (0, 1, "tied")
    assert np.isnan(same.low)
    assert np.isnan(compare_roc_auc([1, 2], [2, 1], [1, 1]).difference)
    alone = compare_roc_auc([0, 1, 2], [2, 1, 0], [1, 0, 0])
    assert (alone.difference, alone.verdict) == (1, "tied")
    assert np.isnan(alone.p_value)


def test_comparison_of_areas_has_its_level_and_finds_a_better_score():
    generator, level = np.random.default_rng(5), 0
    label = np.arange(150) < 50
    for _ in range(400):
        shared = generator.normal(size=150) + label
        a, b = shared + generator.normal(size=(2, 150))
        level += compare_roc_auc(a, b, label).p_value < 0.05
    assert 0.02 < level / 400 < 0.09
    assert compare_roc_auc(generator.normal(size=150), generator.normal(size=150) + label, label).verdict == "better"
