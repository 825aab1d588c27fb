"""Which token of the source each token of the output attended to, as pictures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.style import GRID, PAPER, RC

CELL, DOTS = 0.2, 90
"""Inches of a cell, and dots of an inch."""


class AttentionMap(NamedTuple):
    """weights T×S, each row adding up to 1. written: T tokens. source: S tokens."""

    weights: NDArray
    written: Sequence[str]
    source: Sequence[str]


def attention_maps(maps: Sequence[AttentionMap], columns: int = 2) -> NDArray[np.uint8]:
    """The maps beside each other, H×W×3 uint8: sources from left to right, what was written from top to bottom, the
    darker the more it was attended to."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wide, rows = min(columns, len(maps)), -(-len(maps) // columns)
    side = CELL * max(max(len(each.source), len(each.written)) for each in maps) + 1.2
    with matplotlib.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(wide * side, rows * side), dpi=DOTS, facecolor=PAPER, layout="constrained")
        canvas, planes = FigureCanvasAgg(figure), figure.subplots(rows, wide, squeeze=False).ravel()
        for plane, each in zip(planes, maps):
            _draw(plane, each)
        for plane in planes[len(maps) :]:
            plane.set_axis_off()
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def _draw(plane: Any, each: AttentionMap) -> None:
    plane.imshow(each.weights, cmap="Blues", vmin=0, vmax=1)
    plane.set_xticks(range(len(each.source)), each.source)
    plane.set_yticks(range(len(each.written)), each.written)
    plane.xaxis.tick_top()
    if max(map(len, each.source)) > 1:
        plane.tick_params("x", labelrotation=90)
    plane.tick_params(labelsize=9)
    for edge in plane.spines.values():
        edge.set(color=GRID, visible=True)
