"""Losses against the learning rate, with the range that they suggest."""

from __future__ import annotations

import numpy as np

from orthogon.draw.curves import axis_scale
from orthogon.draw.style import BLUE, GREEN, MUTED, SMALL, axis_titles, canvas
from orthogon.errors import DataError


def rate_sweep(
    rates: np.ndarray, losses: np.ndarray, *, low: float | None = None, high: float | None = None,
    value: float | None = None, height: float = 280,
) -> str:
    """A line for each sweep over a logarithmic axis of rates; the range low … high shaded, the rate `value` marked.

    rates: (R,). losses: (sweeps, R), NaN where there is none. Losses far above the first one are cut off.
    DataError where there is nothing to draw.
    """
    if not np.isfinite(losses).any():
        raise DataError("there is nothing to draw", remedy="No sweep has a loss.")
    first, least = float(np.nanmedian(losses[:, 0])), float(np.nanmin(losses))
    room = max(first - least, 0.1 * abs(first), 1e-12)
    with canvas("loss against learning rate", height, left=58, right=20, top=30, bottom=46) as made:
        for each in losses:
            made.axes.plot(rates, each, color=BLUE, linewidth=1.3, alpha=0.8)
        made.axes.set_ylim(least - 0.1 * room, first + 0.6 * room)
        axis_scale(made.axes, log=False, log_x=True)
        if low is not None and high is not None:
            made.axes.axvspan(low, high, color=GREEN, alpha=0.15, linewidth=0)
        if value is not None:
            made.axes.axvline(value, color=GREEN)
            made.axes.annotate(f"{value:.2g}", (value, 1), xycoords=("data", "axes fraction"), xytext=(4, -12),
                               textcoords="offset points", color=MUTED, fontsize=SMALL)
        axis_titles(made.axes, "learning rate", "loss")
    return made.svg
