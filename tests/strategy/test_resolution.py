"""What so many examples can show, against the published sizes."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.stats import compare_paired
from orthogon.strategy.levels import Level
from orthogon.strategy.resolution import FEWEST_MENDED, least_growth, rounded, smallest_gain


def test_the_smallest_gain_is_connors():
    """10 % error and 5 % disagreement: one point needs 3,923 (Connor 1987); 2 of 359 wrong: 2.2 points."""
    assert smallest_gain(0.10, 3923) == pytest.approx(0.01, abs=1e-4)
    assert 100 * smallest_gain(2 / 359, 359) == pytest.approx(2.2, abs=0.05)


def test_six_mended_mistakes_are_told_from_chance_and_five_are_not():
    def mended(count: int) -> float:
        base, new = np.ones(100, dtype=bool), np.ones(100, dtype=bool)
        base[:count] = False
        return compare_paired(base, new).p_value

    assert mended(FEWEST_MENDED) < 0.05 < mended(FEWEST_MENDED - 1)


def test_growth_is_that_of_the_textbook_formula():
    """One set at 10 % error, one point off: n = p (1 - p) ((1.96 + 0.84) / 0.01)² = 7,064 in all."""
    found = least_growth({"dev": Level.of_counts(100, 1000, 0)}, 0.01)
    assert found is not None
    assert found[1] == ("dev",)
    assert 1000 + found[0] == pytest.approx(0.1 * 0.9 * ((1.959964 + 0.841621) / 0.01) ** 2, rel=0.03)


def test_what_is_open_always_needs_more():
    found = least_growth({"dev": Level.of_counts(100, 1000, 0)}, 0.02)
    assert found is not None
    assert found[0] > 500


def test_the_set_that_takes_the_fewest_examples_grows():
    levels = {"dev": Level.of_counts(1000, 10_000, 0), "train-dev": Level.of_counts(20, 200, 1)}
    found = least_growth(levels, 0.03)
    assert found is not None
    assert found[1] == ("train-dev",)
    alike = {"dev": Level.of_counts(20, 200, 0), "train-dev": Level.of_counts(20, 200, 1)}
    found = least_growth(alike, 0.01)
    assert found is not None
    assert found[1] == ("dev", "train-dev")


def test_what_a_million_would_not_tell_is_none():
    assert least_growth({"dev": Level.of_counts(100, 1000, 0)}, 1e-5) is None


@pytest.mark.parametrize(("n", "shown"), [(3459, 3500), (3500, 3500), (7, 7), (101, 110), (123_456, 130_000)])
def test_sizes_are_told_to_two_figures_upwards(n, shown):
    assert rounded(n) == shown
