"""Figures as SVG strings that stand inside a page: small, named for screen readers, the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orthogon.draw.rows import ROW, airy, rails, side_texts
from orthogon.draw.style import BLUE, INK, MUTED, SMALL, TEXT, axis_titles, canvas, text_width, wrap
from orthogon.draw.tables import EstimateLike, format_number
from orthogon.errors import DataError

Floats = NDArray[np.float64]


def dots(
    rows: Sequence[tuple[str, EstimateLike]],
    *,
    title: str,
    x_label: str = "",
    percent: bool | None = None,
    connect: bool = False,
    highlight: Sequence[str] = (),
    faint: Sequence[str] = (),
) -> str:
    """Labelled dots with their intervals on one axis, from top to bottom: the gap ladder.

    rows:    (label, Estimate) pairs. percent: default: where the first unit is "rate".
    connect: a thin line from each dot to the next, so that the gaps between them show.
    highlight, faint: labels drawn in vermillion, and in grey.
    """
    rows = _not_empty(list(rows))
    percent = rows[0][1].unit == "rate" if percent is None else percent
    unit = "" if percent or rows[0][1].unit == "rate" else rows[0][1].unit
    factor = 100.0 if percent else 1.0
    labels = [wrap(label, 19) for label, _ in rows]
    values = [format_number(e.value, percent) for _, e in rows]
    left = min(160.0, max(text_width(label) for label in labels) + 18)
    right = max(text_width(value) for value in values) + 20
    height = ROW * len(rows) + (44 if x_label or unit or percent else 30)
    with canvas(title, height, left=left, right=right, bottom=height - ROW * len(rows) - 6, top=6) as made:
        axes, y = made.axes, np.arange(len(rows))
        colors = [_dot_color(label, highlight, faint) for label, _ in rows]
        rails(axes, len(rows))
        if connect:
            axes.plot([factor * e.value for _, e in rows], y, color="#9aa5b1", linewidth=1, zorder=2)
        for at, (_, e), color in zip(y, rows, colors):
            if np.isfinite([e.low, e.high]).all():
                span = [factor * e.low, factor * e.high]
                axes.plot(span, [at, at], color=color, linewidth=4, alpha=0.4, solid_capstyle="round")
            axes.plot([factor * e.value], [at], "o", color=color, markersize=9, markeredgecolor="white")
        side_texts(axes, labels, values)
        axis_titles(axes, x_label or ("percent" if percent else unit), "")
        airy(axes, [factor * x for _, e in rows for x in (e.value, e.low, e.high)])
    return made.svg


def _dot_color(label: str, highlight: Sequence[str], faint: Sequence[str]) -> str:
    from orthogon.draw.style import VERMILLION

    return VERMILLION if label in highlight else "#7b8794" if label in faint else BLUE


def bars(
    labels: Sequence[str],
    values: ArrayLike,
    lows: ArrayLike | None = None,
    highs: ArrayLike | None = None,
    *,
    title: str,
    x_label: str = "",
    percent: bool = False,
) -> str:
    """Bars from zero, one per label from top to bottom, with whiskers from lows to highs where given."""
    factor = 100.0 if percent else 1.0
    length = factor * np.asarray(_not_empty(np.asarray(values, float)))
    names = [wrap(label, 19) for label in labels]
    numbers = [format_number(value / factor, percent) for value in length]
    left = min(160.0, max(text_width(name) for name in names) + 18)
    right = max(text_width(number) for number in numbers) + 20
    row = ROW - 6
    height = row * len(length) + (44 if x_label else 30)
    with canvas(title, height, left=left, right=right, bottom=height - row * len(length) - 6, top=6) as made:
        axes, y = made.axes, np.arange(len(length))
        rails(axes, len(length))
        axes.barh(y, np.nan_to_num(length), height=0.56, color=BLUE, alpha=0.85)
        ends = list(length)
        if lows is not None and highs is not None:
            low, high = factor * np.asarray(lows, float), factor * np.asarray(highs, float)
            axes.hlines(y, low, high, color=INK, linewidth=1.4)
            ends += [*low, *high]
        side_texts(axes, names, numbers)
        axis_titles(axes, x_label, "")
        airy(axes, [0.0, *ends])
        if np.nanmin(ends) >= 0:
            axes.set_xlim(left=0)
        axes.axvline(0, color=MUTED, linewidth=0.8)
    return made.svg


def histogram(values: ArrayLike, *, title: str, x_label: str = "", bins: int | None = None) -> str:
    """How often values fall where; values that are not finite are left out.

    bins: default: by the Freedman-Diaconis or Sturges rule (NumPy's "auto"), at most 40.
    """
    flat = np.asarray(values, float).ravel()
    finite = _not_empty(flat[np.isfinite(flat)])
    if np.ptp(finite) <= 1e-12 * np.abs(finite).max():  # the same number but for rounding, too narrow for bins
        finite = np.full_like(finite, finite[0])
    edges = np.histogram_bin_edges(finite, bins or min(40, _automatic_bins(finite)))
    counts, edges = np.histogram(finite, edges)
    with canvas(title, 226, left=52, top=30, bottom=40) as made:
        axes = made.axes
        axes.stairs(counts, edges, fill=True, color=BLUE, alpha=0.85)
        axes.set_xlim(edges[0], edges[-1])
        _count_axis(axes)
        axis_titles(axes, x_label, "examples")
    return made.svg


def _automatic_bins(finite: Floats) -> int:
    """The number that NumPy's "auto" would choose, without building edges for far outliers."""
    quartiles = np.percentile(finite, [25, 75])
    width = 2 * float(quartiles[1] - quartiles[0]) / finite.size ** (1 / 3)
    sturges = int(np.log2(finite.size)) + 1
    return max(sturges, int(min(40, np.ptp(finite) / width))) if width > 0 else sturges


def _count_axis(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y")


def scatter(
    target: ArrayLike,
    prediction: ArrayLike,
    *,
    title: str,
    x_label: str = "target",
    y_label: str = "prediction",
    points: int = 450,
) -> str:
    """Predictions against targets and the line where both are equal; at most `points` evenly chosen examples."""
    x, y = np.asarray(target, float).ravel(), np.asarray(prediction, float).ravel()
    _same_length(x, y)
    keep = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    keep = _not_empty(keep[np.linspace(0, len(keep) - 1, min(points, len(keep))).round().astype(int)])
    x, y = x[keep], y[keep]
    with canvas(title, 394, left=58, top=30, bottom=40, right=16) as made:
        axes = made.axes
        low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
        air = 0.04 * (high - low) or 0.5
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, dashes=(4, 3))
        axes.plot(x, y, "o", color=BLUE, markersize=4.5, alpha=0.45, markeredgewidth=0)
        axes.set(xlim=(low - air, high + air), ylim=(low - air, high + air))
        axes.grid()
        axis_titles(axes, x_label, y_label)
    return made.svg


def calibration(
    bins: Sequence[tuple[float, EstimateLike]],
    *,
    title: str,
    x_label: str = "stated confidence, %",
    y_label: str = "share that was right, %",
) -> str:
    """The reliability diagram: (mean stated confidence in [0, 1], Estimate of the share right) per bin.

    A calibrated model lies on the dashed line. Below: how many examples each bin holds. Empty bins are left
    out.
    """
    filled = _not_empty([(c, e) for c, e in bins if e.n > 0])
    x = 100 * np.array([c for c, _ in filled])
    y, low, high = (100 * np.array([getattr(e, end) for _, e in filled]) for end in ("value", "low", "high"))
    counts = np.array([e.n for _, e in filled])
    with canvas(title, 414, left=52, top=30, bottom=106, right=16) as made:
        axes = made.axes
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, dashes=(4, 3))
        axes.fill_between(x, low, high, color=BLUE, alpha=0.15, linewidth=0)
        axes.vlines(x, low, high, color=BLUE, linewidth=1.4, alpha=0.6)
        axes.plot(x, y, "o-", color=BLUE, linewidth=1.6, markersize=6, markeredgecolor="white")
        axes.set(xlim=(0, 102), ylim=(0, 102), xticklabels=[])
        axes.grid()
        axis_titles(axes, "", y_label)
        _confidence_counts(made.figure, x, counts, x_label)
    return made.svg


