import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from orthogon.errors import DataError
from orthogon.stats import (
    Growth,
    beta_draws,
    bonferroni,
    compare_paired,
    detectable_difference,
    examples_needed,
    examples_needed_paired,
    examples_to_decide,
    gap_probabilities,
    growth_that_tells,
    mcnemar_exact,
    newcombe,
    wilson,
)


@pytest.mark.parametrize(
    ("error", "difference", "expected", "one_of_four"),
    [
        (0.02, 0.02, 1141, 1622),
        (0.02, 0.01, 3826, 5435),
        (0.05, 0.05, 435, 618),
        (0.05, 0.02, 2213, 3144),
        (0.05, 0.01, 8158, 11591),
        (0.10, 0.05, 686, 975),
        (0.10, 0.02, 3841, 5458),
        (0.10, 0.01, 14751, 20958),
    ],
)
def test_independent_sets_of_known_size_alone_and_as_one_of_four_claims(error, difference, expected, one_of_four):
    assert examples_needed(error, difference) == expected
    assert examples_needed(error, difference, confidence=bonferroni(4)) == one_of_four


def test_bonferroni_shares_the_level_out():
    assert bonferroni(4) == pytest.approx(0.9875)
    assert bonferroni(1, 0.9) == pytest.approx(0.9)
    with pytest.raises(DataError):
        bonferroni(0)


def test_a_thousand_examples_cannot_see_gaps_under_four_points_at_ten_percent_error():
    assert detectable_difference(0.10, 1000) == pytest.approx(0.04, abs=0.001)


def test_ten_thousand_examples_rank_a_tenth_of_a_point_but_do_not_prove_it():
    # two models that disagree on 2 %: the better one ranks higher in 76 % of dev sets, a test finds it in 11 %
    assert examples_needed_paired(0.02, 0.001) == pytest.approx(157_000, abs=100)
    generator = np.random.default_rng(0)
    right, broken, _ = generator.multinomial(10_000, [0.0105, 0.0095, 0.98], size=4000).T
    assert np.mean((right > broken) + 0.5 * (right == broken)) == pytest.approx(0.76, abs=0.025)
    found = [mcnemar_exact(b, c) < 0.05 for b, c in zip(right[:1500].tolist(), broken[:1500].tolist())]
    assert np.mean(found) == pytest.approx(0.11, abs=0.025)


@pytest.mark.parametrize(
    ("wrong", "n", "percent"),
    [
        (2, 100, (0.6, 7.0)), (6, 300, (0.9, 4.3)), (20, 1000, (1.3, 3.1)),  # a human level
        (3, 10, (11, 60)), (6, 20, (15, 52)), (15, 50, (19, 44)), (30, 100, (22, 40)),  # a category of errors
    ],
)
def test_intervals_of_known_counts(wrong, n, percent):
    digits = 1 if wrong / n < 0.1 else 0
    assert np.round(100 * np.array(wilson(wrong, n)), digits) == pytest.approx(percent)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.4), st.floats(0.01, 0.3))
def test_independent_sets_agree_with_statsmodels(error, difference):
    expected = samplesize_proportions_2indep_onetail(difference, error, 0.8, alpha=0.05)
    assert examples_needed(error, difference) == pytest.approx(expected, abs=1.01)


def test_paired_known_size_and_power_by_simulation():
    n = examples_needed_paired(0.05, 0.01)
    assert n == 3923
    generator = np.random.default_rng(0)
    draws = generator.multinomial(n, [0.03, 0.02, 0.95], size=4000)
    z = (draws[:, 0] - draws[:, 1]) / np.sqrt(draws[:, 0] + draws[:, 1])
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.8, abs=0.02)


def test_pairing_saves_examples():
    assert examples_needed_paired(0.05, 0.01) < examples_needed(0.05, -0.01)
    a = np.zeros(400, bool)
    assert compare_paired(a, np.arange(400) < 10).verdict == "better"


@given(st.floats(0.01, 0.5), st.integers(200, 100_000))
def test_detectable_difference_inverts_the_size(error, n):
    found = detectable_difference(error, n)
    assert examples_needed(error, found * (1 + 1e-6)) <= n + 1
    assert examples_needed(error, found * (1 - 1e-3)) >= n
    assert detectable_difference(error, 2 * n) < found


@given(st.floats(0.02, 0.5), st.integers(2000, 100_000))
def test_detectable_difference_inverts_the_paired_size(disagreement, n):
    found = detectable_difference(0.1, n, disagreement=disagreement)
    assert abs(examples_needed_paired(disagreement, found) - n) <= 1


