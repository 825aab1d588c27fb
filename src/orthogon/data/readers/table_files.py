"""Table files: CSV, TSV, Parquet, JSON lines; one file, or several that are the parts of one set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.readers.boxes import OBJECT, may_hold_objects, with_object
from orthogon.data.readers.options import PART_OF_NAME, Options, ids_by_part, listing, part_of_stem
from orthogon.data.tables import Context, type_columns
from orthogon.errors import DataError, nearest

if TYPE_CHECKING:
    import polars as pl

DELIMITED = (".csv", ".tsv", ".txt", ".data", ".tab")
LINES = (".jsonl", ".ndjson")
SUFFIXES = (*DELIMITED, ".parquet", ".pq", *LINES)


def table_suffix(path: Path) -> str | None:
    """".csv" for "a.csv" and "a.csv.gz"; None where the name is not that of a table."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in SUFFIXES else None


def stem(path: Path) -> str:
    """The name without its table suffix and .gz."""
    name = path.name.removesuffix(".gz")
    suffix = table_suffix(path)
    return name[: -len(suffix)] if suffix else name


def tables_in(folder: Path) -> list[Path]:
    """Table files directly in the folder, ".txt" and ".data" not counted: those are mostly descriptions."""
    sure = (".csv", ".tsv", ".tab", ".parquet", ".pq", *LINES)
    return [path for path in sorted(folder.iterdir()) if path.is_file() and table_suffix(path) in sure]


def parts_of(paths: list[Path]) -> dict[str, Path] | None:
    """Part -> file, where every name tells a different part and one is train; else None."""
    parts = {part_of_stem(stem(path)): path for path in paths}
    if len(parts) < len(paths) or None in parts or "train" not in parts:
        return None
    return {part: parts[part] for part in PARTS if part in parts}


def read_table(path: Path, options: Options) -> Dataset:
    """One table file; see `orthogon.data.read.read`."""
    frame, findings = read_frame(path, options)
    return from_frame(frame, options, where=str(path), folder=path.parent, parse=_parses(path), findings=findings)


def read_parts(paths: Mapping[str, Path], options: Options) -> Dataset:
    """One table file for each part, with the same columns."""
    frames, findings = {}, []
    for part, path in paths.items():
        frames[part], seen = read_frame(path, options)
        findings += seen
    folder = next(iter(paths.values())).parent
    parse = all(_parses(path) for path in paths.values())
    where = listing([path.name for path in paths.values()])
    return from_parts(frames, options, where=where, folder=folder, parse=parse, findings=findings)


def _parses(path: Path) -> bool:
    return table_suffix(path) in (*DELIMITED, None)


def read_frame(path: Path, options: Options) -> tuple[pl.DataFrame, list[Finding]]:
    """The file as a frame: of strings from CSV and TSV, typed from the others."""
    import polars as pl

    from orthogon.data.readers.delimited import read_delimited

    suffix = table_suffix(path)
    if not path.stat().st_size:
        raise DataError("the file is empty", where=str(path), remedy="It needs a line of names and lines of values.")
    if _parses(path):
        return read_delimited(path, options)
    try:
        frame = pl.read_parquet(path) if suffix in (".parquet", ".pq") else _read_lines(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"the file cannot be read ({error})", where=str(path), remedy="Write it again.") from None
    return _renamed(frame, options, str(path)), []


def _read_lines(path: Path) -> pl.DataFrame:
    """JSON lines; keys may be absent (missing). DataError naming the first line that is not an object."""
    import json

    import polars as pl

    from orthogon.data.readers.delimited import read_text

    text, _ = read_text(path)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = []
    for number, line in lines:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"not valid JSON ({error})", where=f"{path}:{number}", remedy="Mend the line.") from None
        if not isinstance(row, dict):
            raise DataError(f"expected an object {{…}}, found {type(row).__name__}", where=f"{path}:{number}")
        rows.append(row)
    try:
        return pl.DataFrame(rows, infer_schema_length=None)
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"a key holds values of different types ({error})", where=str(path)) from None


def _renamed(frame: pl.DataFrame, options: Options, where: str) -> pl.DataFrame:
    if not options.columns:
        return frame
    if len(options.columns) != frame.width:
        raise DataError(f"{len(options.columns)} column names for {frame.width} columns", where=where)
    return frame.rename(dict(zip(frame.columns, options.columns)))


def from_parts(
    frames: Mapping[str, pl.DataFrame], options: Options, *, where: str, folder: Path | None, parse: bool,
    findings: list[Finding],
) -> Dataset:
    """Frames of the parts, one under the other, with `part` set. DataError where their columns differ."""
    import polars as pl

    first_name, first = next(iter(frames.items()))
    for name, frame in frames.items():
        missing = sorted(set(first.columns) ^ set(frame.columns))
        if missing:
            raise DataError(f"{first_name} and {name} do not have the same columns: only one has {listing(missing)}",
                            where=where, remedy="Give both the same names; where the first lines are data, say "
                            "--no-header (header=False). Unlabelled data is for `predict`.")
    try:
        whole = pl.concat([frame.select(first.columns) for frame in frames.values()], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"the parts have columns of different types ({error})", where=where) from None
    part = np.repeat(np.array(list(frames)), [len(frame) for frame in frames.values()])
    return from_frame(whole, options, where=where, folder=folder, parse=parse, findings=findings, part=part)


