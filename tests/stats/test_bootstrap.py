import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_score, recall_score

from orthogon.errors import DataError
from orthogon.stats import (
    accuracy,
    balanced_accuracy,
    bootstrap,
    bootstrap_confusion,
    bootstrap_mean,
    bootstrap_moments,
    compare_paired,
    compare_paired_values,
    confusion_counts,
    estimate_score,
    f1,
    macro_f1,
    precision,
    recall,
    weighted_f1,
    wilson,
)
from orthogon.stats.analytic import abc_interval

random = np.random.default_rng(7)
SKEWED = random.exponential(size=80)


def mean_of(x):
    return lambda w: (w @ x) / w.sum(axis=1)


def test_bca_agrees_with_scipy():
    expected = scipy_stats.bootstrap(
        (SKEWED,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    for found in (
        bootstrap(mean_of(SKEWED), 80, replicates=20_000),
        bootstrap_mean(SKEWED, replicates=20_000),
    ):
        assert found.value == pytest.approx(SKEWED.mean())
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.01)
        assert found.method.startswith("bootstrap over examples (BCa, 20,000")


def test_bca_covers_a_skewed_mean():
    generator, hits = np.random.default_rng(3), 0
    for _ in range(300):
        found = bootstrap_mean(generator.exponential(size=60), replicates=500)
        hits += found.low <= 1 <= found.high
    assert 0.90 < hits / 300 < 0.985


def test_analytic_interval_agrees_with_the_bootstrap():
    x, y = random.normal(3, 1, 3000), random.exponential(size=3000)
    columns = np.column_stack([x, y, x * y])

    def covariance(m):
        return m[:, 2] - m[:, 0] * m[:, 1]

    drawn = bootstrap_moments(columns, covariance, replicates=8000)
    low, high = abc_interval(columns, covariance, 0.95).ends
    width = drawn.high - drawn.low
    assert (low, high) == pytest.approx((drawn.low, drawn.high), abs=0.05 * width)


def test_analytic_interval_bends_with_the_skew():
    found = abc_interval(SKEWED[:, None], lambda m: m[:, 0], 0.95)
    expected = scipy_stats.bootstrap(
        (SKEWED,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert found.ends == pytest.approx(tuple(expected), abs=0.015)
    assert found.error == pytest.approx(SKEWED.std() / np.sqrt(80))
    assert found.ends[1] - SKEWED.mean() > SKEWED.mean() - found.ends[0]


def test_many_examples_say_that_the_interval_is_analytic():
    x = random.normal(size=30_000)
    found = bootstrap_mean(x, unit="m")
    assert found.method.startswith("ABC")
    half = 1.959964 * x.std() / np.sqrt(x.size)
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=half / 50)


def test_weights_are_repetitions():
    values, repeats = np.array([1.0, 2, 5]), np.array([1, 2, 3])
    assert bootstrap_mean(values, weights=repeats).value == pytest.approx(np.repeat(values, repeats).mean())


def test_groups_widen_and_count():
    groups = np.repeat(np.arange(30), 10)
    values = np.repeat(random.normal(size=30), 10) + 0.01 * random.normal(size=300)
    alone, grouped = bootstrap_mean(values), bootstrap_mean(values, groups=groups)
    assert grouped.n == 30
    assert 2.2 < (grouped.high - grouped.low) / (alone.high - alone.low) < 4.5  # sqrt(10) in theory
    general = bootstrap(mean_of(values), 300, groups=groups)
    assert (general.low, general.high) == pytest.approx((grouped.low, grouped.high), abs=0.05)


def test_blocks_give_the_acceleration_of_single_examples():
    x = random.exponential(size=3000)
    by_blocks, by_examples = bootstrap(mean_of(x), 3000), bootstrap_mean(x)
    assert (by_blocks.low, by_blocks.high) == pytest.approx((by_examples.low, by_examples.high), abs=2e-3)


def test_no_interval_is_said_and_not_invented():
    for values in ([3.0], [2.0] * 9):
        found = bootstrap_mean(values)
        assert np.isnan([found.low, found.high]).all()
        assert found.method.startswith("no interval")
    undefined = bootstrap(lambda w: np.where(w[:, 0] > 0, 1.0, np.nan), 20)
    assert undefined.method.startswith("no interval")


@pytest.mark.parametrize("bad", [[], [1.0, np.nan]])
def test_bad_values_are_refused(bad):
    with pytest.raises(DataError):
        bootstrap_mean(bad)
    with pytest.raises(DataError):
        bootstrap_mean([1.0, 2.0], weights=[1.0, -1.0])


def test_seeds_repeat():
    assert bootstrap_mean(SKEWED, seed=5) == bootstrap_mean(SKEWED, seed=5)
    assert bootstrap_mean(SKEWED, seed=5) != bootstrap_mean(SKEWED, seed=6)


def test_scores_choose_their_rule():
    assert estimate_score([1, 0, 1, 1]).method == "Wilson"
    assert estimate_score([1, 0.5, 1, 1]).method.startswith("bootstrap")
    assert estimate_score([1, 0, 1, 1], weights=[1, 2, 1, 1]).method.startswith("bootstrap")


TRUTH = random.integers(0, 4, 500)
SAID = np.where(random.random(500) < 0.7, TRUTH, random.integers(0, 5, 500))
MATRIX = confusion_counts(TRUTH, SAID, 6)  # class 4 is only predicted, class 5 is in neither


def test_confusion_metrics_agree_with_sklearn():
    labels = range(6)
    options = {"labels": labels, "average": None, "zero_division": 0.0}
    assert precision(MATRIX) == pytest.approx(precision_score(TRUTH, SAID, **options))
    assert recall(MATRIX) == pytest.approx(recall_score(TRUTH, SAID, **options))
    assert f1(MATRIX) == pytest.approx(f1_score(TRUTH, SAID, **options))
    assert macro_f1(MATRIX) == pytest.approx(f1_score(TRUTH, SAID, average="macro"))
    assert weighted_f1(MATRIX) == pytest.approx(f1_score(TRUTH, SAID, average="weighted"))
    kept = confusion_counts(TRUTH[SAID < 4], SAID[SAID < 4], 4)
    expected = balanced_accuracy_score(TRUTH[SAID < 4], SAID[SAID < 4])
    assert balanced_accuracy(kept) == pytest.approx(expected)
    assert accuracy(np.stack([MATRIX, 2 * MATRIX])) == pytest.approx([np.mean(TRUTH == SAID)] * 2)


def test_confusion_bootstrap_of_accuracy_is_close_to_wilson():
    found = bootstrap_confusion(MATRIX, accuracy)
    expected = wilson(np.sum(TRUTH == SAID), 500)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.006)
    assert (found.n, found.unit) == (500, "rate")


def test_confusion_bootstrap_agrees_with_redrawing_examples():
    def score(weights):
        return np.array([macro_f1(np.bincount(TRUTH * 6 + SAID, w, 36).reshape(6, 6)) for w in weights])

    found, slow = bootstrap_confusion(MATRIX, macro_f1), bootstrap(score, 500, replicates=2000)
    assert (found.low, found.high) == pytest.approx((slow.low, slow.high), abs=0.006)


def test_confusion_bootstrap_refuses_what_is_not_counts():
    for bad in ([[0.5, 1], [1, 1]], [[1, 2]], [[0, 0], [0, 0]], [[-1, 2], [1, 1]]):
        with pytest.raises(DataError):
            bootstrap_confusion(bad, accuracy)
    for truth, said in (([0, 1], [0, 2]), ([1], [-1]), ([0, 1], [0])):
        with pytest.raises(DataError):
            confusion_counts(truth, said, 2)


def test_paired_values_see_what_pairing_shows():
    base = random.normal(0, 10, 400)
    gain = base + 0.5 + random.normal(0, 1, 400)
    found = compare_paired_values(base, gain)
    expected = scipy_stats.ttest_rel(gain, base).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.02)
    assert (found.verdict, found.put_right + found.broken) == ("better", 400)
    assert compare_paired_values(base, gain, higher_is_better=False).verdict == "worse"
    assert found.estimate.n == 400


