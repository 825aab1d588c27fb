"""How many examples a difference needs before it can be seen, and what a set of a given size can show.

Two-sided tests at level 1 - confidence. Errors and differences are shares: 0.02 is 2 %.
"""

from __future__ import annotations

from math import ceil, nan, sqrt

from scipy.optimize import brentq
from scipy.special import ndtri

from orthogon.errors import DataError
from orthogon.stats.intervals import critical


def examples_needed(error: float, difference: float, power: float = 0.8, confidence: float = 0.95) -> int:
    """Examples in each of two independent sets, to tell an error rate from one that differs by `difference`.

    difference: signed: 0.02 against error 0.05 asks for 5 % against 7 %, -0.02 for 5 % against 3 %.
    Source: Fleiss, Levin & Paik (2003), "Statistical Methods for Rates and Proportions", eq. 4.14.
    """
    return ceil(_independent(error, difference, power, confidence))


def examples_needed_paired(disagreement: float, difference: float, power: float = 0.8, confidence: float = 0.95) -> int:
    """Examples of one set that both models are run on, to see `difference` in their error rates.

    disagreement: the share of examples on which exactly one of the two is right; at least |difference|.
    Source: Connor (1987), "Sample size for testing differences in proportions for the paired-sample design",
    Biometrics 43, rounded up.
    """
    return ceil(_paired(disagreement, difference, power, confidence))


def detectable_difference(
    error: float,
    n: int,
    *,
    disagreement: float | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    """The smallest rise in error rate that n examples will show with the given power.

    error:        the error rate compared with (not used in the paired design).
    n:            examples in each of two independent sets; or, with `disagreement`, in the one set that both
                  models are run on.
    NaN where even the largest possible difference would not be found.
    """

    def excess(difference: float) -> float:
        if disagreement is None:
            return _independent(error, difference, power, confidence) - n
        return _paired(disagreement, difference, power, confidence) - n

    largest = 1 - error if disagreement is None else disagreement
    if n < 1 or largest <= 0 or excess(largest) > 0:
        return nan
    return float(brentq(excess, 1e-9, largest, xtol=1e-12))  # pyright: ignore[reportArgumentType]


def _independent(error: float, difference: float, power: float, confidence: float) -> float:
    other = error + difference
    if not (0 <= error <= 1 and 0 <= other <= 1) or difference == 0:
        raise DataError(
            f"error {error} and error {other} must be two different rates between 0 and 1",
            remedy="Give shares: 0.02 for 2 %.",
        )
    middle = (error + other) / 2
    null, alternative = 2 * middle * (1 - middle), error * (1 - error) + other * (1 - other)
    return (critical(confidence) * sqrt(null) + _beta(power) * sqrt(alternative)) ** 2 / difference**2


def _paired(disagreement: float, difference: float, power: float, confidence: float) -> float:
    if not 0 < abs(difference) <= disagreement <= 1:
        raise DataError(
            f"a difference of {difference} needs at least that much disagreement, not {disagreement}",
            remedy="Give shares, with 0 < |difference| <= disagreement <= 1.",
        )
    spread = sqrt(disagreement - difference**2)
    return (critical(confidence) * sqrt(disagreement) + _beta(power) * spread) ** 2 / difference**2


def _beta(power: float) -> float:
    if not 0 < power < 1:
        raise DataError(f"power lies between 0 and 1, not {power}", remedy="Use 0.8 for 80 %.")
    return float(ndtri(power))
