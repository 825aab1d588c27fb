"""The area under the ROC curve with DeLong's interval, and two such areas on the same examples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr
from scipy.stats import rankdata

from orthogon.errors import DataError
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import critical
from orthogon.stats.paired import PairedComparison, verdict_of

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


def compare_roc_auc(
    score_a: ArrayLike, score_b: ArrayLike, label: ArrayLike, *, confidence: float = 0.95
) -> PairedComparison:
    """The area of model b against that of model a on the same n examples.

    score_a, score_b: n numbers each, higher = more positive. label: n booleans or 0/1.
    An example is put right where b ranks it better against the other class than a does, broken where worse.
    NaN where one class is absent; no interval where no example changes its rank, or a class has one example.
    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44.
    """
    (first, positive), (second, _) = _checked(score_a, label), _checked(score_b, label)
    n, nan = len(positive), float("nan")
    if positive.all() or not positive.any():
        return PairedComparison(nan, nan, nan, n, 0, 0, nan, "tied", "no interval: only one class is present", "")
    old, new = (_placements(score[positive], score[~positive]) for score in (first, second))
    above, below = new[0] - old[0], new[1] - old[1]
    difference, error = float(above.mean()), float(np.sqrt(_variance(above, below)))
    gains = np.concatenate([above, below])
    put_right, broken = int(np.sum(gains > 1e-12)), int(np.sum(gains < -1e-12))
    if error == 0:
        chance, reason = nan if put_right + broken else 1.0, "no interval: the difference does not vary"
        return PairedComparison(difference, nan, nan, n, put_right, broken, chance, "tied", reason, "")
    half = critical(confidence) * error
    low, high = max(-1.0, difference - half), min(1.0, difference + half)
    p_value = float(2 * ndtr(-abs(difference) / error))
    verdict = verdict_of(low, high, True)
    return PairedComparison(difference, low, high, n, put_right, broken, p_value, verdict, "DeLong, paired", "")


def _delong(positive: Floats, negative: Floats) -> tuple[float, float]:
    """The area and its variance."""
    above, below = _placements(positive, negative)
    return float(above.mean()), _variance(above, below)


def _placements(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it, for each negative that of positives above: from mid-ranks."""
    m, k = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    return (ranks[:m] - rankdata(positive)) / k, 1 - (ranks[m:] - rankdata(negative)) / m


def _variance(above: Floats, below: Floats) -> float:
    """Of the mean placement; 0 where a class of one example hides it."""
    if min(len(above), len(below)) < 2:
        return 0.0
    return float(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


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
