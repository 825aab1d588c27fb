"""The area under the ROC curve, with DeLong's interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata

from orthogon.errors import DataError
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import critical

Floats = NDArray[np.float64]


def roc_auc(score: ArrayLike, label: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """The chance that a positive scores above a negative (ties count half), with its interval.

    score: n numbers, higher = more positive. label: n booleans or 0/1.
    NaN where one of the two classes is absent; DataError on NaN scores or other labels.
    Sources: DeLong, DeLong & Clarke-Pearson (1988), in the rank form of Sun & Xu (2014), on the logit scale.
    Where the variance is zero (perfect separation, or a class of one): Newcombe (2006), Statistics in
    Medicine 25, part 2, method 5.
    """
    scores, positive = _checked(score, label)
    m, k = int(positive.sum()), int((~positive).sum())
    if m == 0 or k == 0:
        nan = float("nan")
        return Estimate(nan, nan, nan, m + k, "no interval: only one class is present")
    area, variance = _delong(scores[positive], scores[~positive])
    if variance > 0 and 0 < area < 1:
        half = critical(confidence) * np.sqrt(variance) / (area * (1 - area))
        low, high = expit(logit(area) + np.array([-half, half]))
        return Estimate(area, float(low), float(high), m + k, "DeLong, logit scale")
    low, high = _score_interval(area, m, k, critical(confidence))
    return Estimate(area, low, high, m + k, "Newcombe score interval for the AUC")


def _delong(positive: Floats, negative: Floats) -> tuple[float, float]:
    """The area and its variance, from mid-ranks within each class and in both."""
    m, k = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:m] - rankdata(positive)) / k
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    variance = above.var(ddof=1) / m + below.var(ddof=1) / k if min(m, k) > 1 else 0.0
    return float(above.mean()), float(variance)


def _score_interval(area: float, m: int, k: int, z: float) -> tuple[float, float]:
    def distance(truth: float) -> float:
        pairs = (m + k) / 2 - 1
        share = 1 + pairs * ((1 - truth) / (2 - truth) + truth / (1 + truth))
        return (area - truth) ** 2 - z**2 * truth * (1 - truth) * share / (m * k)

    low = 0.0 if area == 0 else brentq(distance, 0.0, area * (1 - 1e-9))
    high = 1.0 if area == 1 else brentq(distance, area + (1 - area) * 1e-9, 1.0)
    return float(low), float(high)  # pyright: ignore[reportArgumentType]


def _checked(score: ArrayLike, label: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    scores, labels = np.asarray(score, float).ravel(), np.asarray(label, float).ravel()
    if len(scores) != len(labels):
        raise DataError(f"{len(scores):,} scores for {len(labels):,} labels", remedy="Give one per example.")
    if np.isnan(scores).any() or not np.isin(labels, (0, 1)).all():
        raise DataError("an AUC needs scores without NaN and labels 0 or 1", remedy="Leave unknown ones out.")
    return scores, labels == 1
