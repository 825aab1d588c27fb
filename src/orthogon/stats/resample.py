"""What a bootstrap leaves behind, and the intervals and p-values that are read from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import critical

Floats = NDArray[np.float64]
CELLS = 4_000_000  # counts held at once: 32 MB as float64


def resample_counts(
    n: int, replicates: int, seed: int, strata: NDArray[np.int64] | None = None
) -> Iterator[Floats]:
    """How often each of n units is drawn, in chunks of (rows × n); each row sums to n, and so in each stratum."""
    generator = np.random.default_rng(seed)
    rows = max(1, min(replicates, CELLS // max(n, 1)))
    for start in range(0, replicates, rows):
        size = min(rows, replicates - start)
        drawn = _drawn_units(generator, size, n, strata)
        drawn += np.arange(size, dtype=np.int64)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float)


def _drawn_units(
    generator: np.random.Generator, size: int, n: int, strata: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """(size × n) numbers of units: each of any unit, or of the stratum of the unit in whose place it stands."""
    if strata is None:
        return generator.integers(n, size=(size, n), dtype=np.int64)
    order = np.argsort(strata, kind="stable")
    sizes = np.bincount(strata)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[generator.integers(first, first + np.repeat(sizes, sizes), size=(size, n))]


def acceleration(jackknife: Floats, multiplicity: Floats | None = None) -> float:
    """The BCa acceleration from leave-one-out values: a sixth of the skewness of the influence.

    multiplicity: how many examples share each value. Source: Efron (1987), equation 6.6.
    """
    weight = np.ones(len(jackknife)) if multiplicity is None else multiplicity
    influence = np.average(jackknife, weights=weight) - jackknife
    square = float(np.sum(weight * influence**2))
    return float(np.sum(weight * influence**3)) / (6 * square**1.5) if square > 0 else 0.0


@dataclass(frozen=True)
class Replicates:
    """A statistic, its bootstrap replicates and its acceleration (None: it could not be had)."""

    value: float
    drawn: Floats
    accelerated: float | None

    def usable(self) -> bool:
        finite = np.isfinite(self.drawn)
        return bool(np.isfinite(self.value) and finite.mean() > 0.95 and np.ptp(self.drawn[finite]) > 0)

    def _bias(self) -> float:
        drawn = self.drawn[np.isfinite(self.drawn)]
        below = np.sum(drawn < self.value) + 0.5 * np.sum(drawn == self.value)
        return float(ndtri(np.clip(below / drawn.size, 1 / (drawn.size + 1), drawn.size / (drawn.size + 1))))

    def interval(self, confidence: float) -> tuple[float, float]:
        """The BCa interval. Source: Efron (1987), "Better bootstrap confidence intervals", JASA 82."""
        z, bias, a = critical(confidence), self._bias(), self.accelerated or 0.0
        shifted = bias + np.array([-z, z])
        levels = ndtr(bias + shifted / np.maximum(1 - a * shifted, 1e-3))
        low, high = np.quantile(self.drawn[np.isfinite(self.drawn)], levels)
        return float(low), float(high)

    def method(self, over: str) -> str:
        sort = "bias-corrected percentile" if self.accelerated is None else "BCa"
        return f"bootstrap over {over} ({sort}, {self.drawn.size:,} replicates)"


@dataclass(frozen=True)
class Analytic:
    """The ABC approximation of a BCa interval: no replicates, used where n is large."""

    value: float
    error: float
    ends: tuple[float, float]

    def usable(self) -> bool:
        return bool(np.isfinite([self.value, *self.ends]).all() and self.error > 0)

    def interval(self, confidence: float) -> tuple[float, float]:
        return self.ends

    def p_value(self, null: float = 0.0) -> float:
        return float(2 * ndtr(-abs(self.value - null) / self.error))

    def method(self, over: str) -> str:
        return f"ABC, the analytic form of the BCa bootstrap over {over}"


def to_estimate(found: Replicates | Analytic, n: int, over: str, confidence: float, unit: str = "") -> Estimate:
    """The Estimate of a bootstrap; NaN ends, and the reason, where the sample gives no interval."""
    nan = float("nan")
    if n < 2:
        return Estimate(found.value, nan, nan, n, f"no interval: fewer than two {over}", unit)
    if not found.usable():
        reason = f"no interval: the statistic does not vary or is undefined over resampled {over}"
        return Estimate(found.value, nan, nan, n, reason, unit)
    low, high = found.interval(confidence)
    return Estimate(found.value, low, high, n, found.method(over), unit)
