"""Intervals for rates: of one set, and of the difference between two independent sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from orthogon.errors import DataError
from orthogon.stats.estimate import Estimate

Floats = NDArray[np.float64]


def critical(confidence: float) -> float:
    """The two-sided normal quantile of a confidence level: 1.96 for 0.95. DataError outside (0, 1)."""
    if not 0 < confidence < 1:
        raise DataError(f"a confidence level lies between 0 and 1, not {confidence}", remedy="Use 0.95 for 95 %.")
    return float(ndtri(0.5 + confidence / 2))


def wilson(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """The score interval of a binomial rate: (low, high), inside [0, 1].

    successes, n: numbers or arrays that broadcast; they may be fractional (effective sample sizes).
    n = 0 gives (0, 1). Scalars in, zero-dimensional floats out.
    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    z2 = critical(confidence) ** 2
    k, n = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    if np.any((k < 0) | (k > n)):
        raise DataError("successes must lie between 0 and n", remedy="Give counts, not rates.")
    center = (k + z2 / 2) / (n + z2)
    safe = np.where(n > 0, n, 1.0)
    half = np.sqrt(z2) / (n + z2) * np.sqrt(k * (n - k) / safe + z2 / 4)
    low = np.where((k == 0) | (n == 0), 0.0, np.clip(center - half, 0, 1))
    high = np.where((k == n) | (n == 0), 1.0, np.clip(center + half, 0, 1))
    return low[()], high[()]


def newcombe(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats, Floats]:
    """The difference p2 - p1 of independent rates with its hybrid score interval: (difference, low, high).

    k1, n1, k2, n2: successes and sizes, numbers or arrays. An empty set gives NaN and the whole of [-1, 1].
    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, method 10.
    """
    k1, n1, k2, n2 = np.broadcast_arrays(*(np.asarray(x, float) for x in (k1, n1, k2, n2)))
    low1, high1 = wilson(k1, n1, confidence)
    low2, high2 = wilson(k2, n2, confidence)
    empty = (n1 == 0) | (n2 == 0)
    p1, p2 = k1 / np.where(n1 > 0, n1, 1), k2 / np.where(n2 > 0, n2, 1)
    low = p2 - p1 - np.hypot(p2 - low2, high1 - p1)
    high = p2 - p1 + np.hypot(high2 - p2, p1 - low1)
    difference = np.where(empty, np.nan, p2 - p1)
    return difference[()], np.where(empty, -1.0, low)[()], np.where(empty, 1.0, high)[()]


def zero_one(scores: ArrayLike) -> Floats:
    """The scores as a flat float array; DataError where one is neither 0 nor 1."""
    flat = np.asarray(scores, float).ravel()
    if not np.all((flat == 0) | (flat == 1)):
        raise DataError(
            "a rate is made from right (1) and wrong (0) only",
            remedy="Use bootstrap_mean for scores in between.",
        )
    return flat


def rate(scores: ArrayLike, *, groups: ArrayLike | None = None, confidence: float = 0.95) -> Estimate:
    """The share of ones, with its Wilson interval, as an Estimate of unit "rate".

    scores: n booleans or 0/1 numbers. An empty array gives NaN with the interval (0, 1).
    groups: the group of each example; the interval then uses the effective sample size of the clustered
        sample, and `n` counts groups.
    Sources: Wilson (1927); Rao & Scott (1992), "A simple method for the analysis of clustered binary data".
    """
    correct = zero_one(scores)
    if groups is not None and correct.size:
        return _clustered_rate(correct, groups, confidence)
    low, high = wilson(correct.sum(), correct.size, confidence)
    value = float(correct.mean()) if correct.size else float("nan")
    return Estimate(value, float(low), float(high), correct.size, "Wilson", "rate")


def _clustered_rate(correct: Floats, groups: ArrayLike, confidence: float) -> Estimate:
    codes = group_codes(groups, correct.size)
    p, effective = correct.mean(), effective_size(correct, codes)
    low, high = wilson(p * effective, effective, confidence)
    method = f"Wilson over groups (Rao-Scott, effective n {effective:,.0f})"
    return Estimate(float(p), float(low), float(high), int(codes.max()) + 1, method, "rate")


def effective_size(correct: Floats, codes: NDArray[np.int64]) -> float:
    """n over the design effect of the groups; their number where the sample shows no variance to measure it by."""
    n, p = correct.size, correct.mean()
    residuals = np.bincount(codes, correct - p)
    count, spread = len(residuals), float(np.sum(residuals**2))
    if count < 2 or spread == 0:
        return float(count)
    variance = count / (count - 1) * spread / n**2
    return float(min(n, p * (1 - p) / variance))


def group_codes(groups: ArrayLike, n: int, noun: str = "groups") -> NDArray[np.int64]:
    """Groups numbered 0 … G - 1, one per example; DataError where their number is not n."""
    names = np.asarray(groups).ravel()
    if names.size != n:
        raise DataError(f"{names.size:,} {noun} for {n:,} examples", remedy="Give one for each example.")
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