def test_impossible_questions():
    assert np.isnan(detectable_difference(0.05, 2))
    assert np.isnan(detectable_difference(0.05, 50, disagreement=0.01))
    for error, difference in ((0.05, 0), (0.05, -0.06), (2, 1)):
        with pytest.raises(DataError):
            examples_needed(error, difference)
    with pytest.raises(DataError):
        examples_needed_paired(0.01, 0.02)
    with pytest.raises(DataError):
        examples_needed(0.05, 0.01, power=1)


def test_growing_two_sets_by_the_answer_finds_the_gap_in_four_of_five_draws():
    sets = {"train": (20, 1000), "train-dev": (33, 1000)}
    found = examples_to_decide({"train-dev": sets["train-dev"]}, {"train": sets["train"]}, 0.005)
    assert found.more is not None
    n = 1000 + found.more
    generator = np.random.default_rng(1)
    low = newcombe(generator.binomial(n, 0.020, 4000), n, generator.binomial(n, 0.033, 4000), n)[1]
    assert np.mean(low > 0.005) == pytest.approx(0.8, abs=0.025)
    in_half = examples_to_decide({"train-dev": sets["train-dev"]}, {"train": sets["train"]}, 0.005, power=0.5)
    assert in_half.more is not None
    assert (1000 + found.more) / (1000 + in_half.more) == pytest.approx(((1.96 + 0.8416) / 1.96) ** 2, rel=1e-3)


def test_growing_one_of_four_sets_by_the_answer_settles_that_a_gap_is_negligible():
    plus, minus = {"dev": (60, 600), "human A": (150, 5000)}, {"train-dev": (500, 5000), "human B": (175, 5000)}
    found = examples_to_decide(plus, minus, 0.02, grow=["dev"])
    assert found.more is not None
    n = 600 + found.more
    generator = np.random.default_rng(2)
    rates = np.array([0.1, 0.03, 0.1, 0.035])
    settled = []
    for seed in range(400):
        wrong = generator.binomial([n, 5000, 5000, 5000], rates)
        dev, human_a, traindev, human_b = beta_draws(wrong, [n, 5000, 5000, 5000], draws=1500, seed=seed)
        gaps = {"mismatch": dev + human_a - traindev - human_b}
        settled.append(gap_probabilities(gaps, 0.02)["mismatch"].high < 0.02)
    assert np.mean(settled) == pytest.approx(0.8, abs=0.06)


def test_the_mean_of_any_score_is_told_from_another_by_the_answer():
    found = growth_that_tells(0.3, {"dev": (4.0, 50)}, grow=["dev"])
    generator = np.random.default_rng(3)
    assert found.more is not None
    means = generator.normal(0.3, 2.0, (4000, 50 + found.more)).mean(axis=1)
    assert np.mean(means - 1.96 * 2 / np.sqrt(50 + found.more) > 0) == pytest.approx(0.8, abs=0.025)


def test_a_small_other_set_is_named_when_growing_one_cannot_decide():
    plus, minus = {"dev": (30, 400)}, {"train-dev": (6, 100)}
    assert examples_to_decide(plus, minus, 0.005, grow=["dev"]) == Growth(None, "train-dev")
    both = examples_to_decide(plus, minus, 0.005)
    assert both.more is not None
    assert both.more > 1000
    limited = examples_to_decide(
        {"dev": (60, 900), "human A": (3, 60)}, {"train-dev": (50, 900), "human B": (1, 100)}, 0.001, grow=["dev"]
    )
    assert limited == Growth(None, "human A")


def test_nothing_to_grow_where_the_gap_is_decided_and_no_end_where_it_equals_the_tolerance():
    assert examples_to_decide({"dev": (200, 1000)}, {"train": (10, 1000)}, 0.01) == Growth(0)
    assert examples_to_decide({"dev": (100, 20_000)}, {"train": (100, 20_000)}, 0.01) == Growth(0)
    assert examples_to_decide({"dev": (20, 1000)}, {"train": (10, 1000)}, 0.01) == Growth(None)
    assert examples_to_decide({"dev": (0, 20)}, {"train": (0, 20)}, 0.005).more


def test_questions_about_sets_that_cannot_be_are_refused():
    for plus, minus, grow in (
        ({"dev": (5, 4)}, {"train": (1, 10)}, None), ({"dev": (0, 0)}, {"train": (1, 10)}, None),
        ({"dev": (1, 4)}, {"dev": (1, 10)}, None), ({"dev": (1, 4)}, {"train": (1, 10)}, ["test"]),
        ({"dev": (1, 4)}, {"train": (1, 10)}, []),
    ):
        with pytest.raises(DataError):
            examples_to_decide(plus, minus, 0.01, grow=grow)
