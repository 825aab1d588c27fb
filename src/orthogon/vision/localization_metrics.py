"""Figures of merit of localization as functions of Rows, each with its interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate
from orthogon.tasks.metrics import mean_estimate, mean_metric, undefined, weighted_mean
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

CORRECT = 0.5
"""The overlap from which a box counts as correct, by convention, never lower (row 20.12)."""


def localization_metrics(box: bool, points: bool, classes: bool) -> tuple[Metric, ...]:
    """Mean IoU first, then the share of boxes that are correct; of points their error; of classes accuracy."""
    found: list[Metric] = []
    if box:
        found.append(_known_metric("iou", "iou"))
        found.append(_known_metric("iou_50", "iou", lambda iou: (iou >= CORRECT).astype(np.float64)))
    if points:
        found.append(_known_metric("point_error", "point_error", higher_is_better=False))
    if classes:
        found.append(mean_metric("accuracy", right_class, "rate"))
        found.append(mean_metric("error", lambda rows: 1 - right_class(rows), "rate", higher_is_better=False))
    return tuple(found)


def right_class(rows: Rows) -> NDArray[np.float64]:
    """1 where the class, or that there is no object, was told right."""
    return (rows["prediction"] == rows["target"]).astype(np.float64)


def _known_metric(name: str, column: str, of: Callable[[NDArray], NDArray] | None = None,
                  higher_is_better: bool = True) -> Metric:
    """The mean of a column over the rows where it is not NaN: pictures with an object."""
    unit = "rate" if of is not None else ""

    def known(rows: Rows) -> tuple[NDArray, Rows]:
        kept = rows.take(np.flatnonzero(np.isfinite(rows[column])))
        return (kept[column] if of is None else of(kept[column])), kept

    def estimate(rows: Rows) -> Estimate:
        values, kept = known(rows)
        return mean_estimate(values, kept, unit) if len(kept) else undefined("no picture has an object", 0, unit)

    def value(rows: Rows) -> float:
        values, kept = known(rows)
        return weighted_mean(values, kept) if len(kept) else float("nan")

    return Metric(name, estimate, value, higher_is_better, unit=unit, best=1.0 if higher_is_better else 0.0)
