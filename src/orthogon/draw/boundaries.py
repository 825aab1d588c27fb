"""Where networks of two inputs draw the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.draw.style import BLUE, INK, SMALL, TEXT, VERMILLION, WIDTH, canvas
from orthogon.errors import DataError

Floats = NDArray[np.float64]
GRID = 81
GAP, HEAD = 18.0, 24.0


def boundaries(
    panels: Mapping[str, Callable[[Floats], ArrayLike]], points: ArrayLike, labels: ArrayLike, *, title: str
) -> str:
    """One square per network: the side of each class shaded, the boundary between them, and the examples.

    panels: name -> function of points n×2 that gives the probability of class 1 (n); the boundary is at 1/2.
    points: n×2. labels: 0 or 1 for each; or a row of them for each network.
    """
    at, of = np.asarray(points, float), np.asarray(labels)
    shapes = ((len(at),), (len(panels), len(at)))
    if not panels or at.shape != (len(at), 2) or of.shape not in shapes or not np.isin(of, (0, 1)).all():
        raise DataError(
            f"cannot draw boundaries of {len(panels)} networks through points {at.shape} with labels {of.shape}",
            remedy="Give at least one network, points n×2, and a label 0 or 1 for each.",
        )
    columns = len(panels) if len(panels) < 4 else 2 if len(panels) == 4 else 3
    rows = -(-len(panels) // columns)
    side = min(220.0, (WIDTH - GAP * (columns + 1)) / columns)
    height = rows * (side + HEAD) + GAP / 2
    with canvas(title, height) as made:
        made.axes.remove()
        indent = (WIDTH - columns * side - (columns - 1) * GAP) / 2
        each = np.broadcast_to(of, shapes[1])
        for number, (name, score) in enumerate(panels.items()):
            row, column = divmod(number, columns)
            left, top = indent + column * (side + GAP), height - row * (side + HEAD) - HEAD
            axes = made.figure.add_axes((left / WIDTH, (top - side) / height, side / WIDTH, side / height))
            _panel(axes, name, score, at, each[number])
    return made.svg


def _panel(axes: Any, name: str, score: Callable[[Floats], ArrayLike], points: Floats, labels: NDArray) -> None:
    low, high = points.min(0), points.max(0)
    air = 0.25 * (high - low) + 1e-9
    x, y = (np.linspace(low[k] - air[k], high[k] + air[k], GRID) for k in (0, 1))
    grid = np.stack(np.meshgrid(x, y), -1)
    found = np.asarray(score(grid.reshape(-1, 2)), float).reshape(GRID, GRID)
    axes.contourf(x, y, found, levels=[-np.inf, 0.5, np.inf], colors=[BLUE, VERMILLION], alpha=0.16)
    if found.min() < 0.5 < found.max():
        axes.contour(x, y, found, levels=[0.5], colors=[INK], linewidths=1.4)
    for of, color, marker in ((0, BLUE, "o"), (1, VERMILLION, "s")):
        chosen = points[labels == of]
        size = 8 if len(points) < 20 else 4
        axes.plot(*chosen.T, marker, color=color, markersize=size, markeredgecolor="white", markeredgewidth=0.8)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), xticks=[], yticks=[])
    axes.set_title(name, fontsize=TEXT if len(name) < 22 else SMALL, color=INK, pad=6)
