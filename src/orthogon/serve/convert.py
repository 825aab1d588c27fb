"""One column of what was given as the column that the network was trained on; what does not fit is remarked by row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, DateColumn, ImageColumn, NumberColumn, TextColumn
from orthogon.data.picture_files import PictureError, decode, read_header
from orthogon.data.pictures import resize
from orthogon.data.tables import Context, category, type_columns
from orthogon.data.text_columns import TokensColumn
from orthogon.data.tokens import tokenizer
from orthogon.errors import DataError
from orthogon.serve.schema import InputColumn

if TYPE_CHECKING:
    import polars as pl

CHUNK = 256


@dataclass
class Remarks:
    """By row: the error that keeps an item from being used, and notes on what was taken as unknown or missing."""

    errors: dict[int, str] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)

    def error(self, row: int | np.integer, what: str) -> None:
        """The first error of a row stays."""
        self.errors.setdefault(int(row), what)

    def note(self, row: int | np.integer, what: str) -> None:
        self.notes.setdefault(int(row), []).append(what)


def from_series(
    series: pl.Series, wanted: InputColumn, remarks: Remarks, folder: Path | None, where: str
) -> Column:
    """A column of a frame as the network takes it. folder: where relative paths of pictures start."""
    if wanted.kind == "image":
        values = series.to_list()
        for row in np.flatnonzero(series.is_null().to_numpy()):
            remarks.error(row, f"column {wanted.name!r} names no picture")
        return pictures_of([(folder or Path()) / str(value or "") for value in values], wanted, remarks)
    if wanted.kind == "tokens":
        return _sentences(series.to_list(), wanted, remarks)
    if wanted.kind == "category":
        return _known(category(series), wanted, remarks)
    if wanted.kind == "number" and wanted.width == 1 and not series.dtype.is_nested():
        return _numbers(series, wanted, remarks)
    types = {"date": "date", "text": "text"}.get(wanted.kind)
    typed = type_columns(series.to_frame(), {wanted.name: types} if types else {}, Context(where))
    return from_column(typed.columns[wanted.name], wanted, remarks)


def from_column(column: Column, wanted: InputColumn, remarks: Remarks) -> Column:
    """A typed column as the network takes it; DataError where its kind cannot be made to fit."""
    if wanted.kind == "image" and isinstance(column, ImageColumn):
        return column if column.pixels is not None else pictures_of(column.files, wanted, remarks)
    if wanted.kind == "category":
        return _known(_as_category(column, wanted), wanted, remarks)
    if wanted.kind == "text" and isinstance(column, TextColumn | CategoryColumn | NumberColumn):
        return _texts(column, wanted, remarks)
    if wanted.kind == "date" and isinstance(column, DateColumn):
        _note_missing(column, wanted, remarks)
        return column
    if wanted.kind == "number" and isinstance(column, NumberColumn):
        if column.width != wanted.width:
            raise DataError(f"column {wanted.name!r} holds {column.width} numbers where the network was trained on "
                            f"{wanted.width}", remedy="Give the numbers that it was trained on, in the same order.")
        return _checked(column, wanted, remarks)
    if wanted.kind == "number" and isinstance(column, CategoryColumn | TextColumn):
        import polars as pl

        return _numbers(pl.Series([column.cell(row) or None for row in range(len(column))], dtype=pl.String), wanted,
                        remarks)
    if wanted.kind == "tokens" and isinstance(column, TokensColumn | TextColumn):
        return _sentences(column.values.tolist(), wanted, remarks)
    raise DataError(f"column {wanted.name!r} is of kind {column.kind} where the network was trained on {wanted.kind}",
                    remedy="Check its values.")


def _sentences(values: Sequence[Any], wanted: InputColumn, remarks: Remarks) -> TokensColumn:
    """Lists of words as they are; a text is split into words and marks of punctuation."""
    split = tokenizer("word").split
    words = [split(value) if isinstance(value, str) else [str(word) for word in value or ()] for value in values]
    for row, sentence in enumerate(words):
        if not sentence:
            remarks.error(row, f"column {wanted.name!r} holds no word")
    return TokensColumn(words)


def _as_category(column: Column, wanted: InputColumn) -> CategoryColumn:
    """Numbers and text by their spelling."""
    if isinstance(column, CategoryColumn):
        return column
    if isinstance(column, TextColumn):
        return CategoryColumn.from_values(column.values.tolist())
    if isinstance(column, NumberColumn) and column.width == 1:
        flat = column.values.reshape(-1)
        return CategoryColumn.from_values([None if np.isnan(value) else f"{value:.15g}" for value in flat])
    raise DataError(f"column {wanted.name!r} is of kind {column.kind} where the network was trained on categories",
                    remedy="Check its values.")


def _texts(column: TextColumn | CategoryColumn | NumberColumn, wanted: InputColumn, remarks: Remarks) -> TextColumn:
    """Text as it stands, a few texts that were read as categories or numbers by their spelling."""
    if not isinstance(column, TextColumn):
        spelled = _as_category(column, wanted)
        column = TextColumn([spelled.cell(row) or None for row in range(len(spelled))])
    _note_missing(column, wanted, remarks)
    return column


def _known(column: CategoryColumn, wanted: InputColumn, remarks: Remarks) -> CategoryColumn:
    """The column, with a note on every level that training has not seen."""
    new = np.array([*(level not in wanted.levels for level in column.levels), False], dtype=bool)
    for row in np.flatnonzero(new[column.codes]).tolist():
        remarks.note(row, f"{wanted.name} {column.cell(row)!r} is new: taken as unknown")
    _note_missing(column, wanted, remarks)
    return column


def _numbers(series: pl.Series, wanted: InputColumn, remarks: Remarks) -> NumberColumn:
    """Numbers, or their text; any other value is that row's error."""
    import polars as pl

    if series.dtype == pl.String:
        series = series.str.strip_chars()
        series = pl.select(pl.when(series == "").then(None).otherwise(series)).to_series()
    numbers = series.cast(pl.Float64, strict=False)
    for row in np.flatnonzero((numbers.is_null() & series.is_not_null()).to_numpy()):
        remarks.error(row, f"column {wanted.name!r}: {series[int(row)]!r} is not a number")
    values = numbers.fill_null(float("nan")).to_numpy().copy()
    return _checked(NumberColumn(values), wanted, remarks)


