"""Corrected labels: a table of id, given, corrected that is applied when data is read, to all parts alike.

Nothing is deleted, and the data itself is not written to: without the table everything is as it was (row 11.12).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, nearest
from orthogon.files import write_atomically

HEADER = ("id", "given", "corrected")


@dataclass(frozen=True)
class Correction:
    """The label that an example carries, and the one that it should."""

    id: str
    given: str
    corrected: str


def write_corrections(path: str | Path, corrections: Iterable[Correction]) -> Path:
    """A CSV with the columns id, given, corrected."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(astuple(each) for each in corrections)
    write_atomically(Path(path), text.getvalue())
    return Path(path)


def read_corrections(path: str | Path) -> tuple[Correction, ...]:
    """What `write_corrections` wrote, or a person by hand; DataError: no file, a missing column, an id twice."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the corrections cannot be read: {error}", where=str(path)) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    absent = [name for name in HEADER if name not in (reader.fieldnames or ())]
    if absent:
        raise DataError(f"there is no column {absent[0]!r}", where=str(path),
                        remedy="The first line is id,given,corrected.")
    found = tuple(Correction(*(row[name] for name in HEADER)) for row in reader)
    twice = len(found) - len({each.id for each in found})
    if twice:
        raise DataError(f"{twice} ids stand twice", where=str(path), remedy="Leave one correction for each.")
    return found


def corrected(data: Dataset, corrections: Iterable[Correction], where: str = "") -> Dataset:
    """The data set with those labels changed, in whatever part they are.

    DataError: an id that the data does not have, or an example that carries another label than the correction says
    it was given: then the table belongs to other data, or was applied already.
    """
    corrections = tuple(corrections)
    column, row_of = data.target_column(), {str(name): row for row, name in enumerate(data.ids.tolist())}
    for each in corrections:
        if each.id not in row_of:
            raise DataError(f"there is no example {each.id!r} to correct", where=where or data.name,
                            remedy="The corrections are of other data.")
        found = _label(column, row_of[each.id])
        if found != each.given:
            raise DataError(f"example {each.id!r} carries {found!r}, the corrections say {each.given!r}",
                            where=where or data.name, remedy="Were they applied to the data already?")
    rows = np.array([row_of[each.id] for each in corrections], dtype=np.int64)
    changed = _with_labels(column, rows, [each.corrected for each in corrections], where or data.name)
    return replace(data, columns={**data.columns, str(data.target): changed})


def _label(column: Column, row: int) -> str:
    value = column.cell(row)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _with_labels(column: Column, rows: np.ndarray, labels: list[str], where: str) -> Column:
    if isinstance(column, CategoryColumn):
        strange = [label for label in labels if label not in column.levels]
        if strange:
            raise DataError(f"there is no class {strange[0]!r}", where=where,
                            remedy=nearest(strange[0], list(column.levels)))
        codes = column.codes.copy()
        codes[rows] = [column.levels.index(label) for label in labels]
        return CategoryColumn(codes, column.levels)
    if isinstance(column, NumberColumn) and column.width == 1:
        values = column.values.copy()
        values[rows] = [float(label) for label in labels]
        return NumberColumn(values)
    if isinstance(column, TextColumn):
        texts = column.values.copy()
        texts[rows] = labels
        return TextColumn(texts.tolist())
    raise DataError(f"labels of the kind {column.kind} cannot be corrected by a table", where=where)