def from_frame(
    frame: pl.DataFrame, options: Options, *, where: str, folder: Path | None = None, parse: bool = False,
    findings: list[Finding] | None = None, part: np.ndarray | None = None,
) -> Dataset:
    """A frame as a Dataset: columns typed, ids from an "id" column that is unique, else row numbers."""
    if not len(frame) or not frame.width:
        raise DataError("there are no rows" if frame.width else "there are no columns", where=where)
    target = options.target
    if target == OBJECT and target not in frame.columns and may_hold_objects(frame.columns):
        target = None
    if target is not None and target not in frame.columns:
        raise DataError(f"there is no column {target!r} to be the target", where=where,
                        remedy=nearest(target, frame.columns))
    remarks = list(findings or [])
    types = dict(options.types)
    lines = _lines(part, len(frame), parse and options.header)
    if part is None:
        part, frame = _part_column(frame, types, where, remarks)
    ids, frame = _ids(frame, types, part, target)
    context = Context(where, folder, parse, frozenset(options.as_text()), target, options.skip_bad, options.channels)
    typed = type_columns(frame, types, context)
    columns, target, about, sound = with_object(typed.columns, target, lines, where, options.skip_bad)
    keep = typed.keep & sound
    data = Dataset(name="", columns=columns, target=target, ids=ids, part=part,
                   findings=(*remarks, *typed.findings, *about))
    return data if keep.all() else data.take(np.flatnonzero(keep))


def _lines(part: np.ndarray | None, count: int, header: bool) -> np.ndarray:
    """Int (count,): the line of each row in the file of its part (which lie one after the other), counted from 1."""
    row = np.arange(count)
    if part is not None:
        _, first, codes = np.unique(part, return_index=True, return_inverse=True)
        row -= first[codes]
    return row + (2 if header else 1)


def _ids(
    frame: pl.DataFrame, types: dict[str, str], part: np.ndarray | None, target: str | None
) -> tuple[np.ndarray, pl.DataFrame]:
    if "id" in frame.columns and "id" not in types and target != "id":
        values = frame.get_column("id")
        if not values.null_count() and values.n_unique() == len(values) and not values.dtype.is_nested():
            return np.array(values.cast(str).to_list(), dtype=np.str_), frame.drop("id")
    return ids_by_part(part, len(frame)), frame


def _part_column(
    frame: pl.DataFrame, types: dict[str, str], where: str, remarks: list[Finding]
) -> tuple[np.ndarray | None, pl.DataFrame]:
    """A column "split" or "part" that holds nothing but names of parts is the split, unless its type is told."""
    import polars as pl

    for name in ("split", "part"):
        if name not in frame.columns or name in types or frame.schema[name] != pl.String:
            continue
        values = [value.lower() if value else value for value in frame.get_column(name).to_list()]
        if all(value in PART_OF_NAME for value in values) and "train" in {PART_OF_NAME[value] for value in values}:
            remarks.append(Finding("split-column", "note", f"the column {name!r} was taken as the given split",
                                   where=where, column=name,
                                   remedy=f'To learn from it instead: types={{"{name}": "category"}}.'))
            return np.array([PART_OF_NAME[value] for value in values]), frame.drop(name)
    return None, frame


def frame_of(source: Any) -> pl.DataFrame | None:
    """Any table object (polars, pandas, Arrow, and whatever speaks Arrow or the interchange protocol); else None."""
    import sys

    polars = sys.modules.get("polars")
    if polars is not None and isinstance(source, polars.LazyFrame):
        return source.collect()
    if polars is not None and isinstance(source, polars.DataFrame):
        return source
    if not (hasattr(source, "__arrow_c_stream__") or hasattr(source, "__dataframe__")):
        return None
    import polars as pl

    try:
        frame = pl.DataFrame(source) if hasattr(source, "__arrow_c_stream__") else pl.from_dataframe(source)
    except ImportError as error:
        raise DataError(f"this table needs another package to be read ({error})",
                        remedy="pip install pyarrow, or give (X, y) as arrays.") from None
    return _with_index(frame, source)


def _with_index(frame: pl.DataFrame, source: Any) -> pl.DataFrame:
    """The index of a pandas frame, unless it merely counts, serves as the ids: they then outlast a shuffle."""
    import sys

    import polars as pl

    pandas = sys.modules.get("pandas")
    frame = frame.drop("__index_level_0__", strict=False)
    if pandas is None or not isinstance(source, pandas.DataFrame) or "id" in frame.columns:
        return frame
    index = source.index
    counts = isinstance(index, pandas.RangeIndex) and index.start == 0 and index.step == 1
    if counts or index.nlevels > 1 or not index.is_unique or index.hasnans:
        return frame
    return frame.with_columns(pl.Series("id", [str(value) for value in index.tolist()]))
