"""Draws of what a rate or a metric may truly be, and what they say of the gaps between sets.

Each set is given draws of its own; a gap is their difference, draw by draw; `gap_probabilities` reads from the gaps
together which is present, which is negligible, and which is the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.errors import DataError
from orthogon.stats.bootstrap import replicates_of
from orthogon.stats.intervals import group_codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GapEvidence:
    """What the draws of one gap say; above 0 = loses that much.

    value, low, high: the mean of the draws and their 95 % equal-tailed interval.
    probability_present: that the gap is above the tolerance; probability_negligible: below it;
    probability_largest: that no other gap is larger by more than the tolerance.
    """

    value: float
    low: float
    high: float
    probability_present: float
    probability_negligible: float
    probability_largest: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def beta_draws(wrong: ArrayLike, n: ArrayLike, draws: int = 20_000, seed: int = 0) -> Floats:
    """Draws of an error rate given `wrong` of `n` examples, from Beta(wrong + 1/2, n - wrong + 1/2).

    wrong, n: counts -> (draws,); or k counts each -> (k, draws), rows independent of one another.
    seed:   sets that are subtracted need seeds of their own, or one call for all of them: draws from one seed move
            together.
    n = 0 gives draws of the prior. Raises DataError where a count is negative, or above n.
    Source: Jeffreys' prior; Brown, Cai & DasGupta (2001), "Interval estimation for a binomial proportion".
    """
    k, size = np.broadcast_arrays(np.asarray(wrong, float), np.asarray(n, float))
    if not np.all((k >= 0) & (k <= size)):
        raise DataError("wrong examples must lie between 0 and n", remedy="Give counts, not rates.")
    random = np.random.default_rng(seed)
    return random.beta(k[..., None] + 0.5, (size - k)[..., None] + 0.5, (*k.shape, draws))


def metric_draws(
    statistic: Callable[[Floats], Floats], n: int, *, groups: ArrayLike | None = None, draws: int = 2000, seed: int = 0
) -> Floats:
    """Bootstrap draws of any statistic of n examples: the like of `beta_draws` for what is not a plain rate.

    statistic: (m × n) weights -> (m,) values, as for `bootstrap`. groups: n: whole groups are drawn.
    seed:      one of its own for each set, as for `beta_draws`.
    Returns (draws,); NaN where the statistic is undefined.
    Where the examples do not vary at all neither do the draws, which says nothing of examples not seen.
    Source: Hastie, Tibshirani & Friedman (2009), "The Elements of Statistical Learning", section 8.4: the bootstrap
    distribution as an approximate posterior without a prior.
    """
    codes = None if groups is None else group_codes(groups, n)
    return replicates_of(statistic, n, codes, draws, seed)


def gap_probabilities(gaps: Mapping[str, ArrayLike], tolerance: float) -> dict[str, GapEvidence]:
    """What draws of several gaps say of each, judged together.

    gaps: name -> (draws,), drawn together: the same set stands in several gaps with the same draws.
    tolerance: at least 0, in the unit of the gaps; a gap within it does not matter.
    Draws in which a gap is not finite are passed over in all; DataError where that is more than one in twenty.
    """
    if not gaps:
        return {}
    table = _finite(gaps)
    if not tolerance >= 0:
        raise DataError(f"a tolerance is at least 0, not {tolerance}", remedy="Give a share: 0.005 for half a point.")
    lows, highs = np.quantile(table, [0.025, 0.975], axis=1)
    present, negligible = np.mean(table > tolerance, axis=1), np.mean(table < tolerance, axis=1)
    largest = np.mean(table >= table.max(axis=0) - tolerance, axis=1)
    columns = (table.mean(axis=1), lows, highs, present, negligible, largest)
    return {name: GapEvidence(*map(float, row)) for name, row in zip(gaps, zip(*columns))}


def _finite(gaps: Mapping[str, ArrayLike]) -> Floats:
    drawn = {name: np.asarray(values, float).ravel() for name, values in gaps.items()}
    sizes = {len(values) for values in drawn.values()}
    if len(sizes) != 1:
        raise DataError(f"gaps with {sorted(sizes)} draws cannot be judged together", remedy="Draw all as often.")
    table = np.stack(list(drawn.values()))
    finite = np.isfinite(table).all(axis=0)
    if finite.mean() < 0.95 or not finite.size:
        raise DataError("a gap is undefined in more than one draw of twenty", remedy="Take larger sets or groups.")
    return table[:, finite]