def test_paired_p_value_agrees_with_the_t_test():
    a, b = random.normal(size=200), random.normal(0.12, 1, 200)
    expected = scipy_stats.ttest_rel(b, a).pvalue
    assert compare_paired_values(a, b).p_value == pytest.approx(expected, abs=0.02)


def test_paired_transform_gives_the_difference_of_rmse():
    a, b = random.exponential(size=300), random.exponential(size=300)
    found = compare_paired_values(a, b, transform=np.sqrt, higher_is_better=False)
    assert found.difference == pytest.approx(np.sqrt(b.mean()) - np.sqrt(a.mean()))
    assert found.low < found.difference < found.high


def test_paired_groups_are_drawn_whole():
    groups = np.repeat(np.arange(40), 10)
    a = np.zeros(400, bool)
    b = np.repeat(np.arange(40) < 3, 10)  # three whole groups put right: 30 examples
    alone, grouped = compare_paired(a, b), compare_paired(a, b, groups=groups)
    assert (alone.n, grouped.n, grouped.put_right) == (400, 40, 30)
    assert alone.p_value < 1e-6
    assert grouped.p_value == pytest.approx(0.25, abs=0.03)  # two of eight sign patterns are as extreme
    unchanged = compare_paired(a, a, groups=groups)
    assert (unchanged.n, unchanged.verdict, unchanged.difference) == (40, "tied", 0)


