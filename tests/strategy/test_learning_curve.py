"""The learning curve: subsets, the fitted law, its coverage, and the sentence."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import curve_fit

from orthogon.strategy.learning_curve import curve_sizes, learning_curve, nested_subsets
from orthogon.strategy.power_law import fit_power_law
from orthogon.strategy.work_list import Work
from orthogon.tasks.metrics import classification_metrics
from orthogon.tasks.regression_metrics import regression_metrics
from orthogon.train.rows import Rows

SIZES = [100, 200, 400, 800]


def test_sizes_halve_and_none_is_under_ten():
    assert curve_sizes(800, 4) == SIZES
    assert curve_sizes(1079, 4) == [135, 270, 540, 1079]
    assert curve_sizes(50, 4) == [12, 25, 50]


def test_subsets_are_nested_and_hold_every_class_in_its_share():
    rows, stratum = np.arange(1000, 1400), np.repeat([0, 1, 2], [300, 90, 10])
    found = nested_subsets(rows, [50, 100, 200, 400], stratum, None, seed=0)
    assert [len(each) for each in found] == [50, 100, 200, 400]
    for small, large in pairwise(found):
        assert set(small) <= set(large)
    counts = np.bincount(stratum[found[1] - 1000], minlength=3)
    assert abs(counts - [75, 22.5, 2.5]).max() <= 1.5
    assert counts[2] >= 1
    assert set(found[0]) != set(nested_subsets(rows, [50], stratum, None, seed=1)[0])
    assert np.array_equal(found[0], nested_subsets(rows, [50], stratum, None, seed=0)[0])


def test_a_class_of_one_example_is_in_the_smallest_subset():
    stratum = np.r_[np.zeros(199, int), 1]
    assert all(199 in nested_subsets(np.arange(200), [10], stratum, None, seed)[0] for seed in range(20))


def test_groups_are_taken_as_wholes():
    group = np.repeat(np.arange(40), 10).astype(str)
    taken = nested_subsets(np.arange(400), [100, 200], np.zeros(400, int), group, seed=0)
    assert sorted(np.bincount(np.repeat(np.arange(40), 10)[taken[0]]).tolist())[-10:] == [10] * 10
    assert set(taken[0]) <= set(taken[1])


def test_the_best_law_is_that_of_least_squares():
    a, b, c = 0.02, 0.05, 0.5
    law = fit_power_law(SIZES, a + b * (np.array(SIZES) / 800) ** -c, np.eye(4) * 1e-6)
    assert (law.a[0], law.b[0], law.c[0]) == pytest.approx((a, b, c), abs=0.01)
    errors = np.array([0.161, 0.118, 0.092, 0.069])
    reference, _ = curve_fit(lambda m, a, b, c: a + b * (m / 800) ** -c, SIZES, errors, (0.02, 0.05, 0.5))
    value = fit_power_law(SIZES, errors, np.eye(4) * 1e-6).error(1600)[0]
    assert value == pytest.approx(reference[0] + reference[1] * 2 ** -reference[2], abs=1e-3)


def test_correlated_errors_are_weighed_as_such():
    """An error common to all points moves the asymptote, hardly the gain."""
    errors = 0.02 + 0.05 * (np.array(SIZES) / 800) ** -0.5
    alone = fit_power_law(SIZES, errors, np.eye(4) * 1e-4).gain(2, 100)
    common = fit_power_law(SIZES, errors, np.full((4, 4), 0.9e-4) + np.eye(4) * 1e-5).gain(2, 100)
    assert common.high - common.low < 0.7 * (alone.high - alone.low)


@pytest.mark.parametrize(("a", "b", "c"), [(0.02, 0.05, 0.5), (0.0, 0.05, 0.35), (0.1, 0.05, 1.0), (0.15, 0.02, 0.6)])
@pytest.mark.parametrize("spread", [0.002, 0.006])
def test_the_interval_of_the_gain_covers_the_truth(a, b, c, spread):
    rng, covered = np.random.default_rng(0), 0
    for _ in range(60):
        errors = a + b * (np.array(SIZES) / 800) ** -c + rng.normal(size=4) * spread
        gain = fit_power_law(SIZES, errors, np.eye(4) * spread**2).gain(2, 100)
        assert 0 <= gain.low <= gain.value <= gain.high
        covered += gain.low <= b * (1 - 2**-c) <= gain.high
    assert covered >= 53  # 88 %: 95 % less what 60 worlds may miss


def test_points_that_no_law_fits_widen_the_interval():
    fits = 0.02 + 0.05 * (np.array(SIZES) / 800) ** -0.5
    bends = fits + np.array([-0.02, 0.02, 0.02, -0.02])
    narrow, wide = (fit_power_law(SIZES, each, np.eye(4) * 1e-6).gain(2, 100) for each in (fits, bends))
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)


def test_the_band_holds_the_laws_and_widens_beyond_the_points():
    law = fit_power_law(SIZES, 0.02 + 0.05 * (np.array(SIZES) / 800) ** -0.5, np.eye(4) * 1e-5)
    band = law.band(100, 1600, 5)
    assert band["size"][0] == pytest.approx(100)
    assert band["size"][-1] == pytest.approx(1600)
    for value, low, high in zip(band["value"], band["low"], band["high"]):
        assert low <= value <= high
    assert band["high"][-1] - band["low"][-1] > band["high"][-2] - band["low"][-2]


# --- from rows ---------------------------------------------------------------------------------------------------


def _rows(rng, error: float, n: int = 2000) -> Rows:
    target = np.arange(n) % 2
    wrong = np.zeros(n, bool)
    wrong[rng.permutation(n)[: round(error * n)]] = True
    prediction = np.where(wrong, 1 - target, target)
    return Rows("dev", np.arange(n).astype(str), {"target": target, "prediction": prediction,
                                                  "loss": np.zeros(n), "score": 1.0 - wrong}, ("a", "b"))


def _measured(errors: dict[int, float]) -> dict:
    rng = np.random.default_rng(0)
    factors = (0.95, 1.0, 1.05)
    return {size: [(_rows(rng, error * factor), 0.99) for factor in factors] for size, error in errors.items()}


def test_a_falling_error_gives_a_forecast_and_a_place_on_the_work_list():
    errors = {size: 0.02 + 0.08 * (size / 800) ** -0.5 for size in SIZES}
    curve = learning_curve(_measured(errors), classification_metrics(1)[0])
    assert curve.metric == "error"
    assert curve.points[-1].dev.value == pytest.approx(0.1, abs=1e-3)
    assert curve.points[0].train == pytest.approx(0.01)
    assert curve.points[-1].dev.low < 0.1 < curve.points[-1].dev.high
    assert curve.gain is not None
    assert curve.gain.low <= 0.08 * (1 - 2**-0.5) <= curve.gain.high
    assert curve.gain.unit == "rate"
    assert curve.sentence.startswith("Twice the data (800 more examples) would buy about 2.")
    work = Work.from_dict(curve.to_dict()["work"][0])
    assert (work.decision, work.cost, work.problem) == ("at most", "800 labels", "variance")
    assert "10.0" in str(curve)


def test_an_error_that_does_not_fall_gives_no_forecast():
    curve = learning_curve(_measured(dict.fromkeys(SIZES, 0.1)), classification_metrics(1)[0])
    assert curve.gain is None
    assert curve.work.decision == "not known"
    assert "cannot be told" in curve.sentence
    assert curve.to_dict()["band"] is None


def test_metrics_of_which_less_is_better_stay_as_they_are():
    rng = np.random.default_rng(0)

    def rows(spread: float) -> Rows:
        target = rng.normal(size=1000)
        return Rows("dev", np.arange(1000).astype(str), {
            "target": target, "prediction": target + spread * rng.normal(size=1000), "loss": np.zeros(1000)})

    measured = {size: [(rows(5 * size**-0.5), 0.1) for _ in range(3)] for size in SIZES}
    curve = learning_curve(measured, regression_metrics()[0])
    assert curve.metric == "RMSE"
    assert curve.points[0].dev.value == pytest.approx(0.5, rel=0.1)
    assert curve.points[0].train == pytest.approx(0.1)
    assert curve.gain is not None
    assert "points" not in curve.sentence


def test_more_dev_examples_and_more_draws_narrow_the_points():
    errors = {size: 0.02 + 0.08 * (size / 800) ** -0.5 for size in SIZES}
    rng = np.random.default_rng(0)
    wide, narrow = (
        learning_curve({size: [(_rows(rng, e, n), 0.9) for _ in range(3)] for size, e in errors.items()},
                       classification_metrics(1)[0]).points[0].dev
        for n in (200, 3000)
    )
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
