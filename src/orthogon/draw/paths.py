"""Paths over a surface of two variables, seen from above."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.draw.style import INK, PALETTE, SMALL, WIDTH, canvas, text_width
from orthogon.errors import DataError

Floats = NDArray[np.float64]
LEVELS = 12
LINE = 16.0


def paths(
    walked: Mapping[str, ArrayLike], x: ArrayLike, y: ArrayLike, heights: ArrayLike, *, title: str,
    lowest: ArrayLike = (), height: float = 330,
) -> str:
    """Each path in its color over the contours of the surface, from the circle to a dot; its first steps as dots, too.

    walked: name -> n×2, the start first; of points outside the grid the line leaves the picture.
    x, y, heights: the grid, and the surface on it, len(y)×len(x), such as orthogon.optim.paths.heights gives.
    lowest: points k×2 that are marked by a cross.
    """
    across, up, surface = (np.asarray(each, float) for each in (x, y, heights))
    lines = {str(name): np.asarray(line, float) for name, line in walked.items()}
    wrong = [name for name, line in lines.items() if line.ndim != 2 or line.shape[1] != 2 or not len(line)]
    if not lines or wrong or surface.shape != (len(up), len(across)):
        raise DataError(
            f"cannot draw paths {wrong or list(lines)} over heights {surface.shape} at {len(across)}×{len(up)} places",
            remedy="Give at least one path n×2, and heights of shape len(y)×len(x).",
        )
    rows = _legend_rows(list(lines))
    with canvas(title, height, left=40, right=14, top=12 + LINE * len(rows), bottom=26) as made:
        axes = made.axes
        levels = np.unique(np.quantile(surface, np.linspace(0.01, 0.96, LEVELS)))
        axes.contour(across, up, surface, levels=levels, colors=["#cbd2d9"], linewidths=0.9, linestyles="-")
        for number, line in enumerate(lines.values()):
            _path(axes, PALETTE[number % len(PALETTE)], line, np.array([np.ptp(across), np.ptp(up)]))
        axes.plot(*next(iter(lines.values()))[0], "o", color="white", markersize=9, markeredgecolor=INK, zorder=5)
        for place in np.reshape(np.asarray(lowest, float), (-1, 2)):
            axes.plot(*place, "x", color=INK, markersize=8, markeredgewidth=1.8, zorder=5)
        axes.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
        _legend(made, rows, height)
    return made.svg


def _path(axes: Any, color: str, line: Floats, extent: Floats) -> None:
    pixels = np.round(line / extent * WIDTH)
    seen = np.concatenate([[True], (np.diff(pixels, axis=0) != 0).any(1)])  # steps too short to see are left out
    axes.plot(*line[seen].T, color=color, linewidth=1.5, alpha=0.85)
    axes.plot(*line[:60].T, "o", color=color, markersize=2.8, markeredgewidth=0)
    axes.plot(*line[-1], "o", color=color, markersize=7, markeredgecolor="white", zorder=4)


def _legend_rows(names: list[str]) -> list[list[tuple[float, int, str]]]:
    """(left, number, name) of each name, in as many rows as their widths take."""
    rows: list[list[tuple[float, int, str]]] = [[]]
    widths = [1.12 * text_width(name, SMALL) + 30 for name in names]
    for number, (name, width) in enumerate(zip(names, widths)):
        left = rows[-1][-1][0] + widths[rows[-1][-1][1]] if rows[-1] else 12.0
        if left + width > WIDTH and rows[-1]:
            rows.append([])
            left = 12.0
        rows[-1].append((left, number, name))
    return rows


def _legend(made: Any, rows: list[list[tuple[float, int, str]]], height: float) -> None:
    for level, row in zip(accumulate([LINE] * len(rows)), rows):
        for left, number, name in row:
            made.figure.text(
                left / WIDTH, (height - level) / height, f"● {name}", color=PALETTE[number % len(PALETTE)],
                fontsize=SMALL, weight="bold", va="center",
            )  # fmt: skip
