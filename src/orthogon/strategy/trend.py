"""Where a noisy curve goes: its slope at the end, where it turns, and its spikes. Plain numbers in, lower is better."""

from __future__ import annotations

from math import ceil, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter
from scipy.stats import theilslopes

Floats = NDArray[np.float64]

FEWEST = 5
"""Points below which nothing is said of a curve."""
WORTH = 0.02
"""A change is told only if it is so large a share of all that the curve has fallen."""


class Trend(NamedTuple):
    """The slope per unit of x, its interval, and the stretch of x that it was fitted on."""

    slope: float
    low: float
    high: float
    start: float
    end: float

    @property
    def change(self) -> float:
        """Over the whole stretch."""
        return self.slope * (self.end - self.start)


class Turn(NamedTuple):
    """The curve was lowest at `x` with `value`, and has risen by `rise` since; slope: of the points after it."""

    x: float
    value: float
    rise: float
    slope: Trend


def noise(y: ArrayLike) -> float:
    """The standard deviation of what is not smooth, from second differences; 0 under three points."""
    second = np.diff(np.asarray(y, float), 2)
    return float(1.4826 * np.median(np.abs(second)) / sqrt(6)) if len(second) else 0.0


def trend(x: ArrayLike, y: ArrayLike, confidence: float = 0.95) -> Trend:
    """The median of all slopes between two points, with its interval.

    Sources: Theil (1950), Sen (1968) for slope and interval. Where neighbors err alike, the interval is widened as for
    n(1 − r)/(1 + r) independent points; r is the correlation of neighbors about a parabola, so that a curve that merely
    bends does not count as noise, corrected for its bias.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    slope, _, low, high = np.asarray(theilslopes(y, x, confidence), float).tolist()
    place = (x - x.mean()) / np.ptp(x)
    rest = y - np.polyval(np.polyfit(place, y, 2), place)
    total = float(rest @ rest)
    alike = float(rest[1:] @ rest[:-1]) / total if total > 0 else 0.0
    alike = float(np.clip(alike + 3 * (1 + alike) / len(y), 0.0, 0.9))
    wider = sqrt((1 + alike) / (1 - alike))
    return Trend(slope, slope - (slope - low) * wider, slope + (high - slope) * wider, float(x[0]), float(x[-1]))


def last_part(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """The last third of the points, and six at least where there are."""
    count = max(6, ceil(len(np.asarray(x)) / 3))
    return np.asarray(x, float)[-count:], np.asarray(y, float)[-count:]


def smooth(y: ArrayLike) -> Floats:
    """The median of each point and its two neighbors."""
    return median_filter(np.asarray(y, float), 3, mode="nearest")


def extent(y: ArrayLike) -> float:
    """All that the curve has moved, single outliers aside."""
    return float(np.ptp(smooth(y)))


def turning_point(x: ArrayLike, y: ArrayLike) -> Turn | None:
    """Where the curve stopped falling and began to rise; None without evidence for a rise.

    The points after the lowest must rise (their 99 % interval lies above 0), and their last third must lie above the
    lowest by three times the noise and by `WORTH` of all that the curve has moved: one bad epoch is no turn.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    level = smooth(y)
    lowest = int(level.argmin())
    later, values = x[lowest + 2 :], y[lowest + 2 :]
    if len(later) < FEWEST:
        return None
    slope = trend(later, values, 0.99)
    rise = float(np.median(values[-max(2, len(values) // 3) :]) - level[lowest])
    if slope.low <= 0 or rise < max(3 * noise(y), WORTH * extent(y)):
        return None
    return Turn(float(x[lowest]), float(level[lowest]), rise, slope)


def spikes(y: ArrayLike) -> NDArray[np.int64]:
    """Places of points that stick out upward of their seven neighbors' median: by 8 times the noise, and by half of it.

    On a curve that only falls there are none, however fast it falls. The first and last three points are not judged.
    """
    y = np.asarray(y, float)
    if len(y) < 12:
        return np.zeros(0, np.int64)
    middle = median_filter(y, 7, mode="nearest")
    above = y - middle
    spread = 1.4826 * float(np.median(np.abs(above)))
    found = np.flatnonzero((above > 8 * spread) & (above > 0.5 * np.abs(middle)))
    return found[(found >= 3) & (found < len(y) - 3)]
