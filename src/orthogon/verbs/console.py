"""What a person reads while a verb works: labelled lines, and one table of scores with their intervals."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple, TextIO

from orthogon.draw.tables import EstimateLike

LABEL = 12
NARROW, WIDE = 60, 110


class Row(NamedTuple):
    """A line of the table of scores: whose, how good, and what there is to say about it."""

    label: str
    estimate: EstimateLike
    note: str = ""


class Console:
    """Prints as it is told to, at once.

    quiet: print nothing. json: print to standard error, because standard output is for one JSON object.
    """

    def __init__(self, quiet: bool = False, json: bool = False) -> None:
        self.quiet, self.json = quiet, json

    @property
    def stream(self) -> TextIO:
        return sys.stderr if self.json else sys.stdout

    def line(self, label: str, text: str) -> None:
        """A label and a text, wrapped beside it."""
        self._print(labelled(label, text))

    def table(self, rows: Sequence[Row], heading: str = "error") -> None:
        """Scores one below the other; rates in percent, everything else in its unit."""
        if rows:
            self._print(score_table(rows, heading))

    def _print(self, text: str) -> None:
        if not self.quiet:
            print(text, file=self.stream, flush=True)


def labelled(label: str, text: str, width: int | None = None) -> str:
    """`digits      1,797 pictures …`, longer texts wrapped under their first line.

    width: default: the terminal's, between 60 and 110. A label of 12 letters or more has a line of its own.
    """
    width = max(NARROW, min(WIDE, shutil.get_terminal_size((WIDE, 24)).columns)) if width is None else width
    lines = [
        piece
        for paragraph in text.splitlines() or [""]
        for piece in textwrap.wrap(paragraph, width - LABEL, break_long_words=False, break_on_hyphens=False) or [""]
    ]
    head = [f"{label:<{LABEL}}{lines[0]}"] if len(label) < LABEL else [label, " " * LABEL + lines[0]]
    return "\n".join(each.rstrip() for each in [*head, *(" " * LABEL + line for line in lines[1:])])


def score_table(rows: Sequence[Row], heading: str = "error") -> str:
    """Label, value, 95 % interval, n and note, aligned; a dash where there is no interval."""
    unit = rows[0].estimate.unit
    percent = unit == "rate"
    title = f"{heading} %" if percent else f"{heading} ({unit})" if unit.lower() not in ("", heading) else heading
    values = [_number(row.estimate.value, percent) for row in rows]
    ends = [(_number(row.estimate.low, percent), _number(row.estimate.high, percent)) for row in rows]
    wide = max(len(end) for pair in ends for end in pair)
    spans = [
        f"[{low:>{wide}}, {high:>{wide}}]" if isfinite(row.estimate.low) and isfinite(row.estimate.high) else "–"
        for row, (low, high) in zip(rows, ends)
    ]
    counts = [f"{row.estimate.n:,}" for row in rows]
    columns = [_column(title, values), _column("95 % interval", spans), _column("n", counts)]
    labels = max(LABEL, max(len(row.label) for row in rows) + 2)
    notes = ["", *(row.note for row in rows)]
    lines = [
        f"{label:<{labels}}{'   '.join(column[i] for column in columns)}     {notes[i]}".rstrip()
        for i, label in enumerate(["", *(row.label for row in rows)])
    ]
    return "\n".join(lines)


def _column(title: str, cells: Sequence[str]) -> list[str]:
    width = max(len(title), *(len(cell) for cell in cells))
    return [f"{cell:>{width}}" for cell in (title, *cells)]


def _number(value: float, percent: bool) -> str:
    if not isfinite(value):
        return "–"
    return f"{100 * value:.1f}" if percent else f"{value:.4g}"
