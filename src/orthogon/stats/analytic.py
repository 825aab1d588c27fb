"""ABC intervals: the BCa bootstrap of a smooth function of means, without resampling.

Source: DiCiccio & Efron (1992), "More accurate confidence intervals in exponential families", Biometrika 79.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from orthogon.stats.intervals import critical
from orthogon.stats.resample import Analytic

Floats = NDArray[np.float64]
STEP = 1e-3


def abc_interval(columns: Floats, statistic: Callable[[Floats], Floats], confidence: float) -> Analytic:
    """The ABC interval of statistic(mean of the columns).

    columns: n × k. statistic: (m × k) means -> (m,) values, smooth near the means.
    """
    n, means = len(columns), columns.mean(axis=0)
    value, slope, bend, axes = _derivatives(columns, means, statistic)
    influence = (columns - means) @ (axes.T @ slope)
    sigma = float(np.sqrt(np.sum(influence**2))) / n
    if not np.isfinite(sigma) or sigma == 0:
        return Analytic(value, 0.0, (np.nan, np.nan))
    a = float(np.sum(influence**3)) / (6 * (n * sigma) ** 3)
    direction = influence @ (columns - means) / (n**2 * sigma)
    gamma = float(np.sum(bend)) / (2 * n * sigma) - _curvature(means, direction, value, sigma, statistic)
    bias = ndtri(np.clip(2 * ndtr(a) * ndtr(-gamma), 1e-9, 1 - 1e-9))
    shifted = bias + critical(confidence) * np.array([-1.0, 1.0])
    length = shifted / np.maximum(1 - a * shifted, 1e-3) ** 2
    low, high = statistic(means + length[:, None] * direction)
    return Analytic(value, sigma, (float(low), float(high)))


def _derivatives(
    columns: Floats, means: Floats, statistic: Callable[[Floats], Floats]
) -> tuple[float, Floats, Floats, Floats]:
    """The value; first and second derivatives along the columns' principal axes; and those axes' duals."""
    spread = columns.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    correlation = np.atleast_2d(np.cov(columns / scale, rowvar=False, bias=True))
    sizes, vectors = np.linalg.eigh(correlation)
    keep = sizes > 1e-10
    roots, vectors = np.sqrt(sizes[keep]), vectors[:, keep].T
    steps = STEP * roots[:, None] * vectors * scale
    values = statistic(np.concatenate([means[None], means + steps, means - steps]))
    center, up, down = values[0], *np.split(values[1:], 2)
    slope, bend = (up - down) / (2 * STEP), (up - 2 * center + down) / STEP**2
    return float(center), slope, bend, vectors / roots[:, None] / scale


def _curvature(
    means: Floats, direction: Floats, value: float, sigma: float, statistic: Callable[[Floats], Floats]
) -> float:
    step = 0.05
    up, down = statistic(means + step * np.array([[1.0], [-1.0]]) * direction)
    return float((up - 2 * value + down) / (2 * sigma * step**2))
