"""The slope of a function of one number, from its values alone, as exactly as float64 allows."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

FIRST_STEP = 0.05
SHRINK, STEPS = 4.0, 8
CONVERGED = 1e-10
"""Share of the slope below which its error is small enough to stop."""


def slope_at_zero(f: Callable[[float], float], at_zero: float, first_step: float = FIRST_STEP) -> tuple[float, float]:
    """The slope of f at 0 and a bound of its error, which is large where f has a kink nearby.

    Two-sided differences (f(h) − f(−h)) / 2h for h = first_step / 4ᵏ, extrapolated to h = 0 by Neville's scheme in h²
    (Ridders 1982); the error is that of the entry that agrees best with its neighbors, at least half of what is
    left of the difference between right and left slope when h goes to 0, and at least what rounding f makes of it.
    """
    slope, error = math.nan, math.inf
    coarser: list[float] = []
    gap_before = math.nan
    for k in range(STEPS):
        step = first_step / SHRINK**k
        right, left = f(step), f(-step)
        gap = (right - 2 * at_zero + left) / step
        jump = abs(SHRINK * gap - gap_before) / (SHRINK - 1) / 2
        rounding = sys.float_info.epsilon * abs(at_zero) / step
        row = [(right - left) / (2 * step)]
        for order, coarse in enumerate(coarser, 1):
            factor = SHRINK ** (2 * order)
            row.append((factor * row[-1] - coarse) / (factor - 1))
            doubt = max(abs(row[-1] - row[-2]), abs(row[-1] - coarse), jump, rounding)
            if doubt < error:
                slope, error = row[-1], doubt
        if error <= CONVERGED * abs(slope):
            break
        coarser, gap_before = row, gap
    return slope, error
