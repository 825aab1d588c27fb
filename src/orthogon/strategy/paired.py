"""Two models on the same examples, from their rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from orthogon.errors import DataError
from orthogon.stats import (
    PairedComparison,
    compare_paired,
    compare_paired_sums,
    compare_paired_values,
    compare_roc_auc,
)
from orthogon.stats.intervals import group_codes
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

REPLICATES = 1000
"""Of a metric of any form; each of them computes it twice."""


class Gain(NamedTuple):
    """The second model against the first.

    paired:    second minus first in `metric`, with interval, n, how many put right and broken, and p-value.
    metric:    "accuracy" where every example is right or wrong, "rmse" for numbers, "score" otherwise; or the one
               that was asked for.
    direction: 1 where more of the metric is better, -1 where less is.
    """

    paired: PairedComparison
    metric: str
    direction: float

    @property
    def difference(self) -> float:
        return self.paired.difference


def aligned(first: Rows, second: Rows) -> tuple[Rows, Rows]:
    """Both on the examples that they have in common, in the order of the first.

    DataError where there are none, or where a target differs: then it is not the same data.
    """
    _, left, right = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    if not len(left):
        raise DataError("the two have no example in common", where=f"{first.split} and {second.split}",
                        remedy="Compare models that were measured on the same examples.")
    order = np.argsort(left)
    a, b = first.take(left[order]), second.take(right[order])
    one, other = named(a, "target"), named(b, "target")
    if not np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f"):  # a point that is hidden
        raise DataError("the same ids have other targets in the second", where=f"{first.split} and {second.split}",
                        remedy="Compare models on one version of the labels.")
    long, as_long = a.get("characters"), b.get("characters")  # of texts that are themselves the target
    if long is not None and as_long is not None and not np.array_equal(long, as_long):
        raise DataError("the same ids are other texts in the second", where=f"{first.split} and {second.split}",
                        remedy="Compare models that were measured on the same texts, cut alike.")
    return a, b


def named(rows: Rows, column: str) -> np.ndarray:
    """A column of codes as the names of their classes; numbers as they are."""
    values = rows[column]
    return np.asarray(rows.classes)[values] if rows.classes and values.ndim == 1 else values


def compare_rows(first: Rows, second: Rows, metric: Metric | None = None) -> Gain:
    """Single labels by right and wrong, numbers by root mean squared error, all else by score; same examples in order.

    metric: compare by this one instead (`Task.compared_by`): a mean by its values, a figure of sums by these, the
            ROC AUC of two classes by DeLong, any other by paired bootstrap of its value.
    Groups, where there are any, are resampled as wholes.
    """
    if metric is not None and metric.name == "roc_auc" and _two_independent_classes(first, second):
        before, after = first["probabilities"][:, 1], second["probabilities"][:, 1]
        found = compare_roc_auc(before, after, first["target"] == 1)  # the same for whichever class is positive
        return Gain(found, metric.name, 1.0)
    if metric is not None and metric.name not in ("accuracy", "error", "rmse"):
        return Gain(_compare_by(metric, first, second), metric.name, 1.0 if metric.higher_is_better else -1.0)
    groups, a, b = first.group, first.get("score"), second.get("score")
    if a is None or b is None:
        errors = [squared_error(rows) for rows in (first, second)]
        compared = compare_paired_values(*errors, transform=np.sqrt, groups=groups, higher_is_better=False)
        return Gain(compared, "rmse", -1.0)
    if np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all():
        return Gain(compare_paired(a, b, groups=groups), "accuracy", 1.0)
    return Gain(compare_paired_values(a, b, groups=groups, unit="rate"), "score", 1.0)


def _two_independent_classes(first: Rows, second: Rows) -> bool:
    """Whether DeLong's variance holds: one of two classes each, no groups, no weights."""
    return first["target"].ndim == 1 and len(first.classes) == 2 and first.group is None and all(
        "probabilities" in rows.values and "weight" not in rows.values for rows in (first, second))


def squared_error(rows: Rows) -> np.ndarray:
    """Per example: the mean over its outputs, of those that are known."""
    difference = np.asarray(rows["prediction"], dtype=np.float64) - np.asarray(rows["target"], dtype=np.float64)
    return np.nanmean((difference**2).reshape(len(rows), -1), axis=1)


def _compare_by(metric: Metric, first: Rows, second: Rows) -> PairedComparison:
    """By what the metric is made of."""
    up, unit = metric.higher_is_better, metric.unit
    if metric.values is not None:
        return compare_paired_values(metric.values(first), metric.values(second), weights=first.get("weight"),
                                     groups=first.group, higher_is_better=up, unit=unit)
    if metric.sums is not None:
        columns, figure = metric.sums
        return compare_paired_sums(columns(first), columns(second), figure, groups=first.group, higher_is_better=up,
                                   unit=unit)
    return _compare_values(metric, first, second)


def _compare_values(metric: Metric, first: Rows, second: Rows) -> PairedComparison:
    """Any function of rows: percentile bootstrap over the same draws of examples for both, p-value from its tails."""
    codes = np.arange(len(first)) if first.group is None else group_codes(first.group, len(first))
    count = int(codes.max()) + 1
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    generator = np.random.default_rng(0)

    def gap(index: np.ndarray) -> float:
        return metric.value(second.take(index)) - metric.value(first.take(index))

    drawn = np.array([
        gap(np.concatenate([members[unit] for unit in generator.integers(0, count, count)])) for _ in range(REPLICATES)
    ])
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) > 0.95 * REPLICATES else (np.nan, np.nan)
    tail = (min((known <= 0).sum(), (known >= 0).sum()) + 1) / (len(known) + 1)
    worth = [rows["score"] if "score" in rows.values else -rows["loss"] for rows in (first, second)]
    better = (low > 0) if metric.higher_is_better else (high < 0)
    return PairedComparison(
        gap(np.arange(len(first))), float(low), float(high), count, int((worth[1] > worth[0]).sum()),
        int((worth[1] < worth[0]).sum()), min(1.0, 2 * float(tail)),
        "tied" if not (low > 0 or high < 0) else "better" if better else "worse",
        f"paired bootstrap over {'examples' if first.group is None else 'groups'}", metric.unit,
    )
