"""Pairs in groups of which none tells anything else than the others."""

import numpy as np
import pytest

from orthogon.stats import compare_paired, compare_paired_sums, compare_paired_values


def test_groups_that_are_all_put_right_count_as_so_many_examples() -> None:
    groups = np.repeat(np.arange(20), 2)
    found = compare_paired(np.zeros(40), np.ones(40), groups=groups)
    plain = compare_paired(np.zeros(20), np.ones(20))
    assert (found.difference, found.low, found.high, found.n) == (plain.difference, plain.low, plain.high, 20)
    assert found.low > 0.6


@pytest.mark.parametrize("groups", [None, np.arange(80) // 2])
def test_a_ratio_of_sums_is_the_weighted_mean(groups):
    """Σ w·x / Σ w, once as the mean of weighted values, once as a figure of two sums."""
    draw = np.random.default_rng(0)
    a, weight = draw.normal(size=80), draw.random(80) + 0.5
    b = a + draw.normal(0.2, 0.5, 80)
    mean = compare_paired_values(a, b, weights=weight, groups=groups)
    ratio = compare_paired_sums(np.stack([a * weight, weight], 1), np.stack([b * weight, weight], 1),
                                lambda sums: sums[:, 0] / sums[:, 1], groups=groups)
    assert (ratio.difference, ratio.low, ratio.high, ratio.n, ratio.verdict) == (
        pytest.approx(mean.difference), pytest.approx(mean.low), pytest.approx(mean.high), mean.n, mean.verdict)
    assert ratio.p_value == pytest.approx(mean.p_value)
    assert (ratio.put_right, ratio.broken) == (None, None)
