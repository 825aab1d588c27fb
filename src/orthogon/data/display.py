"""How a data set shows itself: pictures as a contact sheet, tables with their types; in notebooks, terminals, files."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    ImageColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from orthogon.data.dataset import PARTS, Dataset
from orthogon.data.masks import MaskColumn
from orthogon.data.pictures import DETAILED, SMALL, materialize, network_size
from orthogon.data.target_columns import ObjectColumn
from orthogon.data.target_drawing import with_targets
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

_LONG = 40
_TEXTS = 100
"""Letters of a line that its texts share."""
_MOST_COLUMNS = 60
_MOST_SHOWN_COLUMNS = 12
_ROWS = 8
_CELL = 128


def show(data: Dataset, count: int = 24, *, size: tuple[int, int] | None = None, fit: str = "crop") -> Shown:
    """Up to `count` examples, spread over the classes, as a network will see them.

    size: (H, W) of the pictures, default `network_size`; fit: as in `materialize`. The result draws itself in a
    notebook, prints itself, and has `save(path)`.
    """
    if count < 1:
        raise DataError(f"cannot show {count} examples", remedy="Give a number of at least 1.")
    return Shown(data, choose(data, count), size, fit)


def html(data: Dataset) -> str:
    """The HTML that stands for a data set in a notebook."""
    return show(data)._repr_html_()


def choose(data: Dataset, count: int) -> np.ndarray:
    """Int rows, the same on every call: in turn from each class, evenly over its examples; else evenly over all."""
    target = data.columns.get(data.target or "")
    if not isinstance(target, CategoryColumn) or count >= len(data):
        return np.unique(np.linspace(0, len(data) - 1, min(count, len(data))).astype(np.int64))
    classes = [np.flatnonzero(target.codes == code) for code in np.unique(target.codes)]
    turns = -(-count // len(classes))
    picked = [rows[np.unique(np.linspace(0, len(rows) - 1, turns).astype(np.int64))] for rows in classes]
    order = [rows[turn] for turn in range(turns) for rows in picked if turn < len(rows)]
    return np.array(order[:count])


@dataclass(frozen=True)
class Shown:
    """A data set with the rows that are to be shown."""

    data: Dataset
    rows: np.ndarray
    size: tuple[int, int] | None = None
    fit: str = "crop"

    @property
    def picture_column(self) -> ImageColumn | None:
        """The first column of pictures."""
        return next((column for column in self.data.columns.values() if isinstance(column, ImageColumn)), None)

    @cached_property
    def sheet(self) -> Image.Image:
        """The contact sheet, each picture over its label and id; masks, boxes and points that are to be predicted are
        drawn in. DataError where the data has no pictures."""
        from orthogon.draw.images import contact_sheet

        column = self.picture_column
        if column is None:
            raise DataError("this data has no pictures to make a contact sheet of", where=self.data.name)
        small = column.take(self.rows)
        pixels = materialize(small, self.size or network_size(column), self.fit)
        side = max(pixels.shape[2:])
        cell = side * max(1, _CELL // side)  # a whole multiple: every pixel stays a square
        pictures = [picture.transpose(1, 2, 0) for picture in pixels]
        target = self.data.columns.get(self.data.target or "")
        if target is not None:
            pictures = with_targets(pictures, target.take(self.rows), small.sizes, self.fit)
        return contact_sheet(pictures, self.captions(), columns=8, cell=max(cell, _CELL // 2))

    def captions(self) -> list[str]:
        """Two lines for each shown row: the target, then the id."""
        target = self.data.columns.get(self.data.target or "")
        labels = [_caption(target, int(row)) if target is not None else "" for row in self.rows]
        # Of a file in the folder of its class the file name says the rest.
        ids = [name.removeprefix(f"{label}/") for label, name in zip(labels, self.data.ids[self.rows].tolist())]
        ids = [name if len(name) <= 18 else "…" + name[-17:] for name in ids]
        return [f"{label}\n{name}" if label else name for label, name in zip(labels, ids)]

    def save(self, path: str | Path) -> Path:
        """Writes .png (pictures only), .html (one file, offline) or .txt; DataError for another suffix."""
        path = Path(path)
        if path.suffix == ".png":
            self.sheet.save(path)
        elif path.suffix in (".html", ".htm"):
            from orthogon.draw.page import Page

            path.write_text(Page(self.data.name, subtitle=headline(self.data)).html(self._body()).render(), "utf-8")
        elif path.suffix == ".txt":
            path.write_text(str(self) + "\n", "utf-8")
        else:
            raise DataError(f"cannot save as {path.suffix or 'a file without suffix'}", where=str(path),
                            remedy="Known: .png (pictures), .html, .txt.")
        return path

    def _repr_html_(self) -> str:
        return f"<div><strong>{escape(self.data.name)}</strong> {escape(headline(self.data))}{self._body()}</div>"

    def _body(self) -> str:
        from orthogon.draw.tables import html_table

        parts = []
        if self.picture_column is not None:
            import base64

            stream = io.BytesIO()
            self.sheet.save(stream, "PNG", optimize=True)
            address = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
            parts.append(f'<img alt="{escape(self._alternative())}" style="max-width:100%" src="{address}">')
        else:
            parts.append(html_table(*self.examples(), caption="examples"))
        parts.append(html_table(COLUMN_HEADERS, column_rows(self.data), caption="columns"))
        if notes := remarks(self.data):
            parts.append("<ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>")
        return "".join(parts)

    def _alternative(self) -> str:
        return f"{len(self.rows)} pictures of {self.data.name}"

    def examples(self) -> tuple[list[str], list[list[str]]]:
        """Headers and cells of the first shown rows, the target last; at most a dozen columns."""
        names = list(self.data.inputs)[:_MOST_SHOWN_COLUMNS]
        if self.data.target:
            names.append(self.data.target)
        columns = [self.data.columns[name] for name in names]
        texts = sum(isinstance(column, TextColumn | TokensColumn | TagsColumn) for column in columns)
        most = max(_LONG, _TEXTS // max(1, texts))
        rows = [
            [str(self.data.ids[row]), *(cell_text(column, int(row), most) for column in columns)]
            for row in self.rows[:_ROWS]
        ]
        return ["id", *names], rows

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        parts = [f"{self.data.name}  {headline(self.data)}", text_table(COLUMN_HEADERS, column_rows(self.data))]
        if self.picture_column is None:
            parts.append(text_table(*self.examples()))
        if notes := remarks(self.data):
            parts.append("\n".join(f"- {note}" for note in notes))
        return "\n\n".join(parts)

    __repr__ = __str__


COLUMN_HEADERS = ["column", "type", "missing", "distinct", "range or most frequent values"]


def headline(data: Dataset) -> str:
    """One line: how many of what, how many classes, which parts and sources."""
    column = next((column for column in data.columns.values() if isinstance(column, ImageColumn)), None)
    what = f"{len(data):,} rows, {len(data.columns)} column{'' if len(data.columns) == 1 else 's'}"
    if column is not None:
        detailed = isinstance(data.columns.get(data.target or ""), MaskColumn)
        native, seen = column.uniform_size, network_size(column, most=DETAILED if detailed else SMALL)
        size = f"{native[0]}×{native[1]}" if native else "of many sizes"
        what = f"{len(data):,} pictures {size}, {'grey' if column.channels == 1 else 'RGB'}"
        what += f", seen at {seen[0]}×{seen[1]}" if native != seen else ""
    target = data.columns.get(data.target or "")
    parts = [what]
    if isinstance(target, CategoryColumn):
        parts.append(f"{len(target.levels)} classes")
    if target is not None:
        parts.append(f"target {data.target!r}")
    for name, values in (("parts", data.part), ("sources", data.source)):
        if values is not None:
            parts.append(f"{name} " + ", ".join(f"{kind or 'none'} {n:,}" for kind, n in _counted(values)))
    if data.group is not None:
        parts.append(f"{len(np.unique(data.group)):,} groups")
    return "; ".join(parts)


def _counted(values: np.ndarray) -> list[tuple[str, int]]:
    """Values with their counts: parts in their order, everything else by name."""
    kinds, counts = np.unique(values, return_counts=True)
    pairs = zip(kinds.tolist(), counts.tolist())
    return sorted(pairs, key=lambda pair: (PARTS.index(pair[0]) if pair[0] in PARTS else len(PARTS), pair[0]))


def remarks(data: Dataset) -> list[str]:
    """What one must know: the card's notes, then the findings of reading (the first ten)."""
    notes = [*data.card.notes]
    notes += [f"{finding.severity}: {finding.where} {finding.what}".strip() for finding in data.findings[:10]]
    if len(data.findings) > 10:
        notes.append(f"and {len(data.findings) - 10:,} more findings: `orthogon check` lists them")
    return notes


