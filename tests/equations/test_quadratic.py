"""The quadratic of the course."""

from __future__ import annotations

import pytest

from orthogon.equations.quadratic import descend_quadratic, quadratic, quadratic_backward


def test_the_course_quadratic_goes_to_5():
    """34.01 (row 1.32): 0.1 after one step, 4.99999999 after 1000 more."""
    path = descend_quadratic(steps=1001)
    assert path[0] == 0.0
    assert path[1] == pytest.approx(0.1, rel=1e-14)
    assert path[1001] == pytest.approx(4.99999999, abs=5e-9)
    assert len(descend_quadratic()) == 1001


def test_the_second_quadratic_goes_to_10():
    """34.02: 0.2 after one step, then to 10."""
    path = descend_quadratic((1.0, -20.0, 100.0), steps=1001)
    assert path[1] == pytest.approx(0.2, rel=1e-14)
    assert path[-1] == pytest.approx(10.0, abs=1e-7)


def test_the_cost_is_the_square_of_the_distance_to_5():
    J, cache = quadratic(2.0)
    assert J == 9.0
    assert quadratic_backward(0.5, cache) == -3.0
