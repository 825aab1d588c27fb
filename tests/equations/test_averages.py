"""Exponentially weighted averages."""

from __future__ import annotations

import numpy as np
import pytest

from orthogon.equations.averages import bias_corrected, exponentially_weighted_average


def test_a_value_counts_a_third_after_ten_steps():
    """34.03, E11: 0.9¹⁰ = 0.3487 is near 1/e = 0.3679, not equal to it."""
    impulse = np.zeros(11)
    impulse[0] = 1.0
    V = exponentially_weighted_average(impulse)
    assert V[10] / V[0] == pytest.approx(0.3487, abs=5e-5)
    assert np.exp(-1) == pytest.approx(0.3679, abs=5e-5)
    gaps = [abs((1 - epsilon) ** (1 / epsilon) - np.exp(-1)) for epsilon in (0.1, 0.01, 0.001)]
    assert gaps == sorted(gaps, reverse=True)


def test_the_average_starts_low_and_the_correction_makes_up_for_it():
    """Rows 7.01, 7.02: V₁ = (1 − β) θ₁; the corrected average of a constant is that constant."""
    V = exponentially_weighted_average(np.full(5, 10.0))
    assert V[0] == pytest.approx(1.0)
    assert V[1] == pytest.approx(1.9)
    np.testing.assert_allclose(bias_corrected(V), 10.0, rtol=1e-14)
    table = exponentially_weighted_average(np.full((4, 2, 3), 7.0), 0.5)
    np.testing.assert_allclose(bias_corrected(table, 0.5), 7.0, rtol=1e-14)


@pytest.mark.parametrize("beta", [-0.1, 1.0, float("nan")])
def test_beta_lies_between_0_and_1(beta):
    with pytest.raises(ValueError, match="expected at least 0 and below 1"):
        exponentially_weighted_average(np.ones(3), beta)


def test_a_beta_of_0_keeps_only_the_newest():
    assert exponentially_weighted_average(np.array([3.0, 1.0]), 0.0).tolist() == [3.0, 1.0]
