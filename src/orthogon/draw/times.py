"""How long things take, beside what the machine allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from orthogon.draw.rows import ROW, rails, side_texts
from orthogon.draw.style import BLUE, SMALL, VERMILLION, axis_titles, canvas, text_width, wrap
from orthogon.errors import DataError

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def times(seconds: Mapping[str, float], *, limit: float, title: str, limit_label: str = "limit of the machine") -> str:
    """One dot per name on a logarithmic axis, from top to bottom, and a line at what cannot be undercut.

    seconds: name -> time, positive. limit: in seconds. DataError where there is nothing to draw, or a time below zero.
    """
    values = np.array([*seconds.values()], float)
    if not len(values) or not (values > 0).all() or not limit > 0:
        raise DataError(f"cannot draw the times {dict(seconds)} beside {limit} s", remedy="Give positive seconds.")
    names, texts = [wrap(name, 19) for name in seconds], [format_seconds(value) for value in values]
    left, right = max(map(text_width, names)) + 18, max(map(text_width, texts)) + 20
    height = ROW * (len(values) + 0.5) + 44
    with canvas(title, height, left=left, right=right, bottom=44, top=0.5 * ROW) as made:
        axes, rows = made.axes, np.arange(len(values))
        rails(axes, len(values))
        axes.axvline(limit, color=VERMILLION, linewidth=1.4)
        axes.hlines(rows, limit, values, color=BLUE, linewidth=1.2, alpha=0.4)
        axes.plot(values, rows, "o", color=BLUE, markersize=9, markeredgecolor="white")
        side_texts(axes, names, texts)
        axes.annotate(
            f"{limit_label}: {format_seconds(limit)}", (limit, 1), xycoords=("data", "axes fraction"), xytext=(4, 4),
            textcoords="offset points", color=VERMILLION, fontsize=SMALL,
        )  # fmt: skip
        _logarithmic(axes, min(limit, values.min()), max(limit, values.max()))
        axis_titles(axes, "time of one step (logarithmic)", "")
    return made.svg


def format_seconds(value: float) -> str:
    """With two significant digits in the largest unit that leaves at least 1: 0.00123 -> 1.2 ms."""
    size, unit = next((each for each in UNITS if value >= each[0]), UNITS[-1])
    return f"{float(f'{value / size:.2g}'):g} {unit}"


def _logarithmic(axes: Any, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    axes.set_xlim(low / 1.6, high * 1.6)
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(LogLocator(subs=(), numticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_seconds(value)))
