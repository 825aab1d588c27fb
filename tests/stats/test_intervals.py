import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.optimize import minimize_scalar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from orthogon.errors import DataError
from orthogon.stats import compare_paired, mcnemar_exact, newcombe, rate, tango, wilson

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_statsmodels(count, confidence):
    k, n = count
    expected = proportion_confint(k, n, alpha=1 - confidence, method="wilson")
    assert wilson(k, n, confidence) == pytest.approx(np.clip(expected, 0, 1), abs=1e-12)


def test_wilson_published_example():
    # Newcombe (1998), two-sided intervals for a single proportion, table I: 81/263
    assert np.round(wilson(81, 263), 4) == pytest.approx([0.2553, 0.3662])


@given(counts)
def test_wilson_contains_value_mirrors_and_narrows(count):
    k, n = count
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    more = wilson(10 * k, 10 * n)
    assert more[1] - more[0] < high - low


def test_wilson_takes_arrays_and_empty_sets():
    low, high = wilson([0, 5, 10], [0, 10, 10])
    assert (low[0], high[0]) == (0, 1)
    assert high[2] == 1
    assert low[1] == wilson(5, 10)[0]
    with pytest.raises(DataError):
        wilson(3, 2)


@pytest.mark.parametrize("p", [0.02, 0.3, 0.9])
def test_wilson_covers_exactly_enough(p):
    n = 60
    low, high = wilson(np.arange(n + 1), n)
    covered = scipy_stats.binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum()
    assert 0.92 < covered < 0.99


@given(counts, counts)
def test_newcombe_agrees_with_statsmodels_and_is_antisymmetric(first, second):
    difference, low, high = newcombe(*first, *second)
    expected = confint_proportions_2indep(*second, *first, method="newcomb", compare="diff")
    assert (low, high) == pytest.approx(expected, abs=1e-9)
    assert newcombe(*second, *first) == pytest.approx((-difference, -high, -low))
    assert -1 <= low <= difference <= high <= 1


def test_newcombe_published_example():
    # Newcombe (1998), table II (a), method 10: 56/70 - 48/80
    assert np.round(newcombe(48, 80, 56, 70), 4) == pytest.approx([0.2, 0.0524, 0.3339])


@pytest.mark.parametrize(
    ("put_right", "broken", "n", "expected"),
    [(7, 1, 21, (0.026, 0.517)), (1, 7, 21, (-0.517, -0.026))],  # Fagerland et al. (2014), Bentur's data
)
def test_tango_published_example(put_right, broken, n, expected):
    assert np.round(tango(put_right, broken, n), 3) == pytest.approx(expected)


def constrained_score(b, c, n, difference):
    """Tango's statistic with the nuisance parameter found by numerical search of the likelihood."""

    def loss(q):
        return -(
            b * np.log(q + difference)
            + c * np.log(q)
            + (n - b - c) * np.log(np.maximum(1 - 2 * q - difference, 1e-300))
        )

    low, high = max(0.0, -difference), (1 - difference) / 2
    q = minimize_scalar(loss, bounds=(low + 1e-12, high - 1e-12), method="bounded", options={"xatol": 1e-13}).x
    return (b - c - n * difference) / np.sqrt(n * (2 * q + difference - difference**2))


@pytest.mark.parametrize(("b", "c", "n"), [(40, 20, 160), (5, 2, 30), (12, 11, 500)])
def test_tango_ends_solve_the_score_equation(b, c, n):
    low, high = tango(b, c, n)
    assert constrained_score(b, c, n, low) == pytest.approx(1.959964, abs=1e-4)
    assert constrained_score(b, c, n, high) == pytest.approx(-1.959964, abs=1e-4)


def test_tango_without_disagreement_has_a_closed_form():
    z2 = scipy_stats.norm.ppf(0.975) ** 2
    assert tango(0, 0, 50) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-9)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))
def test_tango_contains_value_and_mirrors(b, c, same):
    n = b + c + same
    low, high = tango(b, c, n)
    assert -1 <= low <= (b - c) / max(n, 1) <= high <= 1
    assert tango(c, b, n) == pytest.approx((-high, -low))


def test_rate_of_groups_is_wider_when_groups_agree():
    scores = np.repeat([1, 1, 1, 0, 1, 1, 0, 1, 1, 1], 20)
    alone, grouped = rate(scores), rate(scores, groups=np.repeat(np.arange(10), 20))
    assert (alone.n, grouped.n) == (200, 10)
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    # all examples of a group agree: the effective size is about the number of groups
    expected = wilson(0.8 * 9, 9)
    assert (grouped.low, grouped.high) == pytest.approx(expected, abs=1e-9)


def test_rate_refuses_scores_in_between_and_takes_none():
    with pytest.raises(DataError):
        rate([0.5, 1])
    empty = rate([])
    assert np.isnan(empty.value)
    assert (empty.low, empty.high, empty.n) == (0, 1, 0)
    assert str(rate(np.ones(10, bool))) == "100.0 % [72.2, 100.0], n = 10"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_compare_paired_counts_and_mcnemar(pairs):
    a, b = np.array(pairs).T
    found = compare_paired(a, b)
    put_right, broken = int((b & ~a).sum()), int((a & ~b).sum())
    assert (found.put_right, found.broken, found.n) == (put_right, broken, len(pairs))
    expected = 1.0
    if put_right + broken:
        tail = scipy_stats.binom.cdf(min(put_right, broken), put_right + broken, 0.5)
        expected = min(1.0, 2 * tail)
    assert found.p_value == pytest.approx(expected)
    assert (found.verdict == "tied") == (found.low <= 0 <= found.high)
    assert compare_paired(b, a).verdict == {"better": "worse", "worse": "better", "tied": "tied"}[found.verdict]


def test_mcnemar_published_example():
    # Fagerland, Lydersen & Laake (2013), table 2: 7 and 1 of 21 pairs; exact 0.070, mid-p 0.039
    assert mcnemar_exact(7, 1) == pytest.approx(18 / 256)
    assert mcnemar_exact(7, 1, mid_p=True) == pytest.approx(10 / 256)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_the_binomial_test_and_mid_p_with_its_definition(put_right, broken):
    exact, changed = mcnemar_exact(put_right, broken), put_right + broken
    assert exact == mcnemar_exact(broken, put_right)
    assert exact == pytest.approx(scipy_stats.binomtest(put_right, changed).pvalue if changed else 1.0)
    point = scipy_stats.binom.pmf(put_right, changed, 0.5)
    expected = 1.0 if put_right == broken else exact - point
    assert mcnemar_exact(put_right, broken, mid_p=True) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(DataError):
        mcnemar_exact(-1, put_right)
