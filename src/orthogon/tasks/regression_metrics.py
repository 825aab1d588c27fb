"""Figures of merit of regression as functions of Rows, each with its interval.

For several outputs each figure is computed for each output and the plain mean over the outputs is shown (as
scikit-learn's multioutput="uniform_average").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate, bootstrap_moments
from orthogon.tasks.metrics import undefined
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]


def regression_metrics() -> tuple[Metric, ...]:
    """Root mean squared error first, then mean absolute error and R²."""
    return (
        _moment_metric("rmse", squared_errors, lambda means: np.sqrt(means).mean(axis=1), False),
        _moment_metric("mae", lambda rows: np.abs(_errors(rows)), lambda means: means.mean(axis=1), False),
        Metric("r2", r_squared, _r_squared_value, best=1.0),
    )


def _table(values: NDArray) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1)


def _errors(rows: Rows) -> Floats:
    return _table(rows["prediction"]) - _table(rows["target"])


def squared_errors(rows: Rows) -> Floats:
    """(n, d): the squared error of each output."""
    return np.square(_errors(rows))


def _moment_metric(name: str, columns: Callable[[Rows], Floats], statistic: Callable[[Floats], Floats],
                   higher_is_better: bool) -> Metric:
    def estimate(rows: Rows) -> Estimate:
        return bootstrap_moments(columns(rows), statistic, weights=rows.get("weight"), groups=rows.group)

    def value(rows: Rows) -> float:
        means = np.average(columns(rows), axis=0, weights=rows.get("weight"))
        return float(statistic(means[None])[0])

    return Metric(name, estimate, value, higher_is_better)


def r_squared(rows: Rows) -> Estimate:
    """1 − mean squared error / variance of the target, over these rows; undefined where it is constant."""
    columns, outputs = _r_squared_columns(rows)
    if (np.ptp(_table(rows["target"]), axis=0) == 0).any():
        return undefined("the target does not vary", len(rows), unit="")
    return bootstrap_moments(columns, lambda means: _r_squared_of(means, outputs), weights=rows.get("weight"),
                             groups=rows.group)


def _r_squared_columns(rows: Rows) -> tuple[Floats, int]:
    """Squared errors, target and squared target, moved to mean 0 and unit scale so that no digits are lost."""
    target = _table(rows["target"])
    spread = target.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    moved = (target - target.mean(axis=0)) / scale
    return np.concatenate([squared_errors(rows) / scale**2, moved, moved**2], axis=1), target.shape[1]


def _r_squared_of(means: Floats, outputs: int) -> Floats:
    error, first, second = means[:, :outputs], means[:, outputs : 2 * outputs], means[:, 2 * outputs :]
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - error / (second - first**2)).mean(axis=1)


def _r_squared_value(rows: Rows) -> float:
    columns, outputs = _r_squared_columns(rows)
    if (np.ptp(_table(rows["target"]), axis=0) == 0).any():
        return float("nan")
    return float(_r_squared_of(np.average(columns, axis=0, weights=rows.get("weight"))[None], outputs)[0])
