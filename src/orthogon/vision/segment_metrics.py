"""Figures of merit of segmentation as functions of Rows, each with its interval over pictures.

Rows hold, for each picture and class, how many pixels truth and prediction share ("intersection") and how many either
has ("union"); ignored pixels are in neither. The figures of a data set are ratios of sums over its pictures, so that
large objects count more than small ones, as usual in VOC and Cityscapes (Everingham et al. 2015, IJCV 111). A picture's
own mean IoU is its "score"; the mean of those counts each picture alike.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate, bootstrap_mean, bootstrap_moments
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]


def segmentation_metrics(names: tuple[str, ...]) -> tuple[Metric, ...]:
    """Mean IoU first; pixel accuracy, Dice, the mean IoU of a picture; then the IoU of each class."""
    return (
        _of_sums("mean_iou", lambda shared, either: _mean_over_classes(_ratio(shared, either))),
        _of_sums("pixel_accuracy", pixel_accuracy),
        _of_sums("dice", lambda shared, either: _mean_over_classes(_ratio(2 * shared, shared + either))),
        Metric("picture_iou", lambda rows: bootstrap_mean(rows["score"], rows.get("weight"), rows.group, "rate"),
               lambda rows: float(np.average(rows["score"], weights=rows.get("weight"))), unit="rate"),
        *(_of_sums(f"iou_of_{name}", lambda shared, either, code=code: _ratio(shared, either)[..., code])
          for code, name in enumerate(names)),
    )


def pixel_accuracy(shared: Floats, either: Floats) -> Floats:
    """The share of pixels whose class is right. Every pixel is once in truth and once in prediction, so that together
    intersections and unions are twice the pixels."""
    right = shared.sum(axis=-1)
    return _ratio(right, (right + either.sum(axis=-1)) / 2)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """NaN for a class that neither occurs nor is predicted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def _mean_over_classes(values: Floats) -> Floats:
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)


def _of_sums(name: str, figure: Callable[[Floats, Floats], Floats]) -> Metric:
    """A metric of the mean intersections and unions of the classes, (m, K) each."""
    def columns(rows: Rows) -> Floats:
        return np.concatenate([rows["intersection"], rows["union"]], axis=1).astype(np.float64)

    def of_means(means: Floats) -> Floats:
        classes = means.shape[1] // 2
        return figure(means[:, :classes], means[:, classes:])

    def estimate(rows: Rows) -> Estimate:
        return bootstrap_moments(columns(rows), of_means, weights=rows.get("weight"), groups=rows.group, unit="rate")

    def value(rows: Rows) -> float:
        return float(of_means(np.average(columns(rows), axis=0, weights=rows.get("weight"))[None])[0])

    return Metric(name, estimate, value, unit="rate")
