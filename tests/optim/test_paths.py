"""Surfaces and the paths over them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from orthogon.optim.paths import heights, path, quadratic, rosenbrock, saddle


def slope_and_curvature(surface, at):
    point = torch.tensor(at, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(surface, point)
    return slope.tolist(), torch.linalg.eigvalsh(torch.autograd.functional.hessian(surface, point)).tolist()


def test_the_surfaces_are_flat_where_they_say_and_bend_as_they_say():
    assert slope_and_curvature(quadratic, [0.0, 0.0]) == ([0, 0], [1, 25])
    assert slope_and_curvature(saddle, [0.0, 0.0]) == ([0, 0], [-1, 1])
    assert slope_and_curvature(saddle, [0.0, -1.0]) == ([0, 0], [1, 2])
    slope, curvature = slope_and_curvature(rosenbrock, [1.0, 1.0])
    assert slope == [0, 0]
    assert curvature[0] * curvature[1] == pytest.approx(400)
    values = [surface(torch.tensor([2.0, 3.0])).item() for surface in (quadratic, saddle, rosenbrock)]
    assert values == [0.5 * (4 + 225), 2 - 4.5 + 81 / 4, 1 + 100]


def test_gradient_descent_on_the_quadratic_shrinks_each_axis_by_its_own_factor():
    found = path(lambda p: torch.optim.SGD(p, lr=0.03), quadratic, (2.0, 1.0), 40)
    assert found.shape == (41, 2)
    assert found.dtype == np.float64
    n = np.arange(41)
    np.testing.assert_allclose(found, np.stack([2 * 0.97**n, 0.25**n], 1), rtol=1e-12)


def test_newton_by_lbfgs_reaches_the_end_of_the_bent_valley():
    found = path(lambda p: torch.optim.LBFGS(p, line_search_fn="strong_wolfe"), rosenbrock, (-1.2, 1.0), 10)
    np.testing.assert_allclose(found[-1], [1, 1], atol=1e-4)


def test_heights_lie_on_the_grid_with_y_down_the_rows():
    x, y = np.linspace(-1, 1, 3), np.linspace(0, 3, 4)
    found = heights(rosenbrock, x, y)
    expected = [[(1 - a) ** 2 + 100 * (b - a * a) ** 2 for a in x] for b in y]
    np.testing.assert_allclose(found, expected)
