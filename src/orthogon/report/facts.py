"""What a report computes from rows: figures per class, confusion, calibration, residuals. No drawing here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from orthogon import stats
from orthogon.report.examples import confidence
from orthogon.stats.estimate import Estimate
from orthogon.train.rows import Rows

MOST_CLASSES = 60


@dataclass(frozen=True)
class ClassFigures:
    """One class or label: precision, recall and F1 with intervals; n true examples, `predicted` predictions of it."""

    name: str
    n: int
    predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "n": self.n, "predicted": self.predicted, "precision": self.precision.to_dict(),
                "recall": self.recall.to_dict(), "f1": self.f1.to_dict()}


def is_single_label(rows: Rows) -> bool:
    """Whether each row has exactly one class."""
    return bool(rows.classes) and rows["target"].ndim == 1


def is_multilabel(rows: Rows) -> bool:
    """Whether each row has any number of labels."""
    return bool(rows.classes) and rows["target"].ndim == 2


def per_class(rows: Rows) -> list[ClassFigures]:
    """Figures of each class that occurs, in the order of the classes; of more than 60 the 60 with the lowest F1 alone,
    worst first.

    Precision and recall by Wilson (over groups where there are), F1 by bootstrap. Unknown labels are left out.
    """
    (truth, said), wanted = _indicators(rows), occurring(rows)
    if len(wanted) > MOST_CLASSES:
        hit, spoken = np.sum((truth == 1) & (said == 1), axis=0), np.nansum(truth, axis=0) + said.sum(axis=0)
        wanted = wanted[np.argsort((hit / np.maximum(spoken, 1))[wanted], kind="stable")[:MOST_CLASSES]]
    return [_figures(rows.classes[k], truth[:, k], said[:, k], rows.group) for k in wanted.tolist()]


def occurring(rows: Rows) -> np.ndarray:
    """The codes of the classes or labels that any of the rows has, or is said to have."""
    truth, said = _indicators(rows)
    return np.flatnonzero((truth == 1).any(axis=0) | (said == 1).any(axis=0))


def _indicators(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Float (n, K) twice: what is true (NaN = unknown) and what was predicted."""
    target, prediction = rows["target"], rows["prediction"]
    if target.ndim == 2:
        return target.astype(float), prediction.astype(float)
    codes = np.arange(len(rows.classes))
    return (target[:, None] == codes).astype(float), (prediction[:, None] == codes).astype(float)


def _figures(name: str, truth: np.ndarray, said: np.ndarray, group: np.ndarray | None) -> ClassFigures:
    known = ~np.isnan(truth)
    truth, said = truth[known] == 1, said[known] == 1
    group = None if group is None else group[known]
    at = lambda mask: None if group is None else group[mask]  # noqa: E731
    return ClassFigures(
        name, int(truth.sum()), int(said.sum()), stats.rate(truth[said], groups=at(said)),
        stats.rate(said[truth], groups=at(truth)), _f1(truth, said, group),
    )


def _f1(truth: np.ndarray, said: np.ndarray, group: np.ndarray | None) -> Estimate:
    nan = float("nan")
    if not (truth.any() or said.any()):
        return Estimate(nan, nan, nan, 0, "no example and no prediction of it", "rate")
    if group is None:
        matrix = stats.confusion_counts(truth.astype(int), said.astype(int), 2)
        found = stats.bootstrap_confusion(matrix, lambda m: stats.f1(m)[:, 1])
        return found if np.isfinite(found.low) else _f1_by_jaccard(truth, said)
    columns = np.column_stack([2.0 * (truth & said), truth.astype(float) + said])
    with np.errstate(divide="ignore", invalid="ignore"):
        return stats.bootstrap_moments(columns, lambda m: m[:, 0] / m[:, 1], groups=group, unit="rate")


def _f1_by_jaccard(truth: np.ndarray, said: np.ndarray) -> Estimate:
    """F1 = 2J / (1 + J) of the Jaccard index J, a plain rate: an interval also where all or nothing is right."""
    found = stats.rate((truth & said)[truth | said])
    value, low, high = (2 * j / (1 + j) for j in (found.value, found.low, found.high))
    return Estimate(value, low, high, len(truth), "Wilson on the Jaccard index", "rate")


def confusion(rows: Rows) -> np.ndarray:
    """K × K counts, rows: truth, columns: prediction."""
    return stats.confusion_counts(rows["target"], rows["prediction"], len(rows.classes))


@dataclass(frozen=True)
class Calibration:
    """How far stated probabilities can be believed.

    bins:  (mean stated probability, Estimate of how often it came true) per bin, lowest first.
    gap:   mean of stated minus true, in points of a rate: above 0 = too sure of itself.
    brier: mean squared distance between probabilities and the truth, summed over classes where they are more than two.
    of:    what is stated: "confidence" in the predicted class, or "probability" of each label.
    """

    bins: list[tuple[float, Estimate]]
    gap: Estimate
    brier: Estimate
    of: str

    def to_dict(self) -> dict[str, Any]:
        return {"of": self.of, "gap": self.gap.to_dict(), "brier": self.brier.to_dict(),
                "bins": [{"stated": stated, "true": found.to_dict()} for stated, found in self.bins]}


def calibration(rows: Rows) -> Calibration | None:
    """Calibration of the predicted class, or of all labels together; None without probabilities or classes."""
    if rows.get("probabilities") is None or len(rows) == 0:
        return None
    if is_multilabel(rows):
        return _of_labels(rows)
    stated = confidence(rows)
    if stated is None:
        return None
    right = (rows["target"] == rows["prediction"]).astype(float)
    brier = stats.bootstrap_mean(stats.brier_scores(rows["probabilities"], rows["target"]), groups=rows.group)
    gap = stats.bootstrap_mean(stated - right, groups=rows.group, unit="rate")
    return Calibration(stats.reliability_bins(stated, right, groups=rows.group), gap, brier, "confidence")


def _of_labels(rows: Rows) -> Calibration | None:
    p, truth = np.asarray(rows["probabilities"], float), rows["target"].astype(float)
    known = ~np.isnan(truth)
    if not known.any():
        return None
    example = np.nonzero(known)[0]  # the labels of one example are not independent
    unit = example if rows.group is None else rows.group[example]
    stated, right = p[known], truth[known]
    return Calibration(
        stats.reliability_bins(stated, right, groups=unit),
        stats.bootstrap_mean(stated - right, groups=unit, unit="rate"),
        stats.bootstrap_mean((stated - right) ** 2, groups=unit), "probability",
    )


@dataclass(frozen=True)
class Residuals:
    """Targets and predictions of one number; mean: of prediction minus target. name: "" where there is only one."""

    name: str
    target: np.ndarray
    prediction: np.ndarray
    mean: Estimate

    @property
    def off(self) -> np.ndarray:
        return self.prediction - self.target

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "n": len(self.target), "mean": self.mean.to_dict()}


def residuals(rows: Rows) -> list[Residuals]:
    """Of each number that is predicted, at most six; rows without a value are left out."""
    target, prediction = (np.asarray(rows[name], float).reshape(len(rows), -1) for name in ("target", "prediction"))
    found = []
    for k in range(min(6, target.shape[1])):
        keep = np.isfinite(target[:, k]) & np.isfinite(prediction[:, k])
        if keep.any():
            off = prediction[keep, k] - target[keep, k]
            mean = stats.bootstrap_mean(off, groups=None if rows.group is None else rows.group[keep])
            name = f"output {k + 1}" if target.shape[1] > 1 else ""
            found.append(Residuals(name, target[keep, k], prediction[keep, k], mean))
    return found
