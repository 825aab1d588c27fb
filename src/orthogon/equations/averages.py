"""Exponentially weighted averages of a series."""

from __future__ import annotations

import numpy as np

from orthogon.equations._shapes import Floats


def exponentially_weighted_average(series: Floats, beta: float = 0.9) -> Floats:
    """A moving average that forgets at the rate β.

        Vₜ = β Vₜ₋₁ + (1 − β) θₜ        V₀ = 0

    series: θ₁ … θ_T along the first axis. Gives V₁ … V_T. It looks back over about 1/(1 − β) values: what lies so far
    back counts β^(1/(1−β)) ≈ 1/e of the newest (rows 7.01, 34.03, E11).
    """
    if not 0.0 <= beta < 1.0:
        raise ValueError(f"β is {beta}, expected at least 0 and below 1: 0 forgets all, 1 would never learn")
    averages, V = np.empty(np.shape(series)), 0.0
    for t, theta in enumerate(series):
        V = beta * V + (1.0 - beta) * theta
        averages[t] = V
    return averages


def bias_corrected(averages: Floats, beta: float = 0.9) -> Floats:
    """Makes up for the start at 0, which pulls the first averages down.

        Vₜ / (1 − βᵗ)

    averages: V₁ … V_T along the first axis, of the same β. The weights of the values then add to 1. Row 7.02.
    """
    t = np.arange(1, len(averages) + 1).reshape(-1, *[1] * (np.ndim(averages) - 1))
    return averages / (1.0 - beta**t)
