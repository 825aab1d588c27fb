"""Pairs in groups of which none tells anything else than the others."""

import numpy as np

from orthogon.stats import compare_paired


def test_groups_that_are_all_put_right_count_as_so_many_examples() -> None:
    groups = np.repeat(np.arange(20), 2)
    found = compare_paired(np.zeros(40), np.ones(40), groups=groups)
    plain = compare_paired(np.zeros(20), np.ones(20))
    assert (found.difference, found.low, found.high, found.n) == (plain.difference, plain.low, plain.high, 20)
    assert found.low > 0.6
