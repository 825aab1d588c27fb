"""How often an interval holds the truth, summed over everything that may be seen: exact, without simulation.

An interval is any function of counts (arrays) that gives (…, low, high): `wilson`, `newcombe`, np.vectorize(tango),
or one of your own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

Floats = NDArray[np.float64]
REST = 1e-10
"""Chance of the outcomes at either end that are left out of a sum."""


def rate_coverage(interval: Callable[..., tuple], n: int, p: float) -> float:
    """The chance that interval(k, n) holds the true rate p when k of n is binomial."""
    k = _counts(n, p)
    return _held(interval(k, n), p, binom.pmf(k, n, p))


def difference_coverage(interval: Callable[..., tuple], n1: int, p1: float, n2: int, p2: float) -> float:
    """The chance that interval(k1, n1, k2, n2) holds p2 - p1 when the two sets are independent."""
    k1, k2 = np.meshgrid(_counts(n1, p1), _counts(n2, p2), indexing="ij")
    return _held(interval(k1, n1, k2, n2), p2 - p1, binom.pmf(k1, n1, p1) * binom.pmf(k2, n2, p2))


def paired_coverage(interval: Callable[..., tuple], n: int, put_right: float, broken: float) -> float:
    """The chance that interval(put_right, broken, n) holds the difference of two models on the same n examples.

    put_right, broken: the shares of examples that only the second, or only the first, has right.
    """
    b, c = np.meshgrid(_counts(n, put_right), _counts(n, broken), indexing="ij")
    b, c = b[b + c <= n], c[b + c <= n]
    given = broken / (1 - put_right) if put_right < 1 else 0.0
    return _held(interval(b, c, n), put_right - broken, binom.pmf(b, n, put_right) * binom.pmf(c, n - b, given))


def _counts(n: int, p: float) -> NDArray[np.int64]:
    first, last = binom.ppf([REST, 1 - REST], n, p)
    return np.arange(max(0, int(first) - 1), min(n, int(last) + 1) + 1)


def _held(found: tuple, truth: float, chance: Floats) -> float:
    *_, low, high = found
    return float(np.sum(chance[(low <= truth + 1e-12) & (truth - 1e-12 <= high)]))
