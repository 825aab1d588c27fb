"""Points of a plane by class, as pixels: what codes and encodings look like from above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.style import MUTED, PAPER, RC

MOST = 3000
"""Points that are drawn."""

INCHES, DOTS = 5.4, 100


def code_map(points: NDArray, labels: NDArray, names: Sequence[str], axes: tuple[str, str]) -> NDArray[np.uint8]:
    """A dot for each point, colored by class, the name of each class at its median. H×W×3 uint8.

    points: N×2. labels: int (N,), places in `names`; those outside are drawn grey. axes: what the directions are.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points, labels = np.asarray(points, dtype=np.float64)[:MOST], np.asarray(labels)[:MOST]
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(INCHES, INCHES), dpi=DOTS, facecolor=PAPER, layout="constrained")
        canvas, plane = FigureCanvasAgg(figure), figure.add_subplot()
        _dots(plane, points, labels, names)
        plane.set(xlabel=axes[0], ylabel=axes[1])
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _dots(plane: Any, points: NDArray, labels: NDArray, names: Sequence[str]) -> None:
    import matplotlib
    from matplotlib.patheffects import withStroke

    colors = matplotlib.colormaps["tab10" if len(names) <= 10 else "tab20"]
    dots = {"s": 10, "alpha": 0.6, "linewidths": 0}
    unknown = (labels < 0) | (labels >= len(names))
    plane.scatter(*points[unknown].T, color=MUTED, **dots)
    for code, name in enumerate(names):
        own = points[labels == code]
        if not len(own):
            continue
        plane.scatter(*own.T, color=[colors(code % colors.N)], **dots)
        plane.text(*np.median(own, axis=0), name, ha="center", va="center", weight="bold",
                   color=colors(code % colors.N), path_effects=[withStroke(linewidth=3, foreground=PAPER)])
