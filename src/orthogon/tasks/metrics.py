"""Figures of merit of classification as functions of Rows, each with its interval.

Weights of examples count where Rows has them; where Rows has groups, whole groups are resampled. What is not defined
(the precision of a class that was never predicted) is NaN, and `method` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import (
    Estimate,
    bootstrap_confusion,
    bootstrap_mean,
    bootstrap_moments,
    brier_scores,
    confusion_counts,
    estimate_score,
)
from orthogon.stats import confusion as stats_confusion
from orthogon.tasks.auc import auc_value, macro_auc
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]


def undefined(reason: str, n: int = 0, unit: str = "rate") -> Estimate:
    """An Estimate of something that is not defined, with the reason."""
    nan = float("nan")
    return Estimate(nan, nan, nan, n, f"undefined: {reason}", unit)


def weighted_mean(values: NDArray, rows: Rows) -> float:
    """The mean over the examples, by their weights where they have any."""
    return float(np.average(np.asarray(values, dtype=np.float64), weights=rows.get("weight")))


def mean_estimate(values: NDArray, rows: Rows, unit: str = "") -> Estimate:
    """The same with its interval: Wilson for unweighted 0/1 values of unit "rate", bootstrap otherwise."""
    if unit == "rate":
        return estimate_score(values, weights=rows.get("weight"), groups=rows.group)
    return bootstrap_mean(values, rows.get("weight"), rows.group, unit)


def mean_metric(
    name: str, values: Callable[[Rows], NDArray], unit: str = "", higher_is_better: bool = True, needs: str = "",
    best: float = nan,
) -> Metric:
    """A metric that is the mean of one value per example; best: see `Metric`."""
    return Metric(name, lambda rows: mean_estimate(values(rows), rows, unit),
                  lambda rows: weighted_mean(values(rows), rows), higher_is_better, needs, values, unit, best)


def sum_metric(
    name: str, columns: Callable[[Rows], Floats], figure: Callable[[Floats], Floats], unit: str = "",
    higher_is_better: bool = True, needs: str = "", best: float = nan,
) -> Metric:
    """A metric that is a figure of sums over the examples: see `Metric.sums`. What weighs is in the columns."""
    def estimate(rows: Rows) -> Estimate:
        return bootstrap_moments(columns(rows), lambda means: figure(means * len(rows)), groups=rows.group, unit=unit)

    def value(rows: Rows) -> float:
        return float(figure(columns(rows).sum(axis=0)[None])[0])

    return Metric(name, estimate, value, higher_is_better, needs, None, unit, best, (columns, figure))


def classification_metrics(positive: int | None) -> tuple[Metric, ...]:
    """Accuracy first. positive: of two classes the one that ROC AUC, precision, recall and F1 speak of."""
    shared = (
        mean_metric("accuracy", lambda rows: rows["score"], "rate"),
        mean_metric("error", lambda rows: 1 - rows["score"], "rate", higher_is_better=False),
        Metric("macro_f1", macro_f1, lambda rows: _f1_value(rows, stats_confusion.macro_f1),
               unit="rate"),
        Metric("weighted_f1", weighted_f1, lambda rows: _f1_value(rows, stats_confusion.weighted_f1),
               unit="rate"),
        Metric("roc_auc", lambda rows: roc_auc(rows, positive), lambda rows: _roc_auc_value(rows, positive),
               needs="probabilities", best=1.0),
        mean_metric("cross_entropy", lambda rows: rows["loss"], "nats", False, needs="probabilities"),
        mean_metric("brier", _brier_scores, higher_is_better=False, needs="probabilities"),
    )
    if positive is None:
        return shared
    return shared + tuple(_of_positive(name, positive) for name in ("precision", "recall", "f1"))


def _of_positive(name: str, positive: int) -> Metric:
    def estimate(rows: Rows) -> Estimate:
        return _class_figures(rows, positive)[name]

    return Metric(name, estimate, lambda rows: _class_values(rows, positive)[name], unit="rate")


def weighted_error(costs: Floats) -> Metric:
    """The cost of the errors over what it would be if every example had the worst one (row 12.05), as a share.

    costs: (K, K), rows: truth, columns: prediction, the diagonal 0. Where every error of a class weighs alike, this is
    Σ w·[wrong] / Σ w with the weight w of the example's class.
    """
    def columns(rows: Rows) -> Floats:
        return np.stack([costs[rows["target"], rows["prediction"]], costs.max(axis=1)[rows["target"]]], axis=1)

    def share(means: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return means[:, 0] / means[:, 1]

    def estimate(rows: Rows) -> Estimate:
        return bootstrap_moments(columns(rows), share, weights=rows.get("weight"), groups=rows.group, unit="rate")

    def value(rows: Rows) -> float:
        return float(share(np.average(columns(rows), axis=0, weights=rows.get("weight"))[None])[0])

    return Metric("weighted_error", estimate, value, higher_is_better=False, unit="rate")


# --- F1 -------------------------------------------------------------------------------------------------------


def macro_f1(rows: Rows) -> Estimate:
    """The plain mean of F1 over the classes that occur in truth or prediction."""
    return _f1(rows, stats_confusion.macro_f1)


def weighted_f1(rows: Rows) -> Estimate:
    """The mean of F1 weighted by how often each class occurs."""
    return _f1(rows, stats_confusion.weighted_f1)


def confusion_matrix(rows: Rows) -> Floats:
    """K × K, rows: truth, columns: prediction; sums of weights where examples weigh, counts otherwise."""
    classes, weight = _class_count(rows), rows.get("weight")
    if weight is None:
        return confusion_counts(rows["target"], rows["prediction"], classes).astype(float)
    cells = rows["target"].astype(np.int64) * classes + rows["prediction"].astype(np.int64)
    return np.bincount(cells, weight, minlength=classes**2).astype(float).reshape(classes, classes)


def _class_count(rows: Rows) -> int:
    return len(rows.classes) or 1 + int(max(rows["target"].max(initial=0), rows["prediction"].max(initial=0)))


def _f1_value(rows: Rows, statistic: Callable[[Floats], Floats]) -> float:
    return float(statistic(confusion_matrix(rows)))


def _f1(rows: Rows, statistic: Callable[[Floats], Floats]) -> Estimate:
    """Multinomial resampling of the matrix; of the examples or groups themselves where they weigh or come in groups."""
    if rows.get("weight") is None and rows.group is None:
        return bootstrap_confusion(confusion_matrix(rows), statistic)
    classes = _class_count(rows)
    cells = rows["target"].astype(np.int64) * classes + rows["prediction"].astype(np.int64)
    filled, place = np.unique(cells, return_inverse=True)
    hot = np.zeros((len(cells), len(filled)))
    hot[np.arange(len(cells)), place] = 1

    def of_means(means: Floats) -> Floats:
        matrices = np.zeros((len(means), classes**2))
        matrices[:, filled] = means
        return statistic(matrices.reshape(-1, classes, classes))

    return bootstrap_moments(hot, of_means, weights=rows.get("weight"), groups=rows.group, unit="rate")


def per_class(rows: Rows) -> dict[str, dict[str, Estimate]]:
    """Class -> {"precision", "recall", "f1"}, each with its n: predictions, examples, and all examples."""
    return {name: _class_figures(rows, code) for code, name in enumerate(rows.classes)}


def _class_figures(rows: Rows, code: int) -> dict[str, Estimate]:
    actual, predicted = rows["target"] == code, rows["prediction"] == code
    return {
        "precision": share_right(rows, actual, predicted, "the class is never predicted"),
        "recall": share_right(rows, predicted, actual, "the class does not occur"),
        "f1": _one_f1(rows, actual, predicted),
    }


def share_right(rows: Rows, right: NDArray, among: NDArray, reason: str) -> Estimate:
    """The share of `among` that is right; resampling `among` alone conditions on its size, as is usual."""
    if not among.any():
        return undefined(reason)
    weight = rows.get("weight")
    return estimate_score(right[among].astype(float), weights=None if weight is None else weight[among],
                          groups=None if rows.group is None else rows.group[among])


def _one_f1(rows: Rows, actual: NDArray, predicted: NDArray) -> Estimate:
    if not (actual.any() or predicted.any()):
        return undefined("the class neither occurs nor is predicted", len(rows))
    values = {**{key: value for key, value in rows.values.items() if key == "weight"},
              "target": actual.astype(np.int64), "prediction": predicted.astype(np.int64)}
    one_against_rest = replace(rows, values=values, classes=("rest", "class"))
    return _f1(one_against_rest, lambda matrices: stats_confusion.f1(matrices)[..., 1])


def _class_values(rows: Rows, code: int) -> dict[str, float]:
    """The same figures as plain numbers."""
    matrix = confusion_matrix(rows)
    right, actual, predicted = matrix[code, code], matrix[code].sum(), matrix[:, code].sum()
    ratio = lambda top, bottom: float(top / bottom) if bottom > 0 else float("nan")  # noqa: E731
    return {"precision": ratio(right, predicted), "recall": ratio(right, actual),
            "f1": ratio(2 * right, actual + predicted)}


# --- probabilities --------------------------------------------------------------------------------------------


def roc_auc(rows: Rows, positive: int | None = None) -> Estimate:
    """Two classes: of the positive one (by default the last). More: the mean over classes of one against the rest."""
    target, probabilities, weight = rows["target"], rows["probabilities"], rows.get("weight")
    if probabilities.shape[1] == 2:
        code = 1 if positive is None else positive
        return macro_auc(probabilities[:, [code]], (target == code)[:, None], weight, rows.group)
    hot = target[:, None] == np.arange(probabilities.shape[1])
    return macro_auc(probabilities, hot, weight, rows.group)


def _roc_auc_value(rows: Rows, positive: int | None) -> float:
    target, probabilities, weight = rows["target"], rows["probabilities"], rows.get("weight")
    codes = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else [1 if positive is None else positive]
    areas = [auc_value(probabilities[:, code], target == code, weight) for code in codes]
    known = [area for area in areas if np.isfinite(area)]
    return float(np.mean(known)) if known else float("nan")


def _brier_scores(rows: Rows) -> Floats:
    return brier_scores(rows["probabilities"], rows["target"])
