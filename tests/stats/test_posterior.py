import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.integrate import quad

from orthogon.errors import DataError
from orthogon.stats import beta_draws, gap_probabilities, metric_draws


@pytest.mark.parametrize(("wrong", "n"), [(0, 40), (7, 100), (100, 100), (0, 0)])
def test_draws_of_a_rate_follow_the_beta_distribution_of_jeffreys(wrong, n):
    drawn = beta_draws(wrong, n)
    assert drawn.shape == (20_000,)
    assert scipy_stats.kstest(drawn, scipy_stats.beta(wrong + 0.5, n - wrong + 0.5).cdf).pvalue > 1e-3


def test_draws_of_several_sets_in_one_call_do_not_move_together():
    drawn = beta_draws([20, 20], [1000, 1000], draws=5000, seed=3)
    assert drawn.shape == (2, 5000)
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.05
    assert beta_draws(20, 1000, seed=1) != pytest.approx(beta_draws(20, 1000, seed=2))
    assert beta_draws(20, 1000, seed=1) == pytest.approx(beta_draws(20, 1000, seed=1))


def test_counts_that_cannot_be_are_refused():
    for wrong, n in ((-1, 5), (6, 5), (np.nan, 5)):
        with pytest.raises(DataError, match="between 0 and n"):
            beta_draws(wrong, n)


def test_probability_of_a_gap_agrees_with_the_integral_over_both_rates():
    first, second = scipy_stats.beta(30.5, 970.5), scipy_stats.beta(45.5, 955.5)
    expected = quad(lambda p: first.pdf(p) * second.sf(p + 0.005), 0, 0.2, points=[0.03])[0]
    train, dev = beta_draws([30, 45], 1000, draws=200_000)
    found = gap_probabilities({"variance": dev - train}, 0.005)["variance"]
    assert found.probability_present == pytest.approx(expected, abs=0.004)
    assert found.probability_present + found.probability_negligible == pytest.approx(1)
    assert found.probability_largest == 1
    assert found.value == pytest.approx(second.mean() - first.mean(), abs=1e-4)
    spread = np.sqrt(first.var() + second.var())
    assert (found.low, found.high) == pytest.approx(
        (found.value - 1.96 * spread, found.value + 1.96 * spread), abs=0.0008
    )


def test_largest_is_judged_draw_by_draw_within_the_tolerance():
    gaps = {"a": [0.00, 0.02, 0.05, 0.05], "b": [0.03, 0.03, 0.03, 0.03], "c": [0.0, 0.0, 0.0, 0.042]}
    found = gap_probabilities(gaps, 0.01)
    assert [found[name].probability_largest for name in "abc"] == [0.75, 0.5, 0.25]
    assert [found[name].probability_present for name in "abc"] == [0.75, 1, 0.25]
    assert [found[name].probability_negligible for name in "abc"] == [0.25, 0, 0.75]
    assert [found[name].value for name in "abc"] == pytest.approx([0.03, 0.03, 0.0105])
    assert found["b"].to_dict()["low"] == 0.03
    assert gap_probabilities({}, 0.01) == {}


def test_a_gap_that_is_often_undefined_is_refused_and_rarely_undefined_is_passed_over():
    drawn = np.linspace(0, 1, 101)
    drawn[3] = np.nan
    assert gap_probabilities({"a": drawn, "b": np.zeros(101)}, 0.0)["b"].value == 0
    drawn[:10] = np.nan
    with pytest.raises(DataError, match="undefined"):
        gap_probabilities({"a": drawn}, 0.0)
    with pytest.raises(DataError, match="judged together"):
        gap_probabilities({"a": [1.0, 2.0], "b": [1.0]}, 0.0)
    with pytest.raises(DataError, match="tolerance"):
        gap_probabilities({"a": [1.0, 2.0]}, -0.1)


@pytest.mark.parametrize("groups", [None, np.arange(300) // 10])
def test_draws_of_a_metric_spread_as_the_theory_of_the_mean_says(groups):
    values = np.random.default_rng(0).normal(size=300) + (0 if groups is None else np.repeat(np.arange(30) % 5, 10))
    drawn = metric_draws(lambda w: w @ values / w.sum(1), 300, groups=groups, draws=8000, seed=1)
    units = values if groups is None else values.reshape(30, 10).mean(1)
    assert drawn.shape == (8000,)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.02)
    assert drawn.std() == pytest.approx(units.std() / np.sqrt(len(units)), rel=0.04)
