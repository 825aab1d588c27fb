"""What trainings say of two recipes: the gain on the same examples, how far seeds scatter, what may be promised.

A gain between two networks is not yet the gain of the recipe: another seed gives another network. The promise therefore
holds two uncertainties, that of the examples and that of the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, hypot, isfinite, sqrt
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2
from scipy.stats import t as student

from orthogon.errors import DataError
from orthogon.stats import Estimate, examples_needed_paired
from orthogon.stats.intervals import critical
from orthogon.stats.multiple import bonferroni
from orthogon.strategy.paired import aligned, compare_rows
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

SMALLEST = {"rate": 0.01}
"""What a remedy must gain to be adopted, by unit: one point, and surely more than nothing; of other units anything."""

SEED_SHARE, SEED_WEIGHT = 0.06, 8
"""What is expected of seeds before any were seen: the accuracies of two networks of one recipe that disagree on a share
q of the examples scatter with a standard deviation of 0.06 q each. It counts as much as eight pairs that were seen."""


class Gain(NamedTuple):
    """One arm against the base, positive = better.

    estimate:     with the interval of the examples alone.
    p_value:      of no difference (for right and wrong exact McNemar).
    disagreement: the mean absolute difference between the two on an example, in the unit of the gain.
    """

    estimate: Estimate
    p_value: float
    disagreement: float

    @property
    def value(self) -> float:
        return self.estimate.value


def gain_of(base: Rows, arm: Rows, metric: Metric | None = None) -> Gain:
    """What the arm gains over the base, on the examples that both were scored on; see `paired.compare_rows`."""
    first, second = aligned(base, arm)
    found = compare_rows(first, second, metric)
    seen = found.paired.estimate
    if found.direction < 0:
        seen = replace(seen, value=-seen.value, low=-seen.high, high=-seen.low)
    return Gain(seen, found.paired.p_value, _disagreement(first, second))


def _disagreement(first: Rows, second: Rows) -> float:
    a, b = first.get("score"), second.get("score")
    if a is not None and b is not None:
        return float(np.abs(np.asarray(a, float) - b).mean())
    squares = [(np.asarray(rows["prediction"], float) - rows["target"]) ** 2 for rows in (first, second)]
    # The slope of the root, from squared errors to the unit of rmse. Of several outputs some may be unknown.
    scale = 2 * sqrt(max(float(np.nanmean(squares)), 1e-300))
    return float(np.nanmean(np.abs(squares[0] - squares[1]))) / scale


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """Over several pairs of networks, on the same examples.

    The p-value is twice the mean of theirs, which holds however they depend on each other (Rüschendorf 1982; Vovk &
    Wang 2020, arXiv 1212.4966).
    """
    value, low, high = (float(each) for each in np.mean(
        [(gain.estimate.value, gain.estimate.low, gain.estimate.high) for gain in gains], axis=0))
    p_value = gains[0].p_value if len(gains) == 1 else min(1.0, 2 * float(np.mean([gain.p_value for gain in gains])))
    return Gain(replace(gains[0].estimate, value=value, low=low, high=high), p_value,
                float(np.mean([gain.disagreement for gain in gains])))


def seed_spread(pairs: Sequence[Gain], disagreement: float) -> Estimate:
    """The standard deviation between seeds of one recipe's true score; its interval is that of a scaled inverse χ².

    pairs: of networks of one recipe: what they differ by beyond what the examples explain is drawn toward what their
    disagreement lets expect. Without pairs it is all expectation, from `disagreement` of two networks.
    """
    expected = SEED_SHARE * (float(np.mean([pair.disagreement for pair in pairs])) if pairs else disagreement)
    seen = sum(max(0.0, pair.value**2 - _sampling_error(pair) ** 2) / 2 for pair in pairs)
    freedom, total = SEED_WEIGHT + len(pairs), SEED_WEIGHT * expected**2 + seen
    low, high = (sqrt(total / float(chi2.ppf(level, freedom))) for level in (0.975, 0.025))
    unit = pairs[0].estimate.unit if pairs else ""
    return Estimate(sqrt(total / freedom), low, high, 1 + len(pairs), "pairs of seeds and what is usual", unit)


def _sampling_error(gain: Gain) -> float:
    """The standard error that comes of the examples; 0 where it is not known."""
    width = gain.estimate.high - gain.estimate.low
    return width / (2 * critical(0.95)) if isfinite(width) else 0.0


def promise(gain: Gain, spread: Estimate, seeds: tuple[int, int], chosen_from: int, confirmed: int) -> Estimate:
    """What adopting the recipe may be expected to gain, seeds and choice included.

    seeds: networks of the base and of the remedy that `gain` is the mean over. The remedy was chosen among
    `chosen_from` on the same examples, so the intervals of all of them hold at once (Bonferroni). Its seed was chosen
    for nothing: there it is one of `confirmed`.
    """
    of_examples = critical(bonferroni(chosen_from)) / critical(0.95)
    quantile = float(student.ppf(0.5 + bonferroni(confirmed) / 2, SEED_WEIGHT + spread.n - 1))
    of_seeds = quantile * spread.value * sqrt(1 / seeds[0] + 1 / seeds[1])
    value, low, high = gain.value, gain.estimate.low, gain.estimate.high
    return replace(
        gain.estimate, low=value - hypot(of_examples * (value - low), of_seeds),
        high=value + hypot(of_examples * (high - value), of_seeds),
        method=f"{gain.estimate.method}; with the spread of seeds, chosen among {chosen_from}",
    )


def examples_needed(gain: Gain, wanted: float) -> int | None:
    """Examples in all that would show the gain, or where it is smaller, `wanted`; None where nothing can be said."""
    difference = max(abs(gain.value), wanted)
    if gain.estimate.unit == "rate":
        try:
            return max(gain.estimate.n, examples_needed_paired(max(gain.disagreement, difference), difference))
        except DataError:
            return None
    error = _sampling_error(gain)
    if not (error and difference):
        return None
    return max(gain.estimate.n, ceil(gain.estimate.n * (error * (critical(0.95) + 0.8416) / difference) ** 2))
