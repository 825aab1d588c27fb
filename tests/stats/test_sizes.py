import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

from orthogon.errors import DataError
from orthogon.stats import compare_paired, detectable_difference, examples_needed, examples_needed_paired


@pytest.mark.parametrize(
    ("error", "difference", "expected"),
    [
        (0.02, 0.02, 1141),
        (0.02, 0.01, 3826),
        (0.05, 0.05, 435),
        (0.05, 0.02, 2213),
        (0.05, 0.01, 8158),
        (0.10, 0.05, 686),
        (0.10, 0.02, 3841),
        (0.10, 0.01, 14751),
    ],
)
def test_independent_sets_of_known_size(error, difference, expected):
    assert examples_needed(error, difference) == expected


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
