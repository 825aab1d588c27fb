"""Tables and numbers as HTML and as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite
from numbers import Integral, Real
from typing import Any, Protocol, runtime_checkable

from orthogon.errors import DataError

NOTHING = "–"


@runtime_checkable
class EstimateLike(Protocol):
    """What is drawn and written as a number with its interval."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def n(self) -> int: ...
    @property
    def unit(self) -> str: ...


class Raw(str):
    """HTML that was made by Orthogon and is put in as it is; everything else is escaped."""

    __slots__ = ()


def format_number(value: float, percent: bool = False, unit: str = "") -> str:
    """One number: `94.1 %`, `0.1235 m`, or a dash for NaN."""
    if not isfinite(value):
        return NOTHING
    if percent:
        return f"{100 * value:.1f} %"
    return f"{value:.4g} {unit}".rstrip()


def format_estimate(estimate: EstimateLike, percent: bool | None = None) -> str:
    """A number with its interval and n: `94.1 % [93.0, 95.1], n = 2,000`.

    percent: default: where the unit is "rate". Without an interval: `94.1 %, n = 2 (no interval)`.
    """
    percent = estimate.unit == "rate" if percent is None else percent
    unit = "" if estimate.unit == "rate" else estimate.unit
    value, n = format_number(estimate.value, percent, unit), f"n = {estimate.n:,}"
    if not (isfinite(estimate.low) and isfinite(estimate.high)):
        return f"{value}, {n} (no interval)"
    ends = [f"{100 * end:.1f}" if percent else f"{end:.4g}" for end in (estimate.low, estimate.high)]
    return f"{value} [{', '.join(ends)}], {n}"


def format_cell(cell: Any) -> str:
    """A cell as plain text: estimates with interval, whole numbers with thousands, others to 4 figures."""
    if cell is None:
        return NOTHING
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Integral):
        return f"{int(cell):,}"
    if isinstance(cell, Real):
        return format_number(float(cell))
    return format_estimate(cell) if isinstance(cell, EstimateLike) else str(cell)


def html_table(headers: Sequence[Any], rows: Sequence[Sequence[Any]], *, caption: str = "", align: str = "") -> str:
    """A table as HTML; every header, cell and caption is escaped, except `Raw`.

    align: one letter per column, l, r or c; default: right for columns of numbers, else left.
    Raises DataError where a row's length is not that of the headers.
    """
    align = _alignment(headers, rows, align)
    names = {"l": "", "r": ' class="r"', "c": ' class="c"'}
    kinds = [names[letter] for letter in align]
    head = "".join(f'<th scope="col"{kind}>{_html(cell)}</th>' for kind, cell in zip(kinds, headers))
    lines = ("".join(f"<td{kind}>{_html(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    table = f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    label = escape(caption or "table")
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{table}</div>'


def text_table(headers: Sequence[Any], rows: Sequence[Sequence[Any]], *, align: str = "") -> str:
    """A table as aligned plain text for terminals and logs; `align` as in `html_table`."""
    align = _alignment(headers, rows, align)
    cells = [[_one_line(cell) for cell in row] for row in [headers, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headers))]
    pad = {"l": str.ljust, "r": str.rjust, "c": str.center}
    lines = ["  ".join(pad[a](c, w) for a, c, w in zip(align, row, widths)).rstrip() for row in cells]
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)


def _one_line(cell: Any) -> str:
    """No line breaks and no control characters, which a terminal would obey."""
    text = " ".join(format_cell(cell).split())
    return "".join(letter for letter in text if letter.isprintable())


def _html(cell: Any) -> str:
    return str(cell) if isinstance(cell, Raw) else escape(format_cell(cell))


def _alignment(headers: Sequence[Any], rows: Sequence[Sequence[Any]], align: str) -> str:
    for number, row in enumerate(rows):
        if len(row) != len(headers):
            raise DataError(
                f"a table of {len(headers)} columns has a row of {len(row)} cells",
                remedy="Give every row one cell per header.",
                where=f"row {number}",
            )
    if align and (len(align) != len(headers) or set(align) - set("lrc")):
        raise DataError(f"align is {align!r}", remedy=f"Give {len(headers)} letters, each l, r or c.")
    return align or "".join(_default_align([row[i] for row in rows]) for i in range(len(headers)))


def _default_align(column: list[Any]) -> str:
    numbers = [isinstance(cell, Real | EstimateLike) and not isinstance(cell, bool) for cell in column]
    filled = [number for number, cell in zip(numbers, column) if cell is not None]
    return "r" if filled and all(filled) else "l"
