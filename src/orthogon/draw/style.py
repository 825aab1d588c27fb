"""The one place for how figures look: size, colors, type, and the way from matplotlib to compact SVG."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from orthogon.draw.svg import Svg, compact

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 420  # points; drawn narrow, so that text stays readable on a phone
TEXT = 12.5
SMALL = 11.0
INK, MUTED, GRID, PAPER = "#1f2933", "#52606d", "#e4e7eb", "#ffffff"

# Okabe & Ito (2008), "Color Universal Design": told apart with any common color vision
BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#f0e442",
)
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), "-", (0, (6, 2)))

RC: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelcolor": MUTED,
    "axes.labelsize": SMALL,
    "axes.edgecolor": "#9aa5b1",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 5),
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 6,
    "lines.linewidth": 2,
    "path.simplify": False,
}


class Canvas:
    """A figure in the making: its axes while drawing, its SVG once done."""

    def __init__(self, figure: Figure, axes: Axes) -> None:
        self.figure, self.axes = figure, axes
        self.svg = Svg()


@contextmanager
def canvas(
    title: str,
    height: float,
    *,
    left: float = 12,
    right: float = 12,
    top: float = 12,
    bottom: float = 40,
    dense: bool = False,
) -> Iterator[Canvas]:
    """A figure WIDTH × height with margins in points; `.svg` is set when the block ends."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**RC, "svg.hashsalt": title}):
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        box = (
            left / WIDTH,
            bottom / height,
            (WIDTH - left - right) / WIDTH,
            (height - top - bottom) / height,
        )
        made = Canvas(figure, figure.add_axes(box))
        yield made
        made.svg = compact(_raw(figure), title, dense=dense)


def _raw(figure: Figure) -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = StringIO()
    with warnings.catch_warnings():  # a glyph that matplotlib's font lacks: the text stays text, the reader has fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    return text.getvalue()


def text_width(text: str, size: float = TEXT) -> float:
    """The width of the widest line in points, a little generous."""
    return max((len(line) for line in text.split("\n")), default=0) * size * 0.6


def wrap(text: str, characters: int, lines: int = 2) -> str:
    """The text on at most so many lines, cut with an ellipsis."""
    import textwrap

    found = textwrap.wrap(str(text), characters, max_lines=lines, placeholder="…", break_long_words=True)
    return "\n".join(found)


def axis_titles(axes: Axes, x_label: str, y_label: str) -> None:
    """The x label under the axis; the y label level above its top, where it needs no turned head."""
    axes.set_xlabel(x_label, labelpad=6)
    if y_label:
        axes.annotate(
            y_label, (0, 1), xycoords=("figure fraction", "axes fraction"), xytext=(12, 10),
            textcoords="offset points", color=MUTED, fontsize=SMALL,
        )  # fmt: skip
