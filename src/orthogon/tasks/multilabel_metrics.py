"""Figures of merit of several labels as functions of Rows, with intervals; unknown labels (NaN) are left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate, bootstrap_moments
from orthogon.tasks.auc import auc_value, macro_auc
from orthogon.tasks.metrics import mean_estimate, share_right, undefined, weighted_mean
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]


def multilabel_metrics() -> tuple[Metric, ...]:
    """Label accuracy (the share of known labels that is right, by example) first."""
    return (
        _known_mean("label_accuracy", "score", "rate", True),
        Metric("subset_accuracy", subset_accuracy, lambda rows: weighted_mean(*_all_right(rows)), unit="rate"),
        Metric("macro_f1", macro_f1, _macro_f1_value, unit="rate"),
        Metric("macro_auc", macro_auc_estimate, _macro_auc_value, best=1.0),
        _known_mean("cross_entropy", "loss", "nats", False),
    )


def _known_rows(rows: Rows) -> Rows:
    """Without the examples of which no label is known."""
    known = np.asarray(~np.isnan(rows["target"]).all(axis=1))
    return rows if known.all() else _take(rows, known)


def _take(rows: Rows, mask: NDArray) -> Rows:
    return Rows(rows.split, rows.ids[mask], {name: value[mask] for name, value in rows.values.items()}, rows.classes,
                None if rows.group is None else rows.group[mask], None if rows.source is None else rows.source[mask])


def _known_mean(name: str, column: str, unit: str, higher_is_better: bool) -> Metric:
    def estimate(rows: Rows) -> Estimate:
        chosen = _known_rows(rows)
        return mean_estimate(chosen[column], chosen, unit)

    def value(rows: Rows) -> float:
        chosen = _known_rows(rows)
        return weighted_mean(chosen[column], chosen)

    return Metric(name, estimate, value, higher_is_better, unit=unit)


def _all_right(rows: Rows) -> tuple[Floats, Rows]:
    """Of the examples whose labels are all known: whether all are right."""
    complete = _take(rows, np.asarray(~np.isnan(rows["target"]).any(axis=1)))
    return (complete["target"] == complete["prediction"]).all(axis=1).astype(float), complete


def subset_accuracy(rows: Rows) -> Estimate:
    """The share of examples with every label right, among those with every label known."""
    right, complete = _all_right(rows)
    if not len(complete):
        return undefined("no example has all its labels known")
    return mean_estimate(right, complete, "rate")


def _f1_columns(rows: Rows) -> Floats:
    """(n, 2L): found and 2·found + missed + invented of each label, per example."""
    known = ~np.isnan(rows["target"])
    carried, predicted = (rows["target"] == 1) & known, (rows["prediction"] == 1) & known
    return np.concatenate([carried & predicted, carried.astype(int) + predicted], axis=1).astype(float)


def _f1_of(means: Floats) -> Floats:
    """The mean of F1 over the labels that are carried or predicted at all."""
    found, both = np.split(means, 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = 2 * found / both
        return np.where(both > 0, each, 0).sum(axis=1) / (both > 0).sum(axis=1)


def macro_f1(rows: Rows) -> Estimate:
    """The plain mean of F1 over the labels that are carried or predicted at all."""
    columns = _f1_columns(rows)
    if not columns.any():
        return undefined("no label is carried or predicted", len(rows))
    return bootstrap_moments(columns, _f1_of, weights=rows.get("weight"), groups=rows.group, unit="rate")


def _macro_f1_value(rows: Rows) -> float:
    columns = _f1_columns(rows)
    if not columns.any():
        return float("nan")
    return float(_f1_of(np.average(columns, axis=0, weights=rows.get("weight"))[None])[0])


def macro_auc_estimate(rows: Rows) -> Estimate:
    """The mean over labels of the ROC AUC."""
    known = ~np.isnan(rows["target"])
    return macro_auc(rows["probabilities"], rows["target"] == 1, rows.get("weight"), rows.group, known)


def _macro_auc_value(rows: Rows) -> float:
    known, weight = ~np.isnan(rows["target"]), rows.get("weight")
    areas = []
    for k in range(known.shape[1]):
        mask = known[:, k]
        areas.append(auc_value(rows["probabilities"][mask, k], rows["target"][mask, k] == 1,
                               None if weight is None else weight[mask]))
    finite = [area for area in areas if np.isfinite(area)]
    return float(np.mean(finite)) if finite else float("nan")


def per_label(rows: Rows) -> dict[str, dict[str, Estimate]]:
    """Label -> {"precision", "recall", "f1", "roc_auc"}, each over the examples of which the label is known."""
    return {name: _label_figures(rows, k) for k, name in enumerate(rows.classes)}


def _label_figures(rows: Rows, k: int) -> dict[str, Estimate]:
    one = _take(rows, ~np.isnan(rows["target"][:, k]))
    carried, predicted = one["target"][:, k] == 1, one["prediction"][:, k] == 1
    single = Rows(one.split, one.ids, {**{n: v for n, v in one.values.items() if n == "weight"},
                                       "target": one["target"][:, [k]], "prediction": one["prediction"][:, [k]]},
                  group=one.group)
    return {
        "precision": share_right(one, carried, predicted, "the label is never predicted"),
        "recall": share_right(one, predicted, carried, "the label is never carried"),
        "f1": macro_f1(single),
        "roc_auc": (macro_auc(one["probabilities"][:, [k]], carried[:, None], one.get("weight"), one.group)
                    if len(one) else undefined("the label is never known", unit="")),
    }
