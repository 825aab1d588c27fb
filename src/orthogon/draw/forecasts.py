"""Forecasts beside what came, and errors by the steps ahead, as pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orthogon.draw.style import BLUE, INK, MUTED, PALETTE, PAPER, RC

COLUMNS, DOTS = 2, 100


class Shown(NamedTuple):
    """One forecast. title: of its place in time. past (T,), truth (H,), forecast (H,): numbers, NaN where missing.
    delay: steps between the last of the past and the first of the others."""

    title: str
    past: NDArray
    truth: NDArray
    forecast: NDArray
    delay: int


def draw_forecasts(shown: Sequence[Shown], unit: str) -> NDArray[np.uint8]:
    """A panel for each forecast, H×W×3 uint8: grey the past, black what came, blue what was forecast; all to one scale.

    unit: what the numbers are.
    """
    lines = -(-len(shown) // COLUMNS)

    def draw(figure: Any) -> None:
        panels = figure.subplots(lines, COLUMNS, sharey=True, squeeze=False).ravel()
        for panel, each in zip(panels, shown):
            ahead = np.arange(each.delay + 1, each.delay + 1 + len(each.truth))
            mark = "." if len(ahead) == 1 else ""
            panel.plot(np.arange(1 - len(each.past), 1), each.past, color=MUTED, linewidth=1)
            panel.plot(ahead, each.truth, color=INK, linewidth=1.4, marker=mark)
            panel.plot(ahead, each.forecast, color=BLUE, linewidth=1.8, marker=mark)
            panel.axvline(0, color=MUTED, linewidth=0.6, linestyle=":")
            panel.set_title(each.title, fontsize=9, loc="left", color=MUTED)
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        for panel in panels[::COLUMNS]:
            panel.set_ylabel(unit)

    return _pixels(draw, (8.4, 1.9 * lines))


def draw_by_step(errors: Mapping[str, NDArray], delay: int = 0) -> NDArray[np.uint8]:
    """A line for each model, H×W×3 uint8. errors: name -> mean absolute error of each step ahead (H,)."""
    def draw(figure: Any) -> None:
        plane = figure.subplots()
        for (name, each), color in zip(errors.items(), PALETTE):
            plane.plot(np.arange(delay + 1, delay + 1 + len(each)), each, color=color, label=name)
        plane.set(xlabel="steps ahead", ylabel="mean absolute error")
        plane.set_ylim(bottom=0)
        plane.legend(frameon=False)

    return _pixels(draw, (6.0, 3.4))


def _pixels(draw: Any, inches: tuple[float, float]) -> NDArray[np.uint8]:
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=inches, dpi=DOTS, facecolor=PAPER, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