def _confidence_counts(figure: Any, x: Floats, counts: NDArray, x_label: str) -> None:
    axes = figure.add_axes((52 / 420, 40 / 414, (420 - 68) / 420, 54 / 414))
    gaps = [b - a for a, b in pairwise(x)]
    axes.bar(x, counts, width=max(1.5, min([8.0, *(0.7 * gap for gap in gaps)])), color="#9aa5b1")
    axes.set(xlim=(0, 102), ylim=(0, 1.1 * counts.max()), yticks=[])
    axes.annotate(
        f"examples (tallest: {counts.max():,})", (0, 1), xycoords="axes fraction", xytext=(4, -2),
        textcoords="offset points", fontsize=SMALL, color=MUTED, va="top",
    )  # fmt: skip
    axes.set_xlabel(x_label, labelpad=6)


def confusion(matrix: ArrayLike, labels: Sequence[str], *, title: str) -> str:
    """The confusion matrix as a heat map: rows are truth, columns predictions, shade the share of the row.

    matrix: K × K counts; numbers are written for up to 20 classes, labels for up to 40.
    """
    counts = np.asarray(matrix, float)
    size = len(labels)
    if counts.shape != (size, size) or size == 0:
        raise DataError(
            f"a confusion matrix of shape {counts.shape} for {size} labels", remedy="Give K x K and K labels."
        )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    names = [wrap(label, 14, 1) for label in labels]
    text = TEXT if size <= 8 else max(7.0, 15 - 0.4 * size)
    side = min(120.0, max(text_width(name, text) for name in names) + 8) if size <= 40 else 12.0
    level = size <= 12 and max(text_width(name, text) for name in names) < 330 / size
    top = (26 + text) if level else 20 + side
    width = 420 - 28 - side - 10
    with canvas(title, width + top + 10, left=28 + side, right=10, top=top, bottom=10, dense=12 < size <= 40) as made:
        _heat(made.axes, shares)
        _class_names(made.axes, names if size <= 40 else [], text, level)
        if size <= 20:
            _cell_counts(made.axes, counts, shares, text, width / size)
    return made.svg


