"""Hugging Face data sets: through their Arrow tables; pictures and class names by their features."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from orthogon.data.columns import CategoryColumn, Column
from orthogon.data.dataset import PARTS, Dataset
from orthogon.data.readers import table_files
from orthogon.data.readers.options import PART_OF_NAME, Options, ids_by_part
from orthogon.data.readers.spill import spill
from orthogon.errors import DataError, nearest


def is_hugging(source: Any) -> bool:
    """A `datasets.Dataset` or `DatasetDict`; the library is not imported to find out."""
    library = sys.modules.get("datasets")
    return library is not None and isinstance(source, (library.Dataset, library.DatasetDict))


def read(source: Any, options: Options) -> Dataset:
    """Target: options.target, else the one ClassLabel column. Splits become parts ("validation" = dev)."""
    splits = dict(source) if isinstance(source, Mapping) else {"": source}
    if "" not in splits:
        unknown = [name for name in splits if name.lower() not in PART_OF_NAME]
        if unknown:
            raise DataError(f"the split {unknown[0]!r} is no part", remedy=nearest(unknown[0], list(PART_OF_NAME)))
        by_part = {PART_OF_NAME[name.lower()]: split for name, split in splits.items()}
        splits = {part: by_part[part] for part in PARTS if part in by_part}
    pieces = list(splits.values())
    features = pieces[0].features
    if any(piece.features.keys() != features.keys() for piece in pieces):
        raise DataError("the splits do not have the same columns")
    pictures = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    classes = {name: feature.names for name, feature in features.items() if type(feature).__name__ == "ClassLabel"}
    part = None
    if "" not in splits:
        part = np.repeat(np.array(list(splits)), [len(piece) for piece in pieces])
    columns = _columns(pieces, list(features), pictures, classes, options)
    target = options.target or (next(iter(classes)) if len(classes) == 1 else None)
    return Dataset("", columns, target, ids_by_part(part, sum(len(piece) for piece in pieces)), part=part)


def _columns(
    pieces: list[Any], names: list[str], pictures: list[str], classes: Mapping[str, list[str]], options: Options
) -> dict[str, Column]:
    import polars as pl

    plain = [name for name in names if name not in pictures and name not in classes]
    columns: dict[str, Column] = {}
    if plain:
        frames = [pl.DataFrame(piece.select_columns(plain).with_format("arrow")[:]) for piece in pieces]
        types = {name: kind for name, kind in options.types.items() if name in plain}
        columns.update(
            table_files.from_frame(pl.concat(frames), Options(types=types), where="the Hugging Face data set").columns
        )
    for name in pictures:
        columns[name] = spill([_bytes(item, name) for piece in pieces for item in _arrow(piece, name)],
                              options.channels)
    for name, levels in classes.items():
        codes = [item for piece in pieces for item in _arrow(piece, name)]
        columns[name] = CategoryColumn(np.array([-1 if code is None else code for code in codes]), levels)
    return {name: columns[name] for name in names if name in columns}


def _arrow(piece: Any, name: str) -> list[Any]:
    return piece.select_columns([name]).with_format("arrow")[:].column(name).to_pylist()


def _bytes(item: Any, name: str) -> bytes:
    """The encoded file of an Image feature, which stores {"bytes", "path"}."""
    if item and item.get("bytes"):
        return item["bytes"]
    if item and item.get("path"):
        with open(item["path"], "rb") as file:
            return file.read()
    raise DataError("a picture is missing", where=f"column {name}")
