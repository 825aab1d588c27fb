"""Two models on the same examples: what changed, and whether the change can be told from chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import bdtr

from orthogon.errors import DataError
from orthogon.stats.bootstrap import resample_moments
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import critical, group_codes, zero_one
from orthogon.stats.resample import CELLS, Analytic, Replicates, to_estimate

Floats = NDArray[np.float64]
Verdict = Literal["better", "worse", "tied"]


@dataclass(frozen=True)
class PairedComparison:
    """The second model against the first on the same examples.

    difference: second minus first, with the interval [low, high].
    n:          examples, or groups where examples come in groups.
    put_right:  examples that the second does better; broken: worse; None where none is better or worse by itself.
    p_value:    two-sided, of no difference.
    verdict:    "tied" where the interval holds 0 or cannot be given.
    """

    difference: float
    low: float
    high: float
    n: int
    put_right: int | None
    broken: int | None
    p_value: float
    verdict: Verdict
    method: str
    unit: str = "rate"

    @property
    def estimate(self) -> Estimate:
        """The difference as an Estimate."""
        return Estimate(self.difference, self.low, self.high, self.n, self.method, self.unit)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def tango(put_right: int, broken: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval (low, high) of (put_right - broken) / n for paired 0/1 results; n = 0 gives (-1, 1).

    Source: Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design", Statistics in Medicine 17.
    """
    if min(put_right, broken) < 0 or put_right + broken > n:
        raise DataError("put_right and broken are counts among n examples", remedy="Check the counts.")
    if n == 0:
        return -1.0, 1.0
    z = critical(confidence)
    return -_upper(broken, put_right, n, z), _upper(put_right, broken, n, z)


def _upper(b: int, c: int, n: int, z: float) -> float:
    """The larger root of Tango's score equation; the smaller is its mirror image."""
    if b == n:
        return 1.0
    inside = (b - c) / n + 1e-12  # just inside the bracket: at the estimate itself the score is zero without spread

    def excess(difference: float) -> float:
        spread = 2 * _broken_share(b, c, n, difference) + difference * (1 - difference)
        return b - c - n * difference + z * float(np.sqrt(max(n * spread, 0.0)))

    return float(brentq(excess, inside, 1.0, xtol=1e-13))  # pyright: ignore[reportArgumentType]


def _broken_share(b: int, c: int, n: int, difference: float) -> float:
    """The maximum-likelihood share of broken pairs when the difference is fixed."""
    first, second = -b - c + (2 * n - b + c) * difference, c * difference * (1 - difference)
    return (float(np.sqrt(max(first**2 + 8 * n * second, 0.0))) - first) / (4 * n)


def mcnemar_exact(put_right: int, broken: int, *, mid_p: bool = False) -> float:
    """The two-sided p-value of no difference between two models on the same examples.

    put_right: examples that only the second has right; broken: that only the first has. Neither: 1.
    mid_p: counts the observed split half; less conservative, and may exceed its level by a little.
    Sources: McNemar (1947), in its exact binomial form; mid-p: Fagerland, Lydersen & Laake (2013), BMC Medical
    Research Methodology 13.
    """
    if min(put_right, broken) < 0:
        raise DataError("put_right and broken are counts", remedy="Check the counts.")
    fewer, changed = min(put_right, broken), put_right + broken
    tail = float(bdtr(fewer, changed, 0.5))
    if mid_p:
        tail -= 0.5 * (tail - float(bdtr(fewer - 1, changed, 0.5)) if fewer else tail)
    return min(1.0, 2 * tail)


