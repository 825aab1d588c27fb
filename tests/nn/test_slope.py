"""Slopes from values alone."""

from __future__ import annotations

import math

import pytest

from orthogon.equations.derivative import one_sided_derivative, two_sided_derivative
from orthogon.nn.slope import slope_at_zero


@pytest.mark.parametrize(("f", "slope"), [
    (lambda t: math.exp(t), 1.0),
    (lambda t: math.sin(3 * t + 0.5), 3 * math.cos(0.5)),
    (lambda t: 1 / (1 + math.exp(-8 * t)), 2.0),
    (lambda t: (t + 2) ** 3, 12.0),
    (lambda t: math.log(1e-3 + t) if t > -1e-3 else math.nan, 1000.0),
    (lambda t: 7.0, 0.0),
])
def test_smooth_functions(f, slope):
    found, error = slope_at_zero(f, f(0.0))
    assert found == pytest.approx(slope, rel=1e-9, abs=1e-12)
    assert abs(found - slope) <= error + 1e-15 <= 1e-6 * max(abs(slope), 1e-6)


def test_small_slopes_beside_a_large_value_are_found_to_thirteen_decimals():
    found, error = slope_at_zero(lambda t: 2.0 + 1e-6 * math.sin(t), 2.0)
    assert abs(found - 1e-6) < 1e-13
    assert error < 1e-12


def test_it_stops_as_soon_as_it_is_exact_and_never_takes_more_than_sixteen_values():
    steps: list[float] = []

    def watched(t: float) -> float:
        steps.append(t)
        return 3 * t

    assert slope_at_zero(watched, 0.0)[0] == pytest.approx(3.0, rel=1e-15)
    assert steps == [0.05, -0.05, 0.0125, -0.0125]
    steps.clear()
    slope_at_zero(lambda t: watched(t) * 0 + abs(t), 0.0, first_step=0.4)
    assert len(steps) == 16
    assert steps[0] == 0.4
    assert steps[-1] == -0.4 / 4**7


@pytest.mark.parametrize("bend", [1e-3, 1.0, 50.0])
def test_a_kink_at_the_point_shows_as_an_error_of_half_its_jump(bend):
    """Left slope 1 − bend, right slope 1 + bend: the two-sided difference agrees with itself, and is still not it."""
    f = lambda t: t + bend * abs(t) + 0.3 * t * t  # noqa: E731
    found, error = slope_at_zero(f, 0.0)
    assert error == pytest.approx(bend, rel=1e-6)
    assert found == pytest.approx(1.0, rel=1e-6)


def test_a_kink_within_the_first_steps_is_stepped_around():
    f = lambda t: max(t - 1e-3, 0.0) + math.sin(t)  # noqa: E731
    found, error = slope_at_zero(f, 0.0)
    assert found == pytest.approx(1.0, rel=1e-9)
    assert error < 1e-8


def test_a_kink_nearer_than_the_last_step_shows_as_an_error():
    f = lambda t: max(t - 1e-6, 0.0) + math.sin(t)  # noqa: E731
    assert slope_at_zero(f, 0.0)[1] > 1e-2


def test_a_two_sided_difference_errs_by_the_square_of_a_step_below_one():
    """E9: better than one-sided for ε below 1, where ε² < ε (not "below 0"). Row 10.07."""
    cube = lambda t: t**3  # noqa: E731
    for epsilon in (0.5, 0.1, 0.01):
        assert two_sided_derivative(cube, 1.0, epsilon) - 3 == pytest.approx(epsilon**2)
        assert one_sided_derivative(cube, 1.0, epsilon) - 3 == pytest.approx(3 * epsilon + epsilon**2)
    first, _ = slope_at_zero(lambda t: (1 + t) ** 3, 1.0)
    assert first == pytest.approx(3.0, rel=1e-12), "the square of the step is extrapolated away"
