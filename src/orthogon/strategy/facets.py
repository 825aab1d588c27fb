"""What can be said of examples without looking at them: columns, sizes, brightness, length, source, group size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, DateColumn, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset

DECODED = 5_000
"""Pictures that come as files are decoded for brightness and contrast up to so many; sizes are known from headers."""


@dataclass(frozen=True)
class Facet:
    """One property of each example.

    values: float (n,), NaN = missing; or, with levels, their codes (n,), -1 = missing.
    levels: the names behind codes; empty for numbers.
    """

    name: str
    values: np.ndarray
    levels: tuple[str, ...] = ()


def facets(data: Dataset, rows: np.ndarray) -> tuple[Facet, ...]:
    """The facets of those rows of the data: the class, each column, source and size of the group.

    Blocks of numbers have none: one of many pixels says nothing that a person could act on.
    """
    found = list(_of_target(data, rows))
    for name, column in data.inputs.items():
        found += _of_column(name, column, rows)
    if data.source is not None:
        found.append(_named("source", data.source[rows]))
    if data.group is not None:
        _, codes = np.unique(data.group, return_inverse=True)
        found.append(Facet("examples in its group", np.bincount(codes)[codes][rows].astype(np.float64)))
    return tuple(found)


def _of_target(data: Dataset, rows: np.ndarray) -> Iterator[Facet]:
    column = data.columns.get(data.target or "")
    if isinstance(column, CategoryColumn):
        yield Facet(str(data.target), column.codes[rows], column.levels)


def _of_column(name: str, column: Column, rows: np.ndarray) -> Iterator[Facet]:
    if isinstance(column, ImageColumn):
        yield from _of_pictures(name, column, rows)
    elif isinstance(column, CategoryColumn):
        yield Facet(name, column.codes[rows], column.levels)
    elif isinstance(column, TextColumn):
        lengths = [float("nan") if text is None else float(len(text)) for text in column.values[rows]]
        yield Facet(f"letters in {name}", np.array(lengths))
    elif isinstance(column, DateColumn):
        days = column.values[rows].astype("datetime64[D]")
        yield Facet(name, np.where(np.isnat(days), np.nan, days.astype(np.float64)))
    elif isinstance(column, NumberColumn) and column.values.ndim == 1:
        yield Facet(name, column.values[rows].astype(np.float64))


def _of_pictures(name: str, column: ImageColumn, rows: np.ndarray) -> Iterator[Facet]:
    if column.uniform_size is None:
        sizes = column.sizes[rows].astype(np.float64)
        yield Facet(f"height of {name}", sizes[:, 0])
        yield Facet(f"width of {name}", sizes[:, 1])
    if column.pixels is not None:
        pixels = column.pixels[rows].reshape(len(rows), -1).astype(np.float32)
        means, spreads = pixels.mean(axis=1), pixels.std(axis=1)
    elif len(rows) <= DECODED:
        moments = [(pixels.mean(), pixels.std()) for pixels in (column.cell(int(row)) for row in rows)]
        means, spreads = np.array(moments).reshape(-1, 2).T
    else:
        return
    yield Facet(f"brightness of {name}", means.astype(np.float64))
    yield Facet(f"contrast of {name}", spreads.astype(np.float64))


def _named(name: str, values: np.ndarray) -> Facet:
    levels, codes = np.unique(values.astype(str), return_inverse=True)
    return Facet(name, codes, tuple(levels.tolist()))
