"""Figures of merit of forecasts as functions of Rows, each with its interval.

Windows of neighboring rows overlap and errors of one week are alike, so that rows are far from independent: they come
with their block of time as group, and intervals and comparisons draw whole blocks. With fewer than some twenty blocks
an interval is too narrow still.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate, bootstrap_mean, bootstrap_moments
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]


def forecast_metrics(naive: float) -> tuple[Metric, ...]:
    """Mean absolute error first, in the unit of the target, over all values ahead that are known; root mean squared
    error; the mean absolute error over that of the seasonal naive forecast of the train part, one step ahead (mase);
    the mean absolute error of the first and of the last step ahead.

    naive: that error of the train part.
    """
    return (
        _mean_error("mae", absolute_error),
        Metric("rmse", _rmse, lambda rows: float(np.sqrt(_weighted(squared_error(rows), rows))), False),
        _mean_error("mase", lambda rows: absolute_error(rows) / naive),
        _of_step("mae_first", 0),
        _of_step("mae_last", -1),
    )


def errors(rows: Rows) -> Floats:
    """(n, H): prediction minus truth, NaN where that is missing."""
    return np.asarray(rows["prediction"], dtype=np.float64) - np.asarray(rows["target"], dtype=np.float64)


def absolute_error(rows: Rows) -> Floats:
    """(n,): the mean over the values ahead that are known."""
    return np.nanmean(np.abs(errors(rows)), axis=1)


def squared_error(rows: Rows) -> Floats:
    """(n,): the mean over the values ahead that are known."""
    return np.nanmean(np.square(errors(rows)), axis=1)


def error_by_step(rows: Rows) -> Floats:
    """(H,): the mean absolute error of each step ahead."""
    return np.nanmean(np.abs(errors(rows)), axis=0)


def _weighted(values: Floats, rows: Rows) -> float:
    return float(np.average(values, weights=rows.get("weight")))


def _mean_error(name: str, values: Callable[[Rows], Floats]) -> Metric:
    return Metric(name, lambda rows: bootstrap_mean(values(rows), rows.get("weight"), rows.group),
                  lambda rows: _weighted(values(rows), rows), False, values=values)


def _rmse(rows: Rows) -> Estimate:
    return bootstrap_moments(squared_error(rows), lambda means: np.sqrt(means[:, 0]), weights=rows.get("weight"),
                             groups=rows.group)


def _of_step(name: str, step: int) -> Metric:
    """Of one step ahead, over the rows in which it is known."""
    def parts(rows: Rows) -> tuple[Floats, Floats]:
        off = np.abs(errors(rows)[:, step])
        return np.nan_to_num(off), (~np.isnan(off)).astype(np.float64)

    def estimate(rows: Rows) -> Estimate:
        off, known = parts(rows)
        if not known.any():
            from orthogon.tasks.metrics import undefined

            return undefined("no value of that step is known", unit="")
        return bootstrap_mean(off, known, rows.group)

    def value(rows: Rows) -> float:
        off, known = parts(rows)
        return float(np.average(off, weights=known)) if known.any() else float("nan")

    return Metric(name, estimate, value, False)
