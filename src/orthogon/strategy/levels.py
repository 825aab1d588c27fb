"""The error of a model, or of people, on one set: the estimate, and draws of what it may truly be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import beta_draws, wilson
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import critical
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

DRAWS = 20_000
FEWEST = 30
"""Examples (or groups) under which nothing is decided."""

PLAIN = "Wilson"
"""The method of an Estimate that counts right and wrong examples, each on its own."""


@dataclass(frozen=True, eq=False)
class Level:
    """An error, less being better, and draws of what it may truly be.

    estimate: a share of wrong answers, or the metric itself where less of it is better, else what it is below its best.
    draws:    (20,000,). Of a share of single examples: from Beta(wrong + 1/2, right + 1/2). Of any other metric: about
              its estimate, normal on either side, so that 95 % of them lie within its interval (the bootstrap's over
              examples or groups, DeLong's, Rao and Scott's): a Monte Carlo form of the method by which Zou & Donner
              (2008), Statistics in Medicine 27, combine the intervals of independent estimates. Of what is known
              exactly: all the same.
    exact:    whether it has no sampling error: a goal, or the error on all of the train rows.
    """

    estimate: Estimate
    draws: NDArray[np.float64]
    exact: bool = False

    @classmethod
    def taken_as_exact(cls, estimate: Estimate) -> Level:
        """A level without sampling error."""
        return cls(estimate, np.full(DRAWS, estimate.value), exact=True)

    @classmethod
    def of_counts(cls, wrong: int, n: int, seed: int) -> Level:
        """`wrong` of `n` independent examples. Levels that are subtracted need seeds of their own."""
        low, high = wilson(wrong, n)
        estimate = Estimate(wrong / n, float(low), float(high), n, PLAIN, "rate")
        return cls(estimate, beta_draws(wrong, n, DRAWS, seed))

    @classmethod
    def of_rows(cls, rows: Rows, metric: Metric, seed: int) -> Level:
        """The metric on an evaluation."""
        found = as_error(metric.estimate(rows), metric)
        if found.method == PLAIN and found.unit == "rate":
            return cls.of_counts(round(found.value * found.n), found.n, seed)
        return cls(found, _about(found, seed))

    @property
    def unclear(self) -> str:
        """Why nothing can be decided by this level; "" where something can."""
        if 0 < self.estimate.n < FEWEST:
            of = "groups" if "groups" in self.estimate.method else "examples"
            return f"only {self.estimate.n} {of}, and under {FEWEST} nothing is decided"
        if not self.exact and not (isfinite(self.estimate.low) and isfinite(self.estimate.high)):
            return self.estimate.method
        return ""

    @property
    def variance(self) -> float:
        """Of a single example (or group): that of the draws times their number."""
        return float(np.var(self.draws)) * self.estimate.n


def as_error(estimate: Estimate, metric: Metric) -> Estimate:
    """The estimate in the language where less is better: see `Metric.error`."""
    if not metric.higher_is_better:
        return estimate
    value, low, high = map(metric.error, (estimate.value, estimate.high, estimate.low))
    return replace(estimate, value=value, low=low, high=high)


def _about(estimate: Estimate, seed: int) -> NDArray[np.float64]:
    """Draws about the value, normal on either side, of which 95 % lie within the interval; none is negative where the
    interval is not."""
    below, above = (abs(end - estimate.value) / critical(0.95) for end in (estimate.low, estimate.high))
    if not (isfinite(below) and isfinite(above)):
        return np.full(DRAWS, estimate.value)
    normal = np.random.default_rng(seed).normal(size=DRAWS)
    least = 0.0 if estimate.low >= 0 else -np.inf
    return np.maximum(estimate.value + normal * np.where(normal < 0, below, above), least)
