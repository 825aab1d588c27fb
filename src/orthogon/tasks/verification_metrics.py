"""Figures of merit of verification as functions of Rows, each with its interval over identities (rows 21.01, 21.04).

Pairs are not independent: two pictures of one person are in many of them. So intervals draw identities, not pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthogon.stats import Estimate, rate
from orthogon.stats.bootstrap import replicates_of
from orthogon.stats.resample import Replicates, to_estimate
from orthogon.tasks.metrics import mean_estimate, undefined, weighted_mean
from orthogon.tasks.verification import SAME
from orthogon.train.rows import Rows
from orthogon.train.task import Metric

Floats = NDArray[np.float64]

WAYS = 20
"""Identities in a trial of one-shot recognition, as in Omniglot (Lake et al. 2015); fewer where there are fewer."""

MOST_ROWS, REPLICATES, IN_CHUNK = 2_000, 200, 16
"""Examples whose pairs are looked at; draws of identities for an interval; and how many of them are held at once."""


class Curve(NamedTuple):
    """Rates at each distance that occurs, ascending: (T,), or (m, T) of m draws of identities.

    false_accept: share of the pairs of two identities that are no farther. true_accept: of those of one identity.
    """

    distance: Floats
    false_accept: Floats
    true_accept: Floats


@dataclass(frozen=True)
class Pairs:
    """Pairs sorted by distance. first, second: the identities, numbered from 0. last: the places of the last pair of
    each distance."""

    distance: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    last: NDArray[np.int64]
    identities: int

    @classmethod
    def of(cls, rows: Rows) -> Pairs:
        if len(rows) > MOST_ROWS:
            rows = rows.take(np.linspace(0, len(rows) - 1, MOST_ROWS).round().astype(int))
        partner, distance = rows["partner"].astype(np.int64), rows["distance"]
        known = ~np.isnan(distance)
        target = np.broadcast_to(rows["target"].astype(np.int64)[:, None], partner.shape)[known]
        order = np.argsort(distance[known], kind="stable")
        names, codes = np.unique(np.concatenate([target[order], partner[known][order]]), return_inverse=True)
        ascending = distance[known][order].astype(np.float64)
        last = np.flatnonzero(np.append(np.diff(ascending) > 0, True)) if len(order) else order
        first, second = codes[: len(order)], codes[len(order) :]
        return cls(ascending, first, second, last, len(names))

    def curve(self, weights: Floats | None = None) -> Curve:
        """weights: (m, identities), how often each is drawn; None: once each. A pair of two identities counts as often
        as both are drawn together. NaN where there is no pair of one sort."""
        w = np.ones((1, self.identities)) if weights is None else weights
        same = self.first == self.second
        counts = w[:, self.first]
        true, false = counts * same, counts * w[:, self.second] * ~same
        with np.errstate(invalid="ignore"):
            rates = [each.cumsum(1)[:, self.last] / each.sum(1, keepdims=True) for each in (false, true)]
        lacking = np.isnan(rates[0]) | np.isnan(rates[1])
        shown = [np.where(lacking, np.nan, each) for each in rates]
        return Curve(self.distance[self.last], *(shown if weights is not None else (each[0] for each in shown)))


def equal_error_rate(curve: Curve) -> Floats:
    """Where as many pairs of one identity are refused as pairs of two are accepted; linear between the distances."""
    false, refused = _from_nothing(curve.false_accept), 1 - _from_nothing(curve.true_accept)
    crossing = np.maximum((false >= refused).argmax(-1), 1)[..., None]

    def at(rates: Floats, places: NDArray) -> Floats:
        return np.take_along_axis(rates, places, -1)[..., 0]

    before, after = (at(false - refused, crossing - 1), at(false - refused, crossing))
    low, high = at(false, crossing - 1), at(false, crossing)
    return low + (high - low) * before / (before - after)


def area(curve: Curve) -> Floats:
    """Under the ROC curve: the chance that a pair of one identity is nearer than one of two; ties count half."""
    return np.asarray(np.trapezoid(_from_nothing(curve.true_accept), _from_nothing(curve.false_accept), axis=-1))


def true_accept_at(curve: Curve, false_accept_rate: float) -> Floats:
    """The share of pairs of one identity accepted at the largest distance that accepts no more of the others."""
    accepted = np.where(curve.false_accept <= false_accept_rate, curve.true_accept, 0).max(-1, initial=0)
    return np.where(np.isnan(curve.false_accept).any(-1), np.nan, accepted)


def threshold_at(rows: Rows, false_accept_rate: float) -> float:
    """The largest distance that occurs up to which no more than this share of the pairs of two identities lies; just
    below the smallest where that is too far. NaN without such pairs."""
    curve = Pairs.of(rows).curve()
    if not len(curve.distance) or np.isnan(curve.false_accept).any():
        return float("nan")
    kept = np.flatnonzero(curve.false_accept <= false_accept_rate)
    if len(kept):
        return float(curve.distance[kept[-1]])
    return float(np.nextafter(np.float32(curve.distance[0]), np.float32(-np.inf)))  # distances are float32


def verification_metrics(false_accept_rate: float) -> tuple[Metric, ...]:
    """Accuracy of the nearest other example first, then what pairs say."""
    return (
        _of_known("accuracy", lambda rows: rows["score"]),
        _of_known("error", lambda rows: 1 - rows["score"], higher_is_better=False),
        Metric("one_shot", _one_shot, lambda rows: weighted_mean(*_known(rows, one_shot(rows))),
               unit="rate"),
        _of_curve("equal_error_rate", equal_error_rate, "rate", higher_is_better=False),
        _of_curve("roc_auc", area, ""),
        true_accept_metric(false_accept_rate),
    )


def true_accept_metric(false_accept_rate: float) -> Metric:
    """The share of the pairs of one identity that are accepted where so many of the pairs of two are."""
    return _of_curve("true_accept_rate", lambda curve: true_accept_at(curve, false_accept_rate), "rate")


def one_shot(rows: Rows) -> Floats:
    """Of each example, 1 where the one example of its identity that it is shown is nearer than those of 19 others (or
    of as many as there are), 0 otherwise; NaN where it is alone with its identity."""
    others = rows["distance"][:, SAME : SAME + _ways(rows) - 1]
    own = rows["distance"][:, 0]
    nearest = others.min(axis=1, initial=np.inf)
    return np.where(np.isnan(own) | ~np.isfinite(nearest), np.nan, own < nearest).astype(float)


def one_shot_accuracy(trials: Sequence[tuple[NDArray, NDArray, NDArray]]) -> Estimate:
    """Of N-way one-shot runs: (encodings of the N known, one each; of the queries; the place of the right one of each).

    The nearest by the Euclidean distance, the first of several as near; Wilson's interval over all queries.
    """
    right = [
        np.square(queries[:, None].astype(float) - known).sum(-1).argmin(1) == answers
        for known, queries, answers in trials
    ]
    return rate(np.concatenate(right))


def _ways(rows: Rows) -> int:
    """Identities in a trial: the example's own, and as many others as it is held against, at most 20 together."""
    others = rows["partner"][:, SAME:]
    return min(WAYS, 1 + len(np.unique(others[0][others[0] >= 0]))) if len(rows) else WAYS


