"""What so many examples can show, and how many more would show the rest."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, isnan, sqrt

from orthogon.stats import detectable_difference
from orthogon.stats.intervals import critical
from orthogon.stats.sizes import growth_that_tells
from orthogon.strategy.levels import Level

MOST = 1_000_000
"""More examples than this are not asked for."""

FEWEST_MENDED = 6
"""Mistakes that must be put right, none broken, for exact McNemar to give p < 0.05: 2 / 2**6 = 0.031."""


def smallest_gain(error: float, n: int) -> float:
    """The smallest paired gain that n examples show with 80 % power.

    As for the sizes of a split, two networks are taken to disagree on half as many examples as one of them gets wrong;
    where that is too few for any gain to be seen, every disagreement is taken to be a gain.
    """
    disagreement = max(error / 2, 1 / n)
    seen = detectable_difference(error, n, disagreement=disagreement)
    if not isnan(seen):
        return seen
    low, high = disagreement, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        hidden = isnan(detectable_difference(error, n, disagreement=middle))
        low, high = (middle, high) if hidden else (low, middle)
    return high


def least_growth(levels: Mapping[str, Level], distance: float) -> tuple[int, tuple[str, ...]] | None:
    """How many more examples, in each of which sets, tell a sum of these levels from what lies `distance` away.

    One set alone where that is enough, all of them otherwise, whatever takes fewer examples in all; 80 % power.
    None where that is more than a million.
    """
    sets = {name: (level.variance, float(level.estimate.n)) for name, level in levels.items()}
    # What is open by its draws may be just decided by the normal approximation.
    distance = min(distance, critical(0.95) * sqrt(sum(variance / n for variance, n in sets.values())))
    choices = [(name,) for name in sets] + ([tuple(sets)] if len(sets) > 1 else [])
    found = [(more, grow) for grow in choices
             if (more := growth_that_tells(distance, sets, grow=grow).more) is not None]
    more, grow = min(found, key=lambda each: each[0] * len(each[1]), default=(MOST, ()))
    return (more, grow) if more * len(grow) < MOST and grow else None


def rounded(n: int) -> int:
    """To two figures, upwards: 3,459 -> 3,500."""
    step = 10 ** max(0, len(str(n)) - 2)
    return ceil(n / step) * step
