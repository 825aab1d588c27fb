"""A value of each layer over the steps of a run, as a map of colors."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.draw.style import BLUE, INK, MUTED, SMALL, VERMILLION, WIDTH, canvas, text_width
from orthogon.errors import DataError

CALM = ("#f0f4f8", "#a9cde6", BLUE, "#00294a")
WARM = ("#eef1f4", "#f7d9a8", "#e69f00", "#8f2f00")
NOTHING = "#d5dae0"
LETTERS = 20
MOST_TICKS = 6
RIGHT, BAR = 64.0, 11.0


def layer_map(values: ArrayLike, layers: Sequence[str], steps: Sequence[int], *, title: str, log: bool = False) -> str:
    """Layers from top to bottom in forward order, recorded steps from left to right (equally wide), and a color bar.

    values: layers × steps; NaN is grey (no value), infinity vermillion.
    log:    colors by orders of magnitude; zero has the color of the smallest value. Otherwise colors are from 0 to 1.
    """
    table = np.asarray(values, float)
    if table.shape != (len(layers), len(steps)) or table.size == 0:
        raise DataError(f"a map of shape {table.shape} for {len(layers)} layers and {len(steps)} steps",
                        remedy="Give a row for each layer and a column for each step.")
    row = min(26.0, max(9.0, 330 / len(layers)))
    height = row * len(layers) + 54
    names = [_short(name) for name in layers]
    left = max(text_width(name, SMALL) for name in names) + 14
    with canvas(title, height, left=left, right=RIGHT, top=10, bottom=44) as made:
        low, high = _range(table, log)
        colors = _colors(WARM if not log else CALM)
        made.axes.imshow(_placed(table, low, high, log), cmap=colors, vmin=0, vmax=1, interpolation="none",
                         aspect="auto")
        _frame(made.axes, names, steps, every=max(1, ceil(13 / row)))
        _bar(made.figure, colors, low, high, log, height)
    return made.svg


def _short(name: str) -> str:
    """A path that is too long with its inner words as letters, which numbers tell apart, before its end alone is kept:
    "down1.maxpool_conv.1.double_conv.0" becomes "down1.m.1.d.0"."""
    parts = name.split(".")
    for at in sorted(range(1, len(parts) - 1), key=lambda at: -len(parts[at])):
        if len(".".join(parts)) > LETTERS and not parts[at].isdigit():
            parts[at] = parts[at][0]
    name = ".".join(parts)
    return name if len(name) <= LETTERS else "…" + name[1 - LETTERS:]


def _range(table: NDArray[np.float64], log: bool) -> tuple[float, float]:
    """The values of the two ends of the color bar."""
    if not log:
        return 0.0, 1.0
    seen = table[np.isfinite(table) & (table > 0)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.1, 1.0)
    return (low, high) if high > 1.2 * low else (low / 10, high * 10)


def _placed(table: NDArray[np.float64], low: float, high: float, log: bool) -> Any:
    """The values as places on the color bar from 0 to 1; 2 for infinity; those that are missing are masked."""
    with np.errstate(divide="ignore"):
        place = np.log(table / low) / np.log(high / low) if log else (table - low) / (high - low)
    place = np.where(np.isposinf(table), 2.0, np.clip(place, 0, 1))
    return np.ma.masked_invalid(place)


def _colors(ends: Sequence[str]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("health", list(ends)).with_extremes(bad=NOTHING, over=VERMILLION)


def _frame(axes: Any, names: list[str], steps: Sequence[int], every: int) -> None:
    for spine in axes.spines.values():
        spine.set_visible(False)
    rows = range(0, len(names), every)
    axes.set_yticks(list(rows), [names[at] for at in rows], fontsize=SMALL, color=INK)
    columns = sorted({round(at) for at in np.linspace(0, len(steps) - 1, min(len(steps), MOST_TICKS))})
    axes.set_xticks(columns, [f"{steps[at]:,}" for at in columns])
    axes.set_xlabel("step", labelpad=5)
    if len(names) <= 24:
        axes.hlines(np.arange(1, len(names)) - 0.5, -0.5, len(steps) - 0.5, color="white", linewidth=1)


def _bar(figure: Any, colors: Any, low: float, high: float, log: bool, height: float) -> None:
    tall = min(height - 54, 150.0)
    axes = figure.add_axes(((WIDTH - RIGHT + 12) / WIDTH, (height - 10 - tall) / height, BAR / WIDTH, tall / height))
    axes.imshow(np.linspace(0, 1, 64)[:, None], cmap=colors, vmin=0, vmax=1, aspect="auto", origin="lower",
                interpolation="none", extent=(0, 1, 0, 1))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.yaxis.tick_right()
    places = np.array([0.0, 0.5, 1.0])
    values = low * (high / low) ** places if log else places
    axes.set_xticks([])
    axes.set_yticks(places, [f"{value:.1g}" if log else f"{100 * value:.0f} %" for value in values], color=MUTED)
    axes.tick_params(pad=3)
