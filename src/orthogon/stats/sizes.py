"""How many examples a difference needs before it can be seen, and what a set of a given size can show.

Two-sided tests at level 1 - confidence; for several claims at once see `bonferroni`. Errors and differences are
shares: 0.02 is 2 %.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Growth:
    """What would decide a gap.

    more:  examples to add to each set that may grow; 0 where the gap is decided; None where no number is enough.
    limit: where `more` is None: the set among the others that is most in the way; "" where the gap equals the
           tolerance, so that no set decides it.
    """

    more: int | None
    limit: str = ""


def examples_to_decide(
    plus: Mapping[str, tuple[float, float]],
    minus: Mapping[str, tuple[float, float]],
    tolerance: float,
    *,
    grow: Collection[str] | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
) -> Growth:
    """Examples until a gap between independent sets is found above the tolerance, or below it, if it stays as it is.

    plus, minus: set -> (wrong, n); the gap is the sum of the error rates of `plus` less that of `minus`. Variance:
                 {"train-dev": …} and {"train": …}; mismatch: dev and human A, less train-dev and human B.
    grow:        the sets that may grow, each by as many; the others stay as they are. Default: all.
    Normal approximation; a rate's variance is taken at (wrong + 1/2) / (n + 1), so that no errors do not mean none.
    Raises DataError for counts that cannot be, and for a set to grow that is not among them.
    """
    sets = {**plus, **minus}
    growing = set(sets) if grow is None else set(grow)
    _check_sets(sets, len(plus) + len(minus), growing)
    gap = sum(k / n for k, n in plus.values()) - sum(k / n for k, n in minus.values())
    spread = {name: (_rate_variance(k, n), n) for name, (k, n) in sets.items()}
    return growth_that_tells(abs(gap - tolerance), spread, grow=growing, power=power, confidence=confidence)


def growth_that_tells(
    distance: float,
    sets: Mapping[str, tuple[float, float]],
    *,
    grow: Collection[str],
    power: float = 0.8,
    confidence: float = 0.95,
) -> Growth:
    """The same for a sum or difference of any means: until it is told from a value that lies `distance` away.

    sets: set -> (variance of one example, n). grow: the sets that may grow, each by as many.
    """
    z = critical(confidence)

    def error(more: float) -> float:
        return sqrt(sum(variance / (n + more * (name in grow)) for name, (variance, n) in sets.items()))

    fixed = {name: variance / n for name, (variance, n) in sets.items() if name not in grow}
    if z * error(0) < distance:
        return Growth(0)
    aim = distance / (z + _beta(power))
    if aim <= 1e-9:
        return Growth(None)
    if sqrt(sum(fixed.values())) >= aim * (1 - 1e-6):
        return Growth(None, max(fixed, key=lambda name: fixed[name]))
    most = 2.0
    while error(most) > aim:
        most *= 2
    enough = brentq(lambda more: error(more) - aim, 0, most)
    return Growth(ceil(enough))  # pyright: ignore[reportCallIssue, reportArgumentType]


def _rate_variance(wrong: float, n: float) -> float:
    """Of one example."""
    rate = (wrong + 0.5) / (n + 1)
    return rate * (1 - rate)


def _check_sets(sets: Mapping[str, tuple[float, float]], given: int, growing: set[str]) -> None:
    if len(sets) != given:
        raise DataError("a set stands on both sides of the gap", remedy="Name each set once.")
    for name, (wrong, n) in sets.items():
        if not 0 <= wrong <= n or n == 0:
            raise DataError(f"{wrong} wrong of {n} in {name}", remedy="Give (wrong, n) with 0 <= wrong <= n, n > 0.")
    if not growing or growing - set(sets):
        raise DataError(f"sets that may grow: {sorted(growing)}", remedy=f"Choose among {', '.join(sets)}.")


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