def column_rows(data: Dataset) -> list[list[Any]]:
    """One row for each column (the first sixty): name, type, missing, distinct values, range or frequent values."""
    rows = []
    for name, column in list(data.columns.items())[:_MOST_COLUMNS]:
        label = f"{name} (target)" if name == data.target else name
        distinct, what = describe(column)
        rows.append([label, kind_of(column), int(column.missing().sum()), distinct, what])
    hidden = len(data.columns) - len(rows)
    if hidden:
        rows.append([f"and {hidden:,} more", "", None, None, ""])
    return rows


def kind_of(column: Column) -> str:
    """The kind, with the width of a block of numbers or labels."""
    if isinstance(column, NumberColumn) and column.width > 1:
        return f"number × {column.width}"
    return f"labels × {len(column.names)}" if isinstance(column, LabelsColumn) else column.kind


def describe(column: Column) -> tuple[int | None, str]:
    """How many distinct values (None where that says nothing), and the range or the most frequent ones."""
    if isinstance(column, CategoryColumn):
        return len(column.levels), _commonest(column.levels, column.counts())
    if isinstance(column, NumberColumn):
        known = column.values[np.isfinite(column.values)]
        distinct = len(np.unique(known)) if column.width == 1 else None
        if not known.size:
            return distinct, "no value"
        return distinct, f"{known.min():.4g} … {known.max():.4g}, mean {known.mean():.4g}"
    if isinstance(column, DateColumn):
        known = column.values[~np.isnat(column.values)]
        return len(np.unique(known)), f"{known.min()} … {known.max()}" if known.size else "no value"
    if isinstance(column, TextColumn | TokensColumn):
        lengths = [len(value) for value in column.values if value is not None]
        middle = int(np.median(lengths)) if lengths else 0
        unit = "letters" if isinstance(column, TextColumn) else "words"
        what = f"half have over {middle} {unit}, the longest {max(lengths, default=0):,}"
        return len(set(column.values.tolist()) - {None}), what
    if isinstance(column, TagsColumn):
        return len(column.levels), _commonest(column.levels, np.bincount(column.codes[column.codes >= 0],
                                                                         minlength=len(column.levels)))
    if isinstance(column, LabelsColumn):
        shares = np.nansum(column.values == 1, axis=0)
        return None, ", ".join(f"{short(name, 20)} {n:,}" for name, n in list(zip(column.names, shares))[:4])
    if isinstance(column, MaskColumn):
        shares = column.counts.sum(axis=0) / max(1, column.counts.sum())
        top = [f"{short(name, 20)} {share:.1%}" for name, share in list(zip(column.names, shares))[:4]]
        return len(column.names), ", ".join(top)
    if isinstance(column, ImageColumn):
        low, high = column.sizes.min(axis=0), column.sizes.max(axis=0)
        return None, f"{low[0]}×{low[1]}" + ("" if (low == high).all() else f" … {high[0]}×{high[1]}")
    return None, ""


