"""Number columns, blocks and dates as one table of float features, before it is standardised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, DateColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError

CHUNK = 1024
"""Rows that are float64 at a time."""

DATE_PARTS = ("days", "year", "month-sin", "month-cos", "weekday-sin", "weekday-cos", "hour-sin", "hour-cos")


@dataclass(frozen=True)
class Source:
    """One column that features come from: its name, its kind when it was fitted, and what it was expanded to.

    parts: for blocks the names of their numbers, for dates which of DATE_PARTS are used; a single number has none.
    """

    name: str
    kind: str
    parts: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return max(1, len(self.parts))

    def features(self) -> list[str]:
        return [f"{self.name}:{part}" for part in self.parts] if self.parts else [self.name]


def source_of(name: str, column: Column, rows: np.ndarray) -> Source:
    """How a number or date column is expanded, judged on the train rows."""
    if isinstance(column, DateColumn):
        return Source(name, "date", _varying_parts(column.take(rows)))
    if isinstance(column, NumberColumn) and column.values.ndim > 1:
        return Source(name, "number", column.names or tuple(str(i) for i in range(column.width)))
    return Source(name, "number")


def _varying_parts(dates: DateColumn) -> tuple[str, ...]:
    """The parts that differ between the dates: a column of days has no hour, one of a single year no year."""
    table = date_parts(dates.values[~dates.missing()])
    varies = np.ptp(table, axis=0) > 1e-9 if len(table) else np.zeros(len(DATE_PARTS), dtype=bool)
    return tuple(part for part, keep in zip(DATE_PARTS, varies) if keep) or ("days",)


def date_parts(values: np.ndarray) -> np.ndarray:
    """Float64 (n, 8) in the order of DATE_PARTS: elapsed days since 1970, the year, cyclic month, weekday and hour."""
    missing = np.isnat(values)
    moments = np.where(missing, np.datetime64(0, "us"), values)
    days = moments.astype("datetime64[D]")
    elapsed = moments.astype(np.int64) / 86_400e6
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = days.astype("datetime64[M]").astype(np.int64) % 12 / 12
    weekday = (days.astype(np.int64) + 3) % 7 / 7  # 1970-01-01 was a Thursday
    hour = elapsed % 1
    cycles = [wave(2 * np.pi * share) for share in (month, weekday, hour) for wave in (np.sin, np.cos)]
    table = np.column_stack([elapsed, year, *cycles]).astype(np.float64)
    table[missing] = np.nan
    return table


def feature_chunks(sources: Sequence[Source], data: Dataset, rows: np.ndarray) -> Iterator[np.ndarray]:
    """The rows as float64 tables (at most CHUNK rows, features), NaN = missing: a whole one would not fit everywhere.

    DataError on infinities and on columns that are not as they were.
    """
    for start in range(0, len(rows) if sources else 0, CHUNK):
        chunk = rows[start : start + CHUNK]
        table = np.concatenate(
            [_expanded(source, data.columns[source.name].take(chunk), data) for source in sources], axis=1)
        if np.isinf(table).any():
            names = [feature for source in sources for feature in source.features()]
            row, feature = np.argwhere(np.isinf(table))[0]
            raise DataError(
                f"an infinite number in column {names[feature]!r}",
                where=f"{data.name}: row {chunk[row]} (id {data.ids[chunk[row]]})",
                remedy="Replace it by a number, or leave it empty to mark it as missing.",
            )
        yield table


def _expanded(source: Source, column: Column, data: Dataset) -> np.ndarray:
    if column.missing().all() and not isinstance(column, NumberColumn):
        return np.full((len(column), source.width), np.nan)  # an empty column has no kind of its own
    if source.kind == "date":
        if not isinstance(column, DateColumn):
            raise _other_kind(source, column, data)
        wanted = [DATE_PARTS.index(part) for part in source.parts]
        return date_parts(column.values)[:, wanted]
    numbers = _as_numbers(source, column, data)
    if numbers.shape[1] != source.width:
        raise DataError(
            f"column {source.name!r} has {numbers.shape[1]} columns where the network was trained on {source.width}",
            where=data.name, remedy="Give the numbers that it was trained on, in the same order.",
        )
    return numbers


def _as_numbers(source: Source, column: Column, data: Dataset) -> np.ndarray:
    """A number column as a table; a few rows of numbers may have been read as categories or text."""
    if isinstance(column, NumberColumn):
        return column.values.astype(np.float64, copy=False).reshape(len(column), -1)
    if isinstance(column, (CategoryColumn, TextColumn)):
        cells = [column.cell(row) or "nan" for row in range(len(column))]
        try:
            return np.array([float(cell) for cell in cells])[:, None]
        except ValueError:
            raise _other_kind(source, column, data) from None
    raise _other_kind(source, column, data)


def _other_kind(source: Source, column: Column, data: Dataset) -> DataError:
    return DataError(
        f"column {source.name!r} is of kind {column.kind} where the network was trained on {source.kind}",
        where=data.name,
        remedy=f"Check its values, or say how to read it: --set 'data.types={{{source.name}: {source.kind}}}'",
    )