def _heat(axes: Any, shares: Floats) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("calm", ["#f5f7fa", "#a9cde6", BLUE, "#003f63"])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1, interpolation="none", aspect="auto")
    edges = np.arange(1, len(shares)) - 0.5
    if len(shares) <= 40:
        axes.hlines(edges, -0.5, len(shares) - 0.5, color="white", linewidth=1)
        axes.vlines(edges, -0.5, len(shares) - 0.5, color="white", linewidth=1)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _class_names(axes: Any, names: list[str], text: float, level: bool) -> None:
    axes.xaxis.set_ticks_position("top")
    at = np.arange(len(names))
    turn = {} if level else {"rotation": 90, "rotation_mode": "anchor", "ha": "left", "va": "center"}
    axes.set_xticks(at, names, fontsize=text, color=INK, **turn)
    axes.set_yticks(at, names, fontsize=text, color=INK)
    axes.tick_params(pad=4)
    place = {"textcoords": "offset points", "fontsize": SMALL, "color": MUTED}
    axes.annotate(
        "predicted →",
        (0, 1),
        xycoords=("axes fraction", "figure fraction"),
        xytext=(0, -4),
        va="top",
        **place,
    )
    axes.annotate(
        "true →", (0, 0), xycoords=("figure fraction", "axes fraction"), xytext=(12, 4), rotation=90,
        rotation_mode="anchor", **place,
    )  # fmt: skip


def _cell_counts(axes: Any, counts: Floats, shares: Floats, text: float, cell: float) -> None:
    for row, column in zip(*np.nonzero(counts)):
        label = f"{counts[row, column]:,.0f}"
        fit = min(text, 0.9 * cell / max(0.6 * len(label), 1))
        color = "white" if shares[row, column] > 0.45 else INK
        axes.text(column, row, label, ha="center", va="center_baseline", color=color, fontsize=round(fit, 1))


def _not_empty(rows: Any) -> Any:
    if len(rows) == 0:
        raise DataError("there is nothing to draw", remedy="Check the filter or the split.")
    return rows


def _same_length(a: NDArray, b: NDArray) -> None:
    if len(a) != len(b):
        raise DataError(f"{len(a):,} and {len(b):,} values cannot be drawn in pairs", remedy="Give equally many.")
