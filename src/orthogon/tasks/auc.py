"""The area under the ROC curve for one or several labels, with weights, groups and an interval.

The interval is linearised: each example's influence on the area, by DeLong's placements; summed within groups; on the
logit scale. For one label without weights or groups it is DeLong's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from orthogon.stats import Estimate
from orthogon.stats import roc_auc as one_auc

Floats = NDArray[np.float64]
Z = 1.959963984540054


def macro_auc(score: NDArray, label: NDArray, weight: NDArray | None = None, group: NDArray | None = None,
              known: NDArray | None = None) -> Estimate:
    """The mean over L labels of the chance that a positive scores above a negative; ties count half.

    score: (n, L). label: bool (n, L). weight, group: (n,). known: bool (n, L), what is left out where False.
    Labels without a positive or without a negative are left out of the mean, and `method` says how many.
    Source: DeLong, DeLong & Clarke-Pearson (1988), Biometrics 44.
    """
    n, labels = score.shape
    usable = [k for k in range(labels) if _both(label[:, k], _mask(known, k, n))]
    if not usable:
        nan = float("nan")
        return Estimate(nan, nan, nan, n, "undefined: only one class is present", "")
    if labels == 1 and weight is None and group is None and known is None:
        return one_auc(score[:, 0], label[:, 0])
    weights = np.ones(n) if weight is None else weight.astype(float)
    areas, influence = np.empty(len(usable)), np.zeros(n)
    for place, k in enumerate(usable):
        mask = _mask(known, k, n)
        areas[place], one = _influence(score[mask, k], label[mask, k], weights[mask])
        influence[mask] += one / len(usable)
    left_out = labels - len(usable)
    note = f"; {left_out} of {labels} left out, having one class only" if left_out else ""
    return _interval(float(areas.mean()), influence, group, n, _named(labels, group) + note)


def auc_value(score: NDArray, label: NDArray, weight: NDArray | None = None) -> float:
    """The area alone, NaN where one of the classes is absent. score: (n,). label: bool (n,)."""
    if not _both(label, np.ones(len(label), dtype=bool)):
        return float("nan")
    return _influence(score, label, np.ones(len(score)) if weight is None else weight.astype(float))[0]


def _mask(known: NDArray | None, k: int, n: int) -> NDArray[np.bool_]:
    return np.ones(n, dtype=bool) if known is None else known[:, k]


def _both(label: NDArray, mask: NDArray) -> bool:
    chosen = label[mask]
    return bool(chosen.any() and not chosen.all())


def _influence(score: NDArray, label: NDArray, weight: Floats) -> tuple[float, Floats]:
    """The weighted area, and what each example adds to its error: the jackknife's first-order term."""
    positive, negative = weight * label, weight * ~label
    below_negative, tied_negative = _below(score, negative)
    below_positive, tied_positive = _below(score, positive)
    totals = positive.sum(), negative.sum()
    if min(totals) <= 0:
        return float("nan"), np.zeros(len(score))
    above = (below_negative + tied_negative / 2) / totals[1]  # share of negatives below each example
    under = 1 - (below_positive + tied_positive / 2) / totals[0]  # share of positives above each example
    area = float(np.sum(positive * above) / totals[0])
    # m/(m−1) as in DeLong's unbiased variances.
    corrected = [np.sqrt(count / max(count - 1, 1)) for count in (int(label.sum()), int((~label).sum()))]
    return area, (corrected[0] * positive * (above - area) / totals[0]
                  + corrected[1] * negative * (under - area) / totals[1])


def _below(score: NDArray, mass: Floats) -> tuple[Floats, Floats]:
    """For each example the mass that scores lower, and that scores the same."""
    _, place = np.unique(score, return_inverse=True)
    at = np.bincount(place, mass).astype(float)
    return (np.cumsum(at) - at)[place], at[place]


def _named(labels: int, group: NDArray | None) -> str:
    over = "groups" if group is not None else "examples"
    return f"DeLong over {over}, logit scale" + (f", mean of {labels} labels" if labels > 1 else "")


def _interval(area: float, influence: Floats, group: NDArray | None, n: int, method: str) -> Estimate:
    nan = float("nan")
    if group is not None:
        codes = np.unique(group, return_inverse=True)[1]
        influence = np.bincount(codes, influence).astype(float)
        n = len(influence)
        influence = influence * np.sqrt(n / max(n - 1, 1))
    error = float(np.sqrt(np.sum(influence**2)))
    if n < 2 or not 0 < area < 1 or error == 0:
        return Estimate(area, nan, nan, n, "no interval: the classes are perfectly separated, or too few", "")
    half = Z * error / (area * (1 - area))
    low, high = expit(logit(area) + np.array([-half, half]))
    return Estimate(area, float(low), float(high), n, method, "")
