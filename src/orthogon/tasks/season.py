"""The season of a series: after how many steps it is most like itself."""

from __future__ import annotations

import numpy as np

from orthogon.data.windows import Windows

LONGEST = 400
"""Steps in a season that is looked for where no dates say which to expect."""

ENOUGH = 2
"""Seasons that a series must hold."""

ALIKE = 1.05
"""Times the least error up to which a shorter season is taken: two seasons are one as well."""


def season_of(values: np.ndarray, windows: Windows) -> int:
    """Steps after which the values come nearest to themselves, in mean absolute difference; of several the fewest; 1
    where none is found.

    values: (n,) by row, NaN where they are missing or not to be looked at.
    Of dated rows a day, a week or a year; of others every length up to 400 steps that is better than its neighbors.
    """
    known = int((~np.isnan(values)).sum())
    natural = [season for season in windows.moments.seasons() if ENOUGH * season <= known]
    if windows.moments.seconds is not None:
        errors = {season: naive_error(values, windows, season) for season in natural}
    else:
        longest = min(LONGEST, known // ENOUGH)
        each = [naive_error(values, windows, lag) for lag in range(1, longest + 2)]
        errors = {lag: each[lag - 1] for lag in range(2, longest + 1) if each[lag - 2] > each[lag - 1] <= each[lag]}
    finite = [error for error in errors.values() if np.isfinite(error)]
    if not finite:
        return 1
    enough = ALIKE * min(finite) + 1e-6 * float(np.nanstd(values))
    return min(season for season, error in errors.items() if error <= enough)


def naive_error(values: np.ndarray, windows: Windows, season: int) -> float:
    """The mean absolute difference of values that are a season apart: what the mean absolute scaled error is scaled by
    (Hyndman & Koehler 2006, "Another look at measures of forecast accuracy"). NaN where no two are known."""
    in_time, places = values[windows.order], np.arange(len(values))[season:]
    off = np.abs(in_time[season:] - in_time[:-season] if season < len(in_time) else in_time[:0])
    off = off[(places - season >= windows.first[places]) & ~np.isnan(off)]
    return float(off.mean()) if len(off) else float("nan")
