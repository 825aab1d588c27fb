"""Lines over an x axis, each named at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.draw.style import (
    DASHES,
    PALETTE,
    SMALL,
    WIDTH,
    axis_titles,
    canvas,
    text_width,
    wrap,
)
from orthogon.errors import DataError

Floats = NDArray[np.float64]
POINTS = 400


def curves(
    series: Mapping[str, Sequence[ArrayLike]],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    log: bool = False,
    log_x: bool = False,
    height: float = 280,
) -> str:
    """One line per name, named at its end, at most 400 points each (minima and maxima are kept).

    series: name -> (x, y), or (x, y, low, high) for a band around the line. Points that are not finite are left
            out (on a log axis: those that are not positive); lines without a point are not drawn.
    log, log_x: logarithmic y and x axis.
    Raises DataError where nothing is left to draw, or x and y differ in length.
    """
    size = sum(len(columns) - 1 for columns in series.values())
    budget = max(60, min(POINTS, 1500 // max(size, 1)))
    lines = {str(name): _clean(str(name), columns, log, log_x) for name, columns in series.items()}
    lines = {name: downsample(columns, budget) for name, columns in lines.items() if columns.shape[1]}
    if not lines:
        raise DataError("there is nothing to draw", remedy="Check the history of the run.")
    names = [wrap(name, 16) for name in lines] if len(lines) > 1 else [""]
    right = 14 + max(text_width(name, SMALL + 0.5) for name in names)
    with canvas(title, height, left=58, right=max(20, right), top=30 if y_label else 12, bottom=46) as made:
        for number, columns in enumerate(lines.values()):
            _draw(made.axes, number, columns)
        axis_scale(made.axes, log, log_x)
        axis_titles(made.axes, x_label, y_label)
        _end_names(made, names, list(lines.values()), height)
    return made.svg


def _clean(name: str, columns: Sequence[ArrayLike], log: bool, log_x: bool) -> Floats:
    arrays = [np.asarray(column, float).ravel() for column in columns]
    if len(arrays) not in (2, 4) or len({len(array) for array in arrays}) != 1:
        raise DataError(f"the curve {name!r} needs x and y of one length", remedy="Give (x, y) or (x, y, low, high).")
    table = np.stack(arrays)
    keep = np.isfinite(table).all(axis=0)
    keep &= (table[1:] > 0).all(axis=0) if log else True
    keep &= table[0] > 0 if log_x else True
    return table[:, keep]


def downsample(columns: Floats, points: int) -> Floats:
    """Columns of x, y, … with at most `points` points: each stretch's lowest and highest y, and both ends."""
    n = columns.shape[1]
    if n <= points:
        return columns
    edges = np.linspace(0, n, max(1, (points - 2) // 2) + 1).astype(int)
    chosen = {0, n - 1}
    for start, stop in pairwise(edges):
        stretch = columns[1, start:stop]
        chosen |= {start + int(stretch.argmin()), start + int(stretch.argmax())}
    return columns[:, sorted(chosen)]


def _draw(axes: Any, number: int, columns: Floats) -> None:
    color = PALETTE[number % len(PALETTE)]
    dash = DASHES[(number + number // len(PALETTE)) % len(DASHES)]  # the seventh line is not the first again
    if len(columns) == 4:
        axes.fill_between(columns[0], columns[2], columns[3], color=color, alpha=0.15, linewidth=0)
    marker = "o" if columns.shape[1] == 1 else None
    axes.plot(columns[0], columns[1], color=color, linestyle=dash, marker=marker)


def axis_scale(axes: Any, log: bool, log_x: bool) -> None:
    """Ticks and grid, on logarithmic axes where asked."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    for axis, chosen in ((axes.yaxis, log), (axes.xaxis, log_x)):
        if chosen:
            (axes.set_yscale if axis is axes.yaxis else axes.set_xscale)("log")
            axis.set_major_locator(LogLocator(subs=_log_ticks(axis), numticks=8))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.margins(x=0.0)
    axes.grid(axis="y")


def _log_ticks(axis: Any) -> tuple[float, ...]:
    low, high = axis.get_view_interval()
    return (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)


def _end_names(made: Any, names: list[str], lines: list[Floats], height: float) -> None:
    """Names right of the axes at the height of each line's end, moved apart where they would touch."""
    if names == [""]:
        return
    bottom, top = made.axes.bbox.y0, made.axes.bbox.y1
    made.axes.set_ylim(made.axes.get_ylim())
    ends = [made.axes.transData.transform((line[0, -1], line[1, -1]))[1] for line in lines]
    sizes = [(SMALL + 4) * len(name.split("\n")) for name in names]
    for number, at in enumerate(apart(np.clip(ends, bottom, top), np.array(sizes), top, bottom)):
        color = PALETTE[number % len(PALETTE)]
        for row, text in enumerate(names[number].split("\n")):
            lift = (len(names[number].split("\n")) - 1) * 7 - 14 * row
            made.figure.text(
                (made.axes.bbox.x1 + 8) / WIDTH, (at + lift) / height, text, va="center", color=color,
                fontsize=SMALL + 0.5, weight="bold",
            )  # fmt: skip


def apart(places: ArrayLike, sizes: Floats, top: float, bottom: float = -np.inf) -> Floats:
    """Heights near the wanted places, at least half of both neighbors' sizes apart, none above `top`.

    None is below `bottom` either, unless there are more than fit between the two: then they rise above `top`.
    """
    wanted = np.asarray(places, float)
    order = np.argsort(-wanted, kind="stable")
    found, ceiling = wanted.copy(), top + sizes[order[0]] / 2
    for index in order:
        found[index] = min(wanted[index], ceiling - sizes[index] / 2)
        ceiling = found[index] - sizes[index] / 2
    floor = bottom - sizes[order[-1]] / 2
    for index in order[::-1]:
        found[index] = max(found[index], floor + sizes[index] / 2)
        floor = found[index] + sizes[index] / 2
    return found
