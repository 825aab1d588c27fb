"""Bootstrap intervals for whatever is not a plain rate: means, ratios, RMSE, R², log loss, …

Every statistic is a function of weights or of weighted means, so that a chunk of replicates is one matrix
product.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.errors import DataError
from orthogon.stats.analytic import abc_interval
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import group_codes, rate
from orthogon.stats.resample import Analytic, Replicates, acceleration, resample_counts, to_estimate

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
BLOCKS = 500  # leave-one-block-out beyond this many units: the influence of a block is the sum of its members'
ANALYTIC = 20_000  # units beyond which a function of means is given its analytic interval


def bootstrap(
    statistic: Callable[[Floats], Floats],
    n: int,
    *,
    replicates: int = 2000,
    seed: int = 0,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    confidence: float = 0.95,
    unit: str = "",
) -> Estimate:
    """The statistic of n examples with its BCa bootstrap interval.

    statistic:  (m × n) weights -> (m,) values, e.g. `lambda w: (w @ x) / w.sum(1)`; NaN where undefined.
    groups:     the group of each example; whole groups are then drawn, and `n` of the result counts groups.
    strata:     the stratum of each example, e.g. its class where the sizes of the classes were chosen; each stratum
                keeps its size. A group lies in one stratum.
    replicates: memory stays under 200 MB whatever their number.
    Raises DataError where n = 0. Where the statistic does not vary, or is undefined in over 5 % of the
    replicates, the ends are NaN and `method` says why.
    Sources: Efron (1987), "Better bootstrap confidence intervals", JASA 82; of several samples: Davison & Hinkley
    (1997), "Bootstrap Methods and their Application", section 5.3. Beyond 500 units the jackknife leaves out blocks.
    """
    _not_empty(n)
    codes = None if groups is None else group_codes(groups, n)
    layers = None if strata is None else _strata_of_units(group_codes(strata, n, "strata"), codes)
    count = n if codes is None else int(codes.max()) + 1
    value = float(statistic(np.ones((1, n)))[0])
    drawn = replicates_of(statistic, n, codes, replicates, seed, layers)
    found = Replicates(value, drawn, _acceleration_of(statistic, count, codes, layers, seed))
    over = ("examples" if groups is None else "groups") + ("" if strata is None else " within strata")
    return to_estimate(found, count, over, confidence, unit)


def replicates_of(
    statistic: Callable[[Floats], Floats], n: int, codes: Codes | None, replicates: int, seed: int,
    strata: Codes | None = None,
) -> Floats:
    """The statistic of `replicates` resamples of n examples, or of whole groups where codes number them."""
    _not_empty(n)
    chunks = resample_counts(n if codes is None else int(codes.max()) + 1, replicates, seed, strata)
    return np.concatenate([statistic(_spread(chunk, codes)) for chunk in _narrow(chunks, n)])


def _strata_of_units(strata: Codes, codes: Codes | None) -> Codes:
    if codes is None:
        return strata
    of_group = np.zeros(int(codes.max()) + 1, np.int64)
    of_group[codes] = strata
    if np.any(of_group[codes] != strata):
        raise DataError("a group lies in more than one stratum", remedy="Draw within strata or in groups, not both.")
    return np.unique(of_group, return_inverse=True)[1].astype(np.int64)


def _spread(weights: Floats, codes: Codes | None) -> Floats:
    """The weights of groups as weights of their examples."""
    return weights if codes is None else weights[:, codes]


def _narrow(chunks, n: int):
    """Chunks cut so that, spread over the n examples of the groups, they hold a bounded number of weights."""
    rows = max(1, 4_000_000 // n)
    for chunk in chunks:
        yield from (chunk[start : start + rows] for start in range(0, len(chunk), rows))


def _acceleration_of(
    statistic: Callable[[Floats], Floats], count: int, codes: Codes | None, strata: Codes | None, seed: int
) -> float | None:
    """From leaving out one unit at a time, or one random block of a stratum's units where there are many."""
    member, layer = _blocks(np.zeros(count, np.int64) if strata is None else strata, seed)
    blocks = len(layer)
    if not blocks:
        return None
    rows = max(1, 4_000_000 // (count if codes is None else len(codes)))
    left_out = np.concatenate([
        statistic(_spread((member != np.arange(start, min(start + rows, blocks))[:, None]).astype(float), codes))
        for start in range(0, blocks, rows)
    ])
    sizes = np.maximum(np.bincount(layer), 1)
    means = np.bincount(layer, left_out) / sizes
    return _acceleration((left_out - means[layer]) * (1 - 1 / sizes[layer]))


def _blocks(strata: Codes, seed: int) -> tuple[Codes, Codes]:
    """The block of each unit, and the stratum of each block; a unit alone in its stratum is never left out (-1)."""
    generator = np.random.default_rng([seed, 1])
    member, layer = np.full(len(strata), -1, np.int64), []
    for stratum, size in enumerate(np.bincount(strata)):
        if size > 1:
            blocks = min(int(size), max(2, round(size * min(1.0, BLOCKS / len(strata)))))
            member[strata == stratum] = len(layer) + generator.permutation(size) % blocks
            layer += [stratum] * blocks
    return member, np.array(layer, np.int64)


def _acceleration(left_out: Floats) -> float | None:
    return acceleration(left_out) if np.isfinite(left_out).all() else None


def bootstrap_moments(
    columns: ArrayLike,
    statistic: Callable[[Floats], Floats] | None = None,
    *,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    replicates: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
    unit: str = "",
) -> Estimate:
    """A smooth function of (weighted) means over the examples, with its interval, at bounded cost for any n.

    columns:   n or n × k numbers, one row per example. RMSE: squared errors; R²: squared errors, y and y².
    statistic: (m × k) means -> (m,) values; default: the first mean. RMSE: `lambda m: np.sqrt(m[:, 0])`.
    weights:   n, not negative: the means are weighted by them. groups: n: whole groups are drawn.
    Up to 20,000 examples (or groups): BCa bootstrap (Efron 1987); beyond: its analytic form, ABC (DiCiccio &
    Efron 1992).
    Raises DataError on empty input, and on NaN or infinite numbers.
    """
    sums = _unit_sums(columns, weights, groups)
    found = resample_moments(sums, _of_ratios(statistic or _first), replicates, seed, confidence)
    return to_estimate(found, len(sums), "examples" if groups is None else "groups", confidence, unit)


def bootstrap_mean(
    values: ArrayLike,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    unit: str = "",
    *,
    replicates: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """The mean of n values, weighted where weights are given, with its interval: see `bootstrap_moments`."""
    flat = np.asarray(values, float).ravel()
    options = {"replicates": replicates, "seed": seed, "confidence": confidence, "unit": unit}
    return bootstrap_moments(flat, weights=weights, groups=groups, **options)


def estimate_score(
    scores: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    unit: str = "rate",
    confidence: float = 0.95,
) -> Estimate:
    """The mean score by the rule that suits it: Wilson for 0/1 scores without weights, else the bootstrap.

    scores: n numbers. weights, groups: n, see `bootstrap_moments` and `rate`.
    """
    flat = np.asarray(scores, float).ravel()
    if unit == "rate" and weights is None and np.all((flat == 0) | (flat == 1)):
        return rate(flat, groups=groups, confidence=confidence)
    return bootstrap_mean(flat, weights, groups, unit, confidence=confidence)


def resample_moments(
    sums: Floats,
    statistic: Callable[[Floats], Floats],
    replicates: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Replicates | Analytic:
    """Replicates of statistic(means of the rows of `sums`); the analytic form where rows are over 20,000."""
    if len(sums) > ANALYTIC:
        return abc_interval(sums, statistic, confidence)
    n, total = len(sums), sums.sum(axis=0)
    value = float(statistic(total[None] / n)[0])
    drawn = np.concatenate([statistic(w @ sums / n) for w in resample_counts(n, replicates, seed)])
    left_out = statistic((total - sums) / max(n - 1, 1))
    return Replicates(value, drawn, _acceleration(left_out))


def _first(means: Floats) -> Floats:
    return means[:, 0]


def _of_ratios(statistic: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """The statistic of weighted means, as a function of mean weighted columns and (last) mean weight."""

    def of_means(means: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(statistic(means[:, :-1] / means[:, -1:]), float)

    return of_means


def _unit_sums(columns: ArrayLike, weights: ArrayLike | None, groups: ArrayLike | None) -> Floats:
    """Weighted columns and the weight itself, summed within each group: (units × k + 1)."""
    table = np.asarray(columns, float)
    table = table[:, None] if table.ndim == 1 else table
    _not_empty(len(table))
    weight = np.ones(len(table)) if weights is None else np.asarray(weights, float).ravel()
    _check(table, weight)
    rows = np.column_stack([table * weight[:, None], weight])
    if groups is None:
        return rows
    codes = group_codes(groups, len(table))
    return np.column_stack([np.bincount(codes, column).astype(float) for column in rows.T])


def _check(table: Floats, weight: Floats) -> None:
    if len(weight) != len(table):
        raise DataError(f"{len(weight):,} weights for {len(table):,} examples", remedy="Give one per example.")
    if not np.isfinite(table).all():
        raise DataError("a NaN or infinite number cannot be averaged", remedy="Leave those examples out.")
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0):
        raise DataError("weights must be finite, not negative and not all zero", remedy="Check the weights.")


def _not_empty(n: int) -> None:
    if n < 1:
        raise DataError("there are no examples to estimate from", remedy="Check the filter or the split.")
