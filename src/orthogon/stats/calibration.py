"""Whether stated probabilities can be believed, and how to mend them.

The curve of isotonic regression (CORP) comes first: it has no bins to choose. Then the Brier score and its parts; the
expected calibration error last, since it hangs on its bins. For K classes give the confidence in the predicted class
and whether it was right, or one class at a time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from orthogon.errors import DataError
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import rate

Floats = NDArray[np.float64]
POINTS = 200
DRAWS = 5_000_000
ROUNDING = 1e-6  # by which a probability in single precision may miss [0, 1]


@dataclass(frozen=True)
class Reliability:
    """How often what was stated came true: the CORP reliability curve.

    stated:    (m,) stated probabilities, ascending: up to 200 of the distinct ones, evenly by rank.
    true:      (m,) how often it comes true where that is stated, by isotonic regression.
    low, high: (m,) the consistency band: where the curve of calibrated probabilities lies in 95 % of samples, point by
               point. p_value: of being calibrated, from how far the curve lies from what is stated.
    """

    stated: Floats
    true: Floats
    low: Floats
    high: Floats
    n: int
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("stated", "true", "low", "high")}
        return {**arrays, "n": self.n, "p_value": self.p_value}


@dataclass(frozen=True)
class BrierSplit:
    """score = miscalibration - discrimination + uncertainty, exactly.

    miscalibration: lost by stating something else than what comes true; discrimination: gained by telling examples
    apart; uncertainty: the score of always stating the base rate.
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class MurphySplit:
    """score = reliability - resolution + uncertainty + within, exactly; `within` is what differs inside the bins."""

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def reliability(
    probability: ArrayLike, outcome: ArrayLike, *, replicates: int = 1000, seed: int = 0, confidence: float = 0.95
) -> Reliability:
    """The reliability curve of n stated probabilities and whether each came true (0/1), with its band.

    replicates: outcomes drawn from the stated probabilities, which are kept; beyond 5,000 distinct ones fewer, at
                least 200. Examples are taken to be independent of one another.
    Raises DataError on empty input, probabilities outside [0, 1] and outcomes other than 0 and 1.
    Source: Dimitriadis, Gneiting & Jordan (2021), "Stable reliability diagrams for probabilistic classifiers", PNAS
    118, arXiv 2008.03033.
    """
    p, y = _checked(probability, outcome)
    stated, where, weight = np.unique(p, return_inverse=True, return_counts=True)
    hits = np.bincount(where, y)
    curve = _isotonic(hits, weight)
    shown = np.unique(np.linspace(0, len(stated) - 1, min(len(stated), POINTS)).round().astype(int))
    replicates = max(min(replicates, 200), min(replicates, DRAWS // len(stated)))
    generator, curves, lost = np.random.default_rng(seed), np.empty((replicates, len(shown))), np.empty(replicates)
    for k in range(replicates):
        drawn = generator.binomial(weight, stated).astype(float)
        fitted = _isotonic(drawn, weight)
        curves[k], lost[k] = fitted[shown], _miscalibration(stated, fitted, drawn, weight)
    low, high = np.quantile(curves, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    extreme = np.sum(lost >= _miscalibration(stated, curve, hits, weight) * (1 - 1e-9))
    return Reliability(stated[shown], curve[shown], low, high, len(p), float((extreme + 1) / (replicates + 1)))


def brier_split(probability: ArrayLike, outcome: ArrayLike) -> BrierSplit:
    """The Brier score of n stated probabilities and outcomes (0/1), and its parts by isotonic regression.

    Source: Dimitriadis, Gneiting & Jordan (2021), arXiv 2008.03033, equation 5.
    """
    p, y = _checked(probability, outcome)
    _, where, weight = np.unique(p, return_inverse=True, return_counts=True)
    mended = _isotonic(np.bincount(where, y), weight)[where]
    score, best, base = (float(np.mean((each - y) ** 2)) for each in (p, mended, y.mean()))
    return BrierSplit(score, score - best, base - best, base)


def murphy_split(probability: ArrayLike, outcome: ArrayLike, bins: int = 10) -> MurphySplit:
    """The same score by bins of equal width: hangs on their number.

    Sources: Murphy (1973), "A new vector partition of the probability score"; `within`: Stephenson, Coelho & Jolliffe
    (2008), "Two extra components in the Brier score decomposition".
    """
    p, y = _checked(probability, outcome)
    count, stated, true = _binned(p, y, bins)
    share, base, score = count / len(p), y.mean(), float(np.mean((p - y) ** 2))
    distance, apart = float(share @ (stated - true) ** 2), float(share @ (true - base) ** 2)
    uncertainty = float(base * (1 - base))
    return MurphySplit(score, distance, apart, uncertainty, score - distance + apart - uncertainty)


def expected_calibration_error(probability: ArrayLike, outcome: ArrayLike, bins: int = 15) -> float:
    """The mean distance between stated and true over bins of equal width; 1.0 falls into the last bin.

    Hangs on the bins, and is above 0 for calibrated probabilities too; look at `reliability` first.
    Source: Guo, Pleiss, Sun & Weinberger (2017), "On calibration of modern neural networks", arXiv 1706.04599.
    """
    p, y = _checked(probability, outcome)
    count, stated, true = _binned(p, y, bins)
    return float(count @ np.abs(stated - true) / len(p))


def reliability_bins(
    probability: ArrayLike, outcome: ArrayLike, *, groups: ArrayLike | None = None, bins: int = 10, least: int = 15
) -> list[tuple[float, Estimate]]:
    """(mean stated probability, how often it came true) per bin of equal width, lowest first; for groups as in `rate`.

    A bin with under `least` examples is joined with the next above, the last with those below.
    """
    p, y = _checked(probability, outcome)
    order = np.argsort(p, kind="stable")
    edges = np.searchsorted(p[order], np.linspace(0, 1, bins + 1)[1:-1])
    pieces: list[NDArray[np.int64]] = []
    for piece in np.split(order, edges):
        if pieces and len(pieces[-1]) < least:
            pieces[-1] = np.concatenate([pieces[-1], piece])
        else:
            pieces.append(piece)
    if len(pieces) > 1 and len(pieces[-1]) < least:
        last = pieces.pop()
        pieces[-1] = np.concatenate([pieces[-1], last])
    group = None if groups is None else np.asarray(groups)
    return [(float(p[at].mean()), rate(y[at], groups=None if group is None else group[at])) for at in pieces if len(at)]


def brier_scores(probability: ArrayLike, target: ArrayLike) -> Floats:
    """Per example: of two classes (p - y)² of one of them; of more the sum of it over the classes.

    probability: (n,) of the second of two classes, or (n, K). target: (n,) class numbers.
    Source: Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    p, classes = np.asarray(probability, float), np.asarray(target)
    if p.ndim == 1:
        return (p - classes) ** 2
    squares = np.square(p - (classes[:, None] == np.arange(p.shape[1]))).sum(axis=1)
    return squares / 2 if p.shape[1] == 2 else squares


def _isotonic(hits: NDArray, weight: NDArray) -> Floats:
    return isotonic_regression(hits / weight, weights=weight).x


def _miscalibration(stated: Floats, curve: Floats, hits: NDArray, weight: NDArray) -> float:
    """How much lower the Brier score of the curve is than that of what is stated."""
    return float(np.sum(weight * (stated**2 - curve**2) - 2 * hits * (stated - curve)) / weight.sum())


def _binned(p: Floats, y: Floats, bins: int) -> tuple[Floats, Floats, Floats]:
    """Of each filled bin: the number of examples, and the means of stated and true."""
    which = np.clip(np.searchsorted(np.linspace(0, 1, bins + 1), p, side="right") - 1, 0, bins - 1)
    count = np.bincount(which, minlength=bins)
    filled = count > 0
    stated, true = (np.bincount(which, each, bins)[filled] / count[filled] for each in (p, y))
    return count[filled].astype(float), stated, true


def _checked(probability: ArrayLike, outcome: ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(probability, float).ravel(), np.asarray(outcome, float).ravel()
    if len(p) != len(y) or len(p) == 0:
        raise DataError(f"{len(p):,} probabilities for {len(y):,} outcomes", remedy="Give one of each per example.")
    if not (np.all((p >= -ROUNDING) & (p <= 1 + ROUNDING)) and np.all((y == 0) | (y == 1))):
        raise DataError("a probability lies between 0 and 1, an outcome is 0 or 1", remedy="Leave unknown ones out.")
    return np.clip(p, 0, 1), y
