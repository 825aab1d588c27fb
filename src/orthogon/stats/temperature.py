"""One number that makes probabilities less or more sure without changing which class is the most likely.

Throughout: logits (n, K) are of K classes that exclude one another (softmax), with class numbers (n,) as targets;
logits (n,) are of one class or of flattened labels (sigmoid), with targets 0/1. Log-probabilities are logits too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, logsumexp, softmax

from orthogon.errors import DataError

Floats = NDArray[np.float64]
COLDEST, HOTTEST = 0.05, 20.0
LEAST, NEAREST = 1e-12, 1e-7  # probabilities of a class; distance of a lone probability from 0 and 1


def fit_temperature(logits: ArrayLike, target: ArrayLike) -> float:
    """The temperature that makes the mean cross-entropy least; fit it on dev, report on test.

    Between 0.05 and 20: an end of that where the cross-entropy falls on beyond it, as when every example is right; 1
    where the logits do not vary.
    Above 1: the model was too sure of itself. Convex in 1 / T, so that what is found is the least.
    Raises DataError on infinite logits, and on targets that do not fit them.
    Source: Guo, Pleiss, Sun & Weinberger (2017), arXiv 1706.04599, section 4.2.
    """
    scores, truth = _checked(logits, target)

    def slope(log_temperature: float) -> float:
        """Of the mean cross-entropy in 1 / T."""
        return _slope(scores, truth, float(np.exp(-log_temperature)))

    ends = float(np.log(COLDEST)), float(np.log(HOTTEST))
    cold, hot = slope(ends[0]), slope(ends[1])
    if cold == hot == 0:
        return 1.0
    if cold <= 0 or hot >= 0:
        return COLDEST if cold <= 0 else HOTTEST
    best = brentq(slope, *ends, xtol=1e-10)
    return float(np.exp(best))  # pyright: ignore[reportCallIssue, reportArgumentType]


def apply_temperature(logits: ArrayLike, temperature: float) -> Floats:
    """The probabilities at that temperature, (n, K) or (n,): softmax or sigmoid of logits / T."""
    if not temperature > 0:
        raise DataError(f"a temperature is above 0, not {temperature}", remedy="Fit it with fit_temperature.")
    scores = np.asarray(logits, float) / temperature
    return expit(scores) if scores.ndim == 1 else softmax(scores, axis=1)


def cross_entropies(logits: ArrayLike, target: ArrayLike) -> Floats:
    """Per example, in nats: minus the log-probability of what came true; (n,)."""
    scores, truth = _checked(logits, target)
    if scores.ndim == 1:
        return np.logaddexp(0, scores) - truth * scores
    return logsumexp(scores, axis=1) - _of_truth(scores, truth)


def logits_of(probability: ArrayLike) -> Floats:
    """Logits that have these probabilities, for models of which only those are known: (n, K) or (n,).

    A class of probability 0 counts as 1e-12, a lone probability is kept 1e-7 away from 0 and 1: stored in single
    precision, what lies beyond was lost.
    """
    p = np.asarray(probability, float)
    if not np.all((p >= 0) & (p <= 1)):
        raise DataError("a probability lies between 0 and 1", remedy="Give logits as they are.")
    return logit(np.clip(p, NEAREST, 1 - NEAREST)) if p.ndim == 1 else np.log(np.maximum(p, LEAST))


def _slope(scores: Floats, truth: NDArray, sharpness: float) -> float:
    if scores.ndim == 1:
        return float(np.mean((expit(sharpness * scores) - truth) * scores))
    expected = np.sum(softmax(sharpness * scores, axis=1) * scores, axis=1)
    return float(np.mean(expected - _of_truth(scores, truth)))


def _of_truth(scores: Floats, truth: NDArray) -> Floats:
    return np.take_along_axis(scores, truth[:, None], axis=1)[:, 0]


def _checked(logits: ArrayLike, target: ArrayLike) -> tuple[Floats, NDArray]:
    scores, truth = np.asarray(logits, float), np.asarray(target)
    if scores.ndim not in (1, 2) or truth.shape != scores.shape[:1] or scores.size == 0:
        raise DataError(
            f"logits of shape {scores.shape} do not go with targets of shape {truth.shape}",
            remedy="Give (n, K) and class numbers (n,), or (n,) and 0/1 (n,).",
        )
    classes = 2 if scores.ndim == 1 else scores.shape[1]
    if not np.isfinite(scores).all() or not np.isin(truth, np.arange(classes)).all():
        raise DataError(
            f"logits must be finite and targets numbers from 0 to {classes - 1}",
            remedy="Use logits_of(probabilities) where a probability is 0; leave unknown targets out.",
        )
    return scores, truth.astype(np.int64)