def _one_shot(rows: Rows) -> Estimate:
    values, known = _known(rows, one_shot(rows))
    found = mean_estimate(values, known, "rate")
    return replace(found, method=f"{_ways(rows)}-way; {found.method}")


def _known(rows: Rows, values: NDArray) -> tuple[NDArray, Rows]:
    there = ~np.isnan(values)
    return values[there], rows.take(there)


def _of_known(name: str, values: Callable[[Rows], NDArray], higher_is_better: bool = True) -> Metric:
    """The mean over the examples that are not alone with their identity."""
    return Metric(name, lambda rows: mean_estimate(*_known(rows, values(rows)), "rate"),
                  lambda rows: weighted_mean(*_known(rows, values(rows))), higher_is_better, unit="rate")


def _of_curve(name: str, statistic: Callable[[Curve], Floats], unit: str, higher_is_better: bool = True) -> Metric:
    def value(rows: Rows) -> float:
        pairs = Pairs.of(rows)
        return float(statistic(pairs.curve())) if len(pairs.distance) else float("nan")

    def estimate(rows: Rows) -> Estimate:
        pairs, found = Pairs.of(rows), value(rows)
        if not np.isfinite(found):
            return undefined("it takes pairs of one identity and pairs of two", len(rows), unit)

        def drawn(weights: Floats) -> Floats:
            chunks = [weights[k : k + IN_CHUNK] for k in range(0, len(weights), IN_CHUNK)]
            return np.concatenate([statistic(pairs.curve(chunk)) for chunk in chunks])

        replicates = replicates_of(drawn, pairs.identities, None, REPLICATES, seed=0)
        return to_estimate(Replicates(found, replicates, None), pairs.identities, "identities", 0.95, unit)

    return Metric(name, estimate, value, higher_is_better, unit=unit, best=1.0 if higher_is_better else 0.0)


def _from_nothing(rates: Floats) -> Floats:
    """The rates, beginning with 0: below the smallest distance nothing is accepted."""
    return np.concatenate([np.zeros((*rates.shape[:-1], 1)), rates], axis=-1)