def _commonest(levels: Sequence[str], counts: np.ndarray) -> str:
    """The four most frequent with their counts."""
    top: list[int] = np.argsort(-counts, kind="stable")[:4].tolist()
    shown = ", ".join(f"{short(levels[i], 20)} {counts[i]:,}" for i in top)
    return shown + (" …" if len(levels) > 4 else "")


def cell_text(column: Column, row: int, most: int = _LONG) -> str:
    """One cell, of at most so many letters."""
    if isinstance(column, MaskColumn):
        share = dict(zip(column.names, column.shares[row]))
        return short(", ".join(f"{name} {part:.0%}" for name, part in share.items() if part > 0) or "–")
    if isinstance(column, ImageColumn):
        return f"{column.sizes[row][0]}×{column.sizes[row][1]}"
    value = column.cell(row)
    if isinstance(value, np.ndarray):
        inside = ", ".join(f"{number:.4g}" for number in value[:4])
        return f"[{inside}{', …' if len(value) > 4 else ''}]"
    if isinstance(value, float):
        return "–" if np.isnan(value) else f"{value:.10g}"
    return short(str(value), most) or "–"


def _caption(target: Column, row: int) -> str:
    """What a picture does not show by itself: of an object, which is drawn in, its class alone."""
    if isinstance(target, ObjectColumn) and target.labels is not None and target.present[row]:
        target = target.labels
    return cell_text(target, row)


def short(text: str, most: int = _LONG) -> str:
    """The text, cut with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"
