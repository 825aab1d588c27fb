"""Error = a + b·m^-c, fitted to few points with known covariance: every law that they allow, not one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from orthogon.stats.estimate import Estimate

Floats = NDArray[np.float64]

EXPONENTS = (0.1, 1.5)
"""Where c may lie: slower and faster are not seen in practice."""


@dataclass(frozen=True)
class PowerLaw:
    """The laws that fit, each a pair of asymptote and exponent with the b's that go with it; the best one first.

    size: the largest that was measured. a, c: (laws,). b: the error at `size` that more data removes; slack: (laws,),
    how far b may lie to either side.
    """

    size: float
    a: Floats
    b: Floats
    c: Floats
    slack: Floats

    def _range(self, of_a: float, of_b: Floats) -> tuple[float, float, float]:
        """(best, least, most) of of_a·a + of_b·b over the laws."""
        ends = [of_a * self.a + of_b * np.maximum(0.0, self.b + side * self.slack) for side in (-1, 1)]
        best = of_a * self.a[0] + of_b[0] * self.b[0]
        return float(best), float(np.min(ends)), float(np.max(ends))

    def error(self, size: float) -> tuple[float, float, float]:
        """(best, least, most) with so many examples."""
        return self._range(1.0, (size / self.size) ** -self.c)

    @property
    def asymptote(self) -> tuple[float, float]:
        """The 95 % interval of the error with endless data."""
        return float(self.a.min()), float(self.a.max())

    @property
    def exponent(self) -> tuple[float, float]:
        return float(self.c.min()), float(self.c.max())

    def gain(self, times: float, n: int, unit: str = "") -> Estimate:
        """What `times` the data takes off the error, with its 95 % interval. n: dev examples."""
        value, low, high = self._range(0.0, 1 - times**-self.c)
        return Estimate(value, low, high, n, "inverse power law with an asymptote, profile likelihood", unit)

    def band(self, smallest: float, largest: float, points: int = 25) -> dict[str, list[float]]:
        """{"size", "value", "low", "high"}: the best law and the 95 % band of the error, for a figure."""
        sizes = np.geomspace(smallest, largest, points)
        value, low, high = zip(*(self.error(size) for size in sizes))
        return {"size": sizes.tolist(), "value": list(value), "low": list(low), "high": list(high)}

    def to_dict(self) -> dict[str, Any]:
        """{"asymptote": [low, high], "exponent": [low, high]}"""
        return {"asymptote": list(self.asymptote), "exponent": list(self.exponent)}


def fit_power_law(
    sizes: Sequence[float], errors: ArrayLike, covariance: ArrayLike, *, confidence: float = 0.95
) -> PowerLaw:
    """Generalized least squares on a grid of a and c, b solved for; all laws whose χ² is near the least are kept.

    sizes, errors: (k,), k at least 3. covariance: (k, k) of the errors. a lies between 0 and the least error, c in
    `EXPONENTS`, b at least at 0. Near is the quantile of χ² with one degree of freedom, which makes every figure's
    range its profile-likelihood interval. Where even the best law misses the points by more than their covariance
    explains, that is taken to be larger, by χ²/(k − 3).
    Source of the form: Cortes et al. (1994), "Learning curves: asymptotic values and rate of convergence".
    """
    m, y = np.asarray(sizes, float), np.asarray(errors, float)
    weight = np.linalg.inv(np.asarray(covariance, float))
    a, c = np.linspace(0, y.min(), 121), np.linspace(*EXPONENTS, 71)
    powers, rest = (m / m[-1]) ** -c[:, None], y - a[:, None]
    curvature = np.einsum("ci,ij,cj->c", powers, weight, powers)
    b = np.maximum(0.0, np.einsum("ai,ij,cj->ac", rest, weight, powers) / curvature)
    left = rest[:, None, :] - b[..., None] * powers
    squares = np.einsum("aci,ij,acj->ac", left, weight, left)
    excess = max(1.0, squares.min() / (len(m) - 3)) if len(m) > 3 else 1.0
    room = squares.min() + excess * chi2.ppf(confidence, 1) - squares
    place_a, place_c = np.nonzero(room >= 0)
    best_first = np.argsort(-room[place_a, place_c], kind="stable")
    place_a, place_c = place_a[best_first], place_c[best_first]
    slack = np.sqrt(room[place_a, place_c] / curvature[place_c])
    return PowerLaw(float(m[-1]), a[place_a], b[place_a, place_c], c[place_c], slack)
