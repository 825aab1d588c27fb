"""What a person gives to predict on, brought to the columns that the network was trained on, item by item.

A table with other columns is refused as a whole. What is wrong with one item (a picture that cannot be read, a word
where a number belongs) becomes that item's error; what is merely new (an unknown category, a missing value) a note.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.columns import Column
from orthogon.data.dataset import Dataset
from orthogon.data.readers import parallel_files, table_files, text_files
from orthogon.data.readers.boxes import object_names
from orthogon.data.readers.options import Options, row_ids
from orthogon.errors import DataError
from orthogon.serve.convert import Remarks, from_column, from_series, pictures_of
from orthogon.serve.schema import InputColumn, Schema, listed

if TYPE_CHECKING:
    import polars as pl

    from orthogon.train.settings import DataSettings


@dataclass
class Gathered:
    """Items ready to predict on.

    ids:     one per item, as a person knows them; they may repeat.
    data:    the items that can be used, as the schema's columns; its rows are `rows` of the items.
    remarks: what is wrong with, or new in, the others and these.
    """

    ids: list[str]
    data: Dataset
    rows: np.ndarray
    remarks: Remarks = field(default_factory=Remarks)


def gather(inputs: Any, schema: Schema, settings: DataSettings) -> Gathered:
    """The items of a path or paths, a Dataset, a frame, dicts or arrays; texts as strings.

    settings: the data section of the recipe, for tables without a header.
    DataError where nothing can be read at all, or the columns are not those of the schema.
    """
    if isinstance(inputs, Dataset):
        return _from_dataset(inputs, schema)
    texts = _texts(inputs, schema)
    if texts is not None:
        return _from_array(np.array(texts, dtype=object)[:, None], schema)
    paths = _paths(inputs)
    if paths is not None:
        _refuse_lone_text(paths, schema)
        return _from_paths(paths, schema, settings)
    if _are_dicts(inputs):
        return _from_frame(_frame_of_dicts(inputs), schema, "the items", None)
    frame = table_files.frame_of(inputs)
    if frame is not None:
        return _from_frame(frame, schema, "the table", None)
    if _is_table(inputs):
        return _from_array(np.asarray(inputs), schema)
    return _from_dataset(_read(inputs), schema)


def _texts(inputs: Any, schema: Schema) -> list[str] | None:
    """Strings where the network reads one text, or its words, and nothing else; not one alone that names a file.

    DataError where several are given and some of them name files.
    """
    if isinstance(inputs, np.ndarray) and inputs.ndim == 1:
        inputs = inputs.tolist()
    texts = [inputs] if isinstance(inputs, str) else inputs
    reads = schema.only("text") or schema.only("tokens")
    if reads is None or not isinstance(texts, list | tuple) or not texts:
        return None
    if not all(isinstance(each, str) for each in texts):
        return None
    files = [each for each in texts if _names_a_file(each)]
    if files and len(texts) > 1:
        raise DataError(f"{len(files):,} of {len(texts):,} texts are names of files", where=files[0],
                        remedy=f"Predict on one file at a time; a text that reads so goes as a dict of {reads.name!r}.")
    return None if files else list(texts)


def _refuse_lone_text(paths: Sequence[Path], schema: Schema) -> None:
    """DataError for a text where the network reads more than one."""
    told = str(paths[0])
    if any(column.kind == "text" for column in schema.columns) and re.search(r"\s", told) and not os.path.exists(told):
        raise DataError(f"a text alone is not enough: the network reads {listed(schema.names)}", where=repr(told),
                        remedy="Give a table with these columns, or a dict of them.")


def _names_a_file(text: str) -> bool:
    """Whether there is such a file, or it reads like the name of a table, as a mistyped one does."""
    return os.path.exists(text) or (not re.search(r"\s", text) and table_files.table_suffix(Path(text)) is not None)


def _paths(inputs: Any) -> list[Path] | None:
    if isinstance(inputs, str | Path):
        return [Path(inputs)]
    if isinstance(inputs, list | tuple) and inputs and all(isinstance(each, str | Path) for each in inputs):
        return [Path(each) for each in inputs]
    return None


def _are_dicts(inputs: Any) -> bool:
    if isinstance(inputs, Mapping):
        return bool(inputs) and all(np.ndim(value) == 0 or isinstance(value, str) for value in inputs.values())
    return isinstance(inputs, list | tuple) and bool(inputs) and all(isinstance(each, Mapping) for each in inputs)


def _is_table(inputs: Any) -> bool:
    """Whether it is an array (or tensor, or nested list) of rows of plain values."""
    if isinstance(inputs, list | tuple):
        return bool(inputs) and all(isinstance(each, list | tuple) or np.ndim(each) == 1 for each in inputs)
    return hasattr(inputs, "shape") and len(inputs.shape) == 2


def _read(inputs: Any) -> Dataset:
    from orthogon.data.read import read

    return read(inputs)


# --- data sets and arrays ------------------------------------------------------------------------------------


def _from_dataset(data: Dataset, schema: Schema) -> Gathered:
    """Columns by name; a single column also under another name. The target is not looked at."""
    columns = {name: column for name, column in data.columns.items() if name != data.target or name in schema.names}
    if not schema.columns:
        return Gathered([str(each) for each in data.ids], data, np.arange(len(data)))
    columns = _renamed(columns, schema)
    schema.check_names(list(columns), data.name or "the data")
    remarks = Remarks()
    taken = {column.name: from_column(columns[column.name], column, remarks) for column in schema.columns}
    return _gathered([str(each) for each in data.ids], taken, remarks, data.name)


def _renamed(columns: dict[str, Column], schema: Schema) -> dict[str, Column]:
    only = schema.columns[0]
    kinds = ("tokens", "text") if only.kind == "tokens" else (only.kind,)  # words are found in texts
    alike = [name for name, column in columns.items() if column.kind in kinds and name not in schema.ignored]
    if len(schema.columns) == 1 and only.name not in columns and len(alike) == 1:
        return {only.name: columns[alike[0]]}
    return columns


def _from_array(array: np.ndarray, schema: Schema) -> Gathered:
    """Rows of an array without names: the columns in the order of training, or the numbers of a single block."""
    block = schema.only("number")
    if array.ndim == 2 and block is not None and block.width > 1:
        if array.shape[1] != block.width:
            raise DataError(f"{array.shape[1]} columns where the network was trained on {block.width}",
                            where="the array", remedy="Give the numbers that it was trained on, in the same order.")
        return _from_dataset(_read(array), schema)
    if array.ndim != 2 or array.shape[1] != len(schema.columns):
        raise schema.refusal(array.shape[1] if array.ndim == 2 else 1, "the array")
    return _from_frame(_frame_of_dicts([dict(zip(schema.names, row)) for row in array.tolist()]), schema, "the array",
                       None)


def _frame_of_dicts(items: Any) -> pl.DataFrame:
    """Dicts (or one) as a frame; keys that an item lacks are missing, values of several types become text."""
    import polars as pl

    items = [items] if isinstance(items, Mapping) else list(items)
    names = dict.fromkeys(str(name) for item in items for name in item)
    return pl.DataFrame([_series(name, [item.get(name) for item in items]) for name in names])


def _series(name: str, values: list[Any]) -> pl.Series:
    import polars as pl

    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    try:
        return pl.Series(name, values, strict=True)
    except TypeError:
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


# --- frames --------------------------------------------------------------------------------------------------


def _from_frame(frame: pl.DataFrame, schema: Schema, where: str, folder: Path | None) -> Gathered:
    if not schema.columns:
        return _from_dataset(_read(frame), schema)
    if not len(frame):
        raise DataError("there are no rows", where=where)
    if any(column.kind == "image" for column in schema.columns):
        frame = frame.drop([name for name in object_names(frame.columns) if name not in schema.names])
    schema.check_names(frame.columns, where)
    remarks = Remarks()
    taken = {column.name: from_series(frame.get_column(column.name), column, remarks, folder, where)
             for column in schema.columns}
    return _gathered(_ids(frame, schema), taken, remarks, where)


def _ids(frame: pl.DataFrame, schema: Schema) -> list[str]:
    if "id" in frame.columns and "id" not in schema.names:
        return [str(value) for value in frame.get_column("id").to_list()]
    return row_ids(len(frame)).tolist()


def _gathered(ids: list[str], columns: dict[str, Column], remarks: Remarks, name: str) -> Gathered:
    rows = np.array([row for row in range(len(ids)) if row not in remarks.errors], dtype=np.int64)
    kept = {key: column.take(rows) for key, column in columns.items()}
    return Gathered(ids, Dataset(name or "inputs", kept, None, row_ids(len(rows))), rows, remarks)


# --- paths ---------------------------------------------------------------------------------------------------


def _from_paths(paths: Sequence[Path], schema: Schema, settings: DataSettings) -> Gathered:
    """Pictures where the network takes nothing else; else a table, or whatever `read` makes of the path."""
    column = schema.only("image")
    if column is not None and not (len(paths) == 1 and other_source(paths[0])):
        return _from_pictures(paths, column)
    if len(paths) > 1:
        raise DataError(f"{len(paths)} paths where one table is expected", where=str(paths[0]),
                        remedy="Predict on one table at a time.")
    path = paths[0]
    if path.is_file() and table_files.table_suffix(path) and not text_files.is_plain(path):
        return _from_frame(_table(path, schema, settings), schema, str(path), path.parent)
    if path.is_file() and parallel_files.language_of(path):
        return _from_dataset(text_files.read_lines({"": path}, Options()), schema)
    return _from_dataset(_read(path), schema)


def other_source(path: Path) -> bool:
    """Whether a path holds pictures in another way than as files of their own: IDX, NPY, a table of paths, a name."""
    from orthogon.data.readers import idx
    from orthogon.data.readers.folders import has_pictures

    if path.is_dir():
        return not has_pictures(path)
    if path.is_file():
        return bool(table_files.table_suffix(path)) or idx.is_idx(path) or path.suffix.lower() in (".npy", ".npz")
    return not path.suffix  # a public name, such as "fashion-mnist"


def _from_pictures(paths: Sequence[Path], column: InputColumn) -> Gathered:
    """Each file by itself; of folders, the pictures anywhere below, by name."""
    files: list[Path] = []
    ids: list[str] = []
    for path in paths:
        below = pictures_below(path) if path.is_dir() else [path]
        files += below
        ids += [file.relative_to(path).as_posix() if path.is_dir() and len(paths) == 1 else str(file) for file in below]
    if not files:
        raise DataError("there is no picture (JPEG, PNG, WEBP) here", where=str(paths[0]))
    remarks = Remarks()
    return _gathered(ids, {column.name: pictures_of(files, column, remarks)}, remarks, "pictures")


def pictures_below(folder: Path) -> list[Path]:
    from orthogon.data.picture_files import SUFFIXES

    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _table(path: Path, schema: Schema, settings: DataSettings) -> pl.DataFrame:
    """The file as a frame; without a header as in training, with the names that training gave, target or not."""
    if settings.header and not settings.columns:
        return table_files.read_frame(path, Options())[0]
    frame = table_files.read_frame(path, Options(header=settings.header))[0]
    names = list(settings.columns or frame.columns)
    without = [name for name in names if name in schema.names]
    for candidate in (names, without):
        if len(candidate) == frame.width:
            return frame.rename(dict(zip(frame.columns, candidate)))
    raise schema.refusal(frame.width, str(path))
