"""Columns of a data set as named features: a number or a level for each example, whatever the column holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orthogon.data.columns import (
    CategoryColumn,
    Column,
    DateColumn,
    ImageColumn,
    LabelsColumn,
    NumberColumn,
    TextColumn,
)
from orthogon.data.dataset import Dataset
from orthogon.data.picture_statistics import picture_statistics
from orthogon.data.pictures import materialize

Features = dict[str, NDArray]
"""Name -> float (n,) with NaN = missing, or str (n,)."""

SIDE = 64
"""Pictures are looked at in this many pixels a side at most: enough for light, edges and pose."""


def features(data: Dataset) -> Features:
    """Of the inputs, by name; the names of a picture's are its properties ("tilt"), with the column's name where there
    are several pictures."""
    pictures = sum(isinstance(column, ImageColumn) for column in data.inputs.values())
    found: Features = {}
    for name, column in data.inputs.items():
        for part, values in _of(column).items():
            lone = isinstance(column, ImageColumn) and pictures == 1
            found[part if lone else f"{name}: {part}" if part else name] = values
    return found


def _of(column: Column) -> Features:
    if isinstance(column, ImageColumn):
        return _of_pictures(column)
    if isinstance(column, CategoryColumn):
        return {"": np.array([*column.levels, "missing"])[column.codes]}
    if isinstance(column, NumberColumn):
        if column.width == 1:
            return {"": column.values.reshape(len(column)).astype(np.float64)}
        names = column.names or [str(place) for place in range(column.width)]
        return dict(zip(names, column.values.reshape(len(column), -1).astype(np.float64).T))
    if isinstance(column, DateColumn):
        days = column.values.astype("datetime64[s]").astype(np.float64) / 86_400
        return {"": np.where(column.missing(), np.nan, days)}
    if isinstance(column, LabelsColumn):
        return dict(zip(column.names, column.values.astype(np.float64).T))
    return _of_texts(column) if isinstance(column, TextColumn) else {}


def _of_pictures(column: ImageColumn) -> Features:
    largest = column.sizes.max(axis=1)
    side = int(min(SIDE, largest.min()))
    size = column.uniform_size if column.uniform_size and max(column.uniform_size) <= SIDE else (side, side)
    found = picture_statistics(materialize(column, size, fit="stretch"))
    if column.uniform_size is None:
        height, width = column.sizes.astype(np.float64).T
        found |= {"size in pixels": np.sqrt(height * width), "width by height": width / height}
    return found


def _of_texts(column: TextColumn) -> Features:
    texts = [value or "" for value in column.values]
    letters = np.array([len(text) for text in texts], dtype=np.float64)
    signs = np.maximum(letters, 1)
    return {
        "length": letters,
        "words": np.array([len(text.split()) for text in texts], dtype=np.float64),
        "capitals": np.array([sum(map(str.isupper, text)) for text in texts]) / signs,
        "digits": np.array([sum(map(str.isdigit, text)) for text in texts]) / signs,
    }