def compare_paired(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> PairedComparison:
    """Model b against model a by right (1) and wrong (0) on the same n examples.

    correct_a, correct_b: n booleans or 0/1 numbers, in the same order; DataError otherwise.
    groups: the group of each example; the interval and the p-value then come from a bootstrap over groups.
    Sources: Tango (1998) for the interval; McNemar (1947), in its exact binomial form, for the p-value.
    """
    a, b = zero_one(correct_a), zero_one(correct_b)
    _same_length(a, b)
    gain = b - a
    if groups is not None and np.ptp(gain) > 0:
        return compare_paired_values(a, b, groups=groups, confidence=confidence, seed=seed, unit="rate")
    if groups is not None:  # no bootstrap tells of what does not vary; each group is counted as one example
        gain = np.repeat(gain[:1], int(group_codes(groups, len(a)).max()) + 1)
    n, put_right, broken = len(gain), int(np.sum(gain > 0)), int(np.sum(gain < 0))
    low, high = tango(put_right, broken, n, confidence)
    p_value = mcnemar_exact(put_right, broken)
    difference = (put_right - broken) / n
    method = "Tango score interval, exact McNemar test"
    return PairedComparison(difference, low, high, n, put_right, broken, p_value, verdict_of(low, high, True), method)


def compare_paired_values(
    a: ArrayLike,
    b: ArrayLike,
    *,
    transform: Callable[[Floats], Floats] | None = None,
    weights: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    higher_is_better: bool = True,
    unit: str = "",
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> PairedComparison:
    """Model b against model a by any per-example value: the difference of their means, by paired bootstrap.

    a, b:      n numbers on the same examples. weights, groups: n; see `bootstrap_moments`.
    transform: applied to each mean before the difference: `np.sqrt` on squared errors gives RMSE, `np.exp` on
               token losses perplexity; default: none.
    Source: Efron (1987), BCa on the pairs; ABC beyond 20,000 examples (or groups). The p-value
    is that of the paired permutation test (a and b swapped at random within examples or groups, 9,999 times);
    of the normal approximation beyond 20,000.
    """
    first, second = (np.asarray(x, float).ravel() for x in (a, b))
    _same_length(first, second)
    shape = transform or (lambda mean: mean)
    found = _compared(first[:, None], second[:, None], lambda means: shape(means[:, 0]), weights, groups,
                      higher_is_better, unit, confidence, replicates, seed)
    gain = second - first if higher_is_better else first - second
    return replace(found, put_right=int(np.sum(gain > 0)), broken=int(np.sum(gain < 0)))


def compare_paired_sums(
    a: ArrayLike,
    b: ArrayLike,
    figure: Callable[[Floats], Floats],
    *,
    groups: ArrayLike | None = None,
    higher_is_better: bool = True,
    unit: str = "",
    confidence: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
) -> PairedComparison:
    """Model b against model a by a figure of sums over the examples, as BLEU and F1 are: as `compare_paired_values`.

    a, b:   n × k numbers of the same examples. figure: (m × k) sums -> (m,) values.
    groups: n; whole groups are then drawn and swapped.
    No example is better or worse by itself, so that none is counted as put right or broken.
    """
    first, second = (np.asarray(x, float) for x in (a, b))
    _same_length(first, second)
    return _compared(first, second, lambda means: figure(means * len(first)), None, groups, higher_is_better, unit,
                     confidence, replicates, seed)


def _compared(
    a: Floats, b: Floats, statistic: Callable[[Floats], Floats], weights: ArrayLike | None, groups: ArrayLike | None,
    higher_is_better: bool, unit: str, confidence: float, replicates: int, seed: int,
) -> PairedComparison:
    """By a function of (weighted) means of n × k columns."""
    sums = _paired_sums(a, b, weights, groups)

    def difference(means: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = np.split(means[:, :-1] / means[:, -1:], 2, axis=1)
            return statistic(second) - statistic(first)

    found = resample_moments(sums, difference, replicates, seed, confidence)
    estimate = to_estimate(found, len(sums), "examples" if groups is None else "groups", confidence, unit)
    interval = estimate.low, estimate.high
    p_value = _p_value(found, sums, difference, seed) if np.isfinite(interval).all() else float("nan")
    return PairedComparison(estimate.value, *interval, estimate.n, None, None, p_value,
                            verdict_of(*interval, higher_is_better), estimate.method, unit)


def _paired_sums(a: Floats, b: Floats, weights: ArrayLike | None, groups: ArrayLike | None) -> Floats:
    """The weighted columns of a, those of b, and the weight: (units × 2k + 1)."""
    weight = np.ones(len(a)) if weights is None else np.asarray(weights, float).ravel()
    _same_length(a, weight)
    if not (np.isfinite(a + b).all() and np.isfinite(weight).all() and (weight >= 0).all()):
        raise DataError("values and weights must be finite", remedy="Leave those examples out of both models.")
    rows = np.column_stack([a * weight[:, None], b * weight[:, None], weight])
    if groups is None:
        return rows
    codes = group_codes(groups, len(a))
    return np.column_stack([np.bincount(codes, column).astype(float) for column in rows.T])


def _p_value(found: Replicates | Analytic, sums: Floats, statistic: Callable[[Floats], Floats], seed: int) -> float:
    if isinstance(found, Analytic):
        return found.p_value()
    swapped = _swapped(sums, statistic, seed)
    extreme = np.sum(np.abs(swapped) >= abs(found.value) * (1 - 1e-9))
    return float((extreme + 1) / (len(swapped) + 1))


def _swapped(sums: Floats, statistic: Callable[[Floats], Floats], seed: int, draws: int = 9999) -> Floats:
    """The statistic with a and b swapped in a random half of the rows, `draws` times."""
    generator, n = np.random.default_rng([seed, 2]), len(sums)
    columns, total = sums.shape[1] // 2, sums.sum(axis=0)
    first, second, weight = np.split(total, [columns, 2 * columns])
    gain = sums[:, columns:-1] - sums[:, :columns]
    rows = max(1, CELLS // n)
    values = []
    for start in range(0, draws, rows):
        moved = generator.integers(0, 2, (min(rows, draws - start), n), dtype=np.int8) @ gain
        values.append(statistic(np.column_stack([first + moved, second - moved, np.full(len(moved), weight[0])])))
    return np.concatenate(values)


def verdict_of(low: float, high: float, higher_is_better: bool) -> Verdict:
    if not (low > 0 or high < 0):
        return "tied"
    return "better" if (low > 0) == higher_is_better else "worse"


def _same_length(a: Floats, b: Floats) -> None:
    if len(a) != len(b) or len(a) == 0:
        raise DataError(
            f"a paired comparison needs the same examples in both: {len(a):,} and {len(b):,} were given",
            remedy="Join the two tables of predictions on the example's id.",
        )
