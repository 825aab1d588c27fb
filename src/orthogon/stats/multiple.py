"""p-values of several claims at once, adjusted so that they may be compared with one level.

Holm bounds the chance that any of the claims is false; Benjamini-Hochberg the expected share of false ones among
those made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.errors import DataError

Floats = NDArray[np.float64]


def bonferroni(claims: int, confidence: float = 0.95) -> float:
    """The confidence that each of several intervals needs so that all hold at once: 0.9875 for four at 0.95."""
    if claims < 1:
        raise DataError(f"{claims} claims", remedy="Give the number of intervals or tests, at least 1.")
    return 1 - (1 - confidence) / claims


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values, in the order given: (m,) -> (m,). Any dependence between the tests is allowed.

    Claims with an adjusted p-value up to α are all true with probability 1 - α.
    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _in_order(np.minimum(stepped, 1), order)


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values, in the order given: (m,) -> (m,). For tests that are independent or positively dependent.

    Of the claims with an adjusted p-value up to α a share of at most α is expected to be false.
    Source: Benjamini & Hochberg (1995), "Controlling the false discovery rate", JRSS B 57.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")[::-1]
    stepped = np.minimum.accumulate(p[order] * len(p) / np.arange(len(p), 0, -1))
    return _in_order(np.minimum(stepped, 1), order)


def _in_order(values: Floats, order: NDArray[np.int64]) -> Floats:
    placed = np.empty_like(values)
    placed[order] = values
    return placed


def _checked(p_values: ArrayLike) -> Floats:
    p = np.asarray(p_values, float).ravel()
    if not np.all((p >= 0) & (p <= 1)):
        raise DataError("p-values lie between 0 and 1", remedy="Leave out tests that could not be made (NaN).")
    return p
