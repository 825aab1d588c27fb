"""What figures of one row per thing share: a name left, a mark on a common axis, a number right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

ROW = 38.0
"""Height of a row in points."""


def rails(axes: Any, count: int) -> None:
    """Room for so many rows, from top to bottom, over a grid of the x axis alone."""
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def side_texts(axes: Any, labels: list[str], values: list[str]) -> None:
    """Names left of the axes, numbers right of them, one pair per row."""
    for at, (label, value) in enumerate(zip(labels, values)):
        lines = label.split("\n")
        for number, line in enumerate(lines):
            lift = (len(lines) - 1) * 7.5 - 15 * number
            place = {"xycoords": ("figure fraction", "data"), "textcoords": "offset points"}
            axes.annotate(line, (0, at), xytext=(6, lift), va="center", **place)
        place = {"xycoords": ("figure fraction", "data"), "textcoords": "offset points"}
        axes.annotate(value, (1, at), xytext=(-6, 0), va="center", ha="right", weight="bold", **place)


def airy(axes: Any, numbers: Sequence[float]) -> None:
    """Limits with air at both ends, and few ticks."""
    from matplotlib.ticker import MaxNLocator

    finite = np.asarray(numbers, float)[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    air = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    axes.set_xlim(low - air, high + air)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