def _checked(column: NumberColumn, wanted: InputColumn, remarks: Remarks) -> NumberColumn:
    """Infinite numbers are errors of their rows, missing ones are noted."""
    for row in np.flatnonzero(np.isinf(column.values.reshape(len(column), -1)).any(axis=1)):
        remarks.error(row, f"column {wanted.name!r} holds an infinite number")
    _note_missing(column, wanted, remarks)
    return column


def _note_missing(column: Column, wanted: InputColumn, remarks: Remarks) -> None:
    for row in np.flatnonzero(column.missing()):
        remarks.note(row, f"{wanted.name} is missing")


def pictures_of(files: Sequence[Path], wanted: InputColumn, remarks: Remarks) -> ImageColumn:
    """The files decoded at the network's size, in threads; one that cannot be read is black, and its row's error.

    Nothing is kept in the cache: what is predicted once is seldom seen again. Where the network takes pictures in their
    own size they stay files, of which only the headers are read.
    """
    from concurrent.futures import ThreadPoolExecutor

    if wanted.size is None:
        return _whole(files, wanted.channels or 3, remarks)
    size, channels, fit = wanted.size, wanted.channels or 3, wanted.fit or "crop"
    pixels = np.zeros((len(files), channels, *size), dtype=np.uint8)

    def fill(row: int) -> PictureError | None:
        try:
            pixels[row] = resize(decode(files[row], channels, hint=size), size, fit).transpose(2, 0, 1)
        except PictureError as error:
            return error
        except OSError as error:
            return PictureError("unreadable-image", f"cannot be opened ({error.strerror})", where=str(files[row]))
        return None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for row, failed in enumerate(pool.map(fill, range(len(files)), chunksize=CHUNK)):
            if failed is not None:
                remarks.error(row, f"{failed.where}: {failed.what}" if failed.where else failed.what)
    return ImageColumn(pixels)


def _whole(files: Sequence[Path], channels: int, remarks: Remarks) -> ImageColumn:
    sizes = np.zeros((len(files), 2), dtype=np.int64)
    for row, path in enumerate(files):
        try:
            header = read_header(path)
            sizes[row] = header.height, header.width
        except PictureError as error:
            remarks.error(row, f"{error.where}: {error.what}" if error.where else error.what)
        except OSError as error:
            remarks.error(row, f"{path}: cannot be opened ({error.strerror})")
    return ImageColumn(None, files, sizes, channels)