def test_paired_needs_the_same_examples():
    with pytest.raises(DataError, match="same examples"):
        compare_paired([1, 0], [1])
    with pytest.raises(DataError):
        compare_paired_values([1.0, np.nan], [1.0, 1.0])


def difference_of_means(x, layer):
    def statistic(w):
        first, second = w * (layer == 0), w * (layer == 1)
        return (second @ x) / second.sum(1) - (first @ x) / first.sum(1)

    return statistic


def test_strata_are_resampled_apart_as_several_samples_are_by_scipy():
    generator = np.random.default_rng(5)
    first, second = generator.exponential(size=25), 3 * generator.exponential(size=60)
    layer = np.repeat([0, 1], [25, 60])
    shuffled = generator.permutation(85)
    x, layer = np.concatenate([first, second])[shuffled], layer[shuffled]
    expected = scipy_stats.bootstrap(
        (first, second), lambda a, b, axis: b.mean(axis) - a.mean(axis), n_resamples=20_000, method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval
    found = bootstrap(difference_of_means(x, layer), 85, strata=layer, replicates=20_000)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.04)
    assert found.n == 85
    assert found.method.startswith("bootstrap over examples within strata (BCa")


def test_strata_leave_no_spread_between_them():
    x = np.repeat([0.0, 10.0], 50) + np.random.default_rng(1).normal(size=100)
    layer = np.repeat(["a", "b"], 50)
    within, free = (bootstrap(mean_of(x), 100, strata=strata, replicates=2000) for strata in (layer, None))
    assert within.high - within.low == pytest.approx(2 * 1.96 * x[:50].std() / 10, rel=0.15)
    assert free.high - free.low > 3 * (within.high - within.low)


def test_groups_are_drawn_whole_within_their_strata():
    x = np.repeat(np.random.default_rng(2).normal(size=20), 5) + np.repeat([0.0, 50.0], 50)
    groups, layer = np.repeat(np.arange(20), 5), np.repeat([0, 1], 50)
    found = bootstrap(mean_of(x), 100, groups=groups, strata=layer, replicates=4000)
    spread = np.sqrt(sum(part[::5].var() / 10 for part in (x[:50], x[50:])) / 4)
    assert found.n == 20
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.15)
    with pytest.raises(DataError, match="more than one stratum"):
        bootstrap(mean_of(x), 100, groups=groups, strata=np.arange(100) % 2)
    with pytest.raises(DataError, match="99 strata for 100"):
        bootstrap(mean_of(x), 100, strata=layer[1:])


def test_an_example_alone_in_its_stratum_never_varies():
    x = np.concatenate([np.random.default_rng(3).exponential(size=40), [100.0]])
    layer = np.repeat([0, 1], [40, 1])
    found = bootstrap(mean_of(x), 41, strata=layer, replicates=4000)
    alone = bootstrap(mean_of(x[:40]), 40, replicates=4000)
    expected = [(40 * end + 100) / 41 for end in (alone.low, alone.high)]
    assert (found.low, found.high) == pytest.approx(expected, abs=0.02)
    assert np.isnan(bootstrap(mean_of(x[:2]), 2, strata=[0, 1]).low)
