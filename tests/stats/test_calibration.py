import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from orthogon.errors import DataError
from orthogon.stats import (
    brier_scores,
    brier_split,
    expected_calibration_error,
    murphy_split,
    reliability,
    reliability_bins,
    wilson,
)

stated_and_true = st.lists(st.tuples(st.sampled_from([0.0, 0.05, 0.1, 0.4, 0.5, 0.9, 1.0]), st.booleans()), min_size=1,
                           max_size=60).map(lambda pairs: tuple(np.array(each, float) for each in zip(*pairs)))


def calibrated(seed, n, sharpened=1.0):
    """Probabilities that are right, or overstated by sharpened log-odds; and what came true."""
    generator = np.random.default_rng(seed)
    p = generator.beta(1, 1.5, n)
    y = generator.random(n) < p
    odds = (p / (1 - p)) ** sharpened
    return odds / (1 + odds), y


@settings(max_examples=40, deadline=None)
@given(stated_and_true)
def test_curve_and_brier_parts_agree_with_sklearn_and_add_up(pair):
    p, y = pair
    mended = IsotonicRegression().fit(p, y).predict(p)
    found = reliability(p, y, replicates=2)
    assert np.interp(p, found.stated, found.true) == pytest.approx(mended, abs=1e-9)
    split = brier_split(p, y)
    assert split.score == pytest.approx(brier_score_loss(y, p, labels=[0, 1]))
    assert split.score == pytest.approx(split.miscalibration - split.discrimination + split.uncertainty, abs=1e-12)
    assert split.miscalibration == pytest.approx(np.mean((p - y) ** 2) - np.mean((mended - y) ** 2), abs=1e-9)
    assert split.uncertainty == pytest.approx(y.mean() * (1 - y.mean()), abs=1e-12)
    assert min(split.miscalibration, split.discrimination) > -1e-12


def test_curve_by_hand_pools_adjacent_violators():
    found = reliability([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1], replicates=50)
    assert found.stated == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert found.true == pytest.approx([0, 0.5, 0.5, 1])
    split = brier_split([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1])
    assert (split.score, split.uncertainty) == pytest.approx((0.275, 0.25))
    assert (split.miscalibration, split.discrimination) == pytest.approx((0.15, 0.125))


def test_band_holds_calibrated_curves_at_its_level_and_the_test_has_its_level():
    inside, claims = [], 0
    for seed in range(80):
        found = reliability(*calibrated(seed, 300), replicates=120, seed=seed)
        inside.append(np.mean((found.low <= found.true) & (found.true <= found.high)))
        claims += found.p_value < 0.05
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
    assert claims / 80 < 0.10


def test_overstated_probabilities_leave_the_band_and_are_found():
    found = reliability(*calibrated(1, 3000, sharpened=2.0), replicates=200)
    assert found.p_value == pytest.approx(1 / 201)
    outside = (found.true < found.low) | (found.true > found.high)
    assert outside.mean() > 0.5
    assert len(found.stated) == 200
    assert np.all(np.diff(found.true) >= 0)
    assert np.all((found.low <= found.stated + 0.05) & (found.stated - 0.05 <= found.high))
    assert found.to_dict()["n"] == 3000
    assert reliability(np.linspace(0, 1, 30_000), np.arange(30_000) % 2).p_value == pytest.approx(1 / 201)
    wide = reliability(*calibrated(1, 3000), replicates=200, confidence=0.5)
    assert np.mean(wide.high - wide.low) < 0.5 * np.mean(found.high - found.low)


def by_bins(p, y, bins):
    """Count, mean stated, mean true of each filled bin, example by example; 1.0 belongs to the last."""
    members = [[] for _ in range(bins)]
    for stated, true in zip(p, y):
        members[next((k for k in range(bins) if stated < (k + 1) / bins), bins - 1)].append((stated, true))
    return [(len(each), *np.mean(each, axis=0)) for each in members if each]


@settings(max_examples=40, deadline=None)
@given(stated_and_true, st.sampled_from([1, 4, 10, 15]))
def test_scores_by_bins_agree_with_a_loop_over_examples(pair, bins):
    p, y = pair
    found, table = murphy_split(p, y, bins), by_bins(p, y, bins)
    n = len(p)
    assert expected_calibration_error(p, y, bins) == pytest.approx(sum(c * abs(s - t) for c, s, t in table) / n)
    assert found.reliability == pytest.approx(sum(c * (s - t) ** 2 for c, s, t in table) / n)
    assert found.resolution == pytest.approx(sum(c * (t - y.mean()) ** 2 for c, _, t in table) / n)
    rest = found.score - (found.reliability - found.resolution + found.uncertainty)
    assert found.within == pytest.approx(rest)
    if bins == 15:
        assert expected_calibration_error(p, y) == expected_calibration_error(p, y, 15)


def test_nothing_is_left_within_the_bins_where_each_holds_one_stated_probability():
    p, y = np.repeat([0.15, 0.55, 0.95], 20), np.random.default_rng(0).random(60) < 0.5
    found = murphy_split(p, y)
    assert found.within == pytest.approx(0, abs=1e-12)
    assert found.to_dict()["uncertainty"] == pytest.approx(y.mean() * (1 - y.mean()))


def test_a_stated_certainty_counts_in_the_last_bin():
    """A bin for 1.0 alone, or none, was a fault of other tools: p = 1.0 and p = 0.99 stand together."""
    assert expected_calibration_error([1.0, 1.0, 0.99, 0.99], [1, 1, 0, 0], 10) == pytest.approx(0.495)
    assert expected_calibration_error([1.0], [0]) == 1
    assert expected_calibration_error([0.0], [1]) == 1


def test_bins_with_few_examples_are_joined():
    p = np.concatenate([np.full(5, 0.05), np.full(40, 0.35), np.full(20, 0.75), np.full(3, 1.0)])
    y = np.arange(68) % 2
    found = reliability_bins(p, y)
    assert [each.n for _, each in found] == [45, 23]
    assert found[0][0] == pytest.approx((5 * 0.05 + 40 * 0.35) / 45)
    assert (found[1][1].low, found[1][1].high) == wilson(y[45:].sum(), 23)
    grouped = reliability_bins(p, y, groups=np.arange(68) // 4)
    assert grouped[0][1].n == 12
    assert len(reliability_bins(p, y, bins=5, least=1)) == 4


def test_brier_of_two_classes_is_of_one_of_them():
    p, target = np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 1])
    assert brier_scores(p, target) == pytest.approx([0.04, 0.36])
    assert brier_scores(p[:, 1], target) == pytest.approx([0.04, 0.36])
    three = np.array([[0.2, 0.5, 0.3]])
    assert brier_scores(three, np.array([1])) == pytest.approx([0.04 + 0.25 + 0.09])


def test_what_is_no_probability_is_refused_and_rounding_is_not():
    for p, y in (([0.5, 1.1], [0, 1]), ([-0.1], [0]), ([0.5], [2]), ([0.5], [0, 1]), ([], []), ([np.nan], [1])):
        for function in (reliability, brier_split, murphy_split, expected_calibration_error, reliability_bins):
            with pytest.raises(DataError):
                function(p, y)
    assert brier_split([1 + 1e-7], [1]).score == 0
