"""`read`: files, folders, names and objects of other libraries as one Dataset."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from orthogon.data import public
from orthogon.data.columns import CategoryColumn, Column, ImageColumn, NumberColumn, TextColumn
from orthogon.data.corrections import corrected, read_corrections
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.pictures import materialize
from orthogon.data.readers import (
    conll,
    folders,
    idx,
    mask_folders,
    objects,
    parallel_files,
    running_text,
    table_files,
    text_files,
)
from orthogon.data.readers.image_files import image_column
from orthogon.data.readers.options import PART_OF_NAME, Options, listing, slug
from orthogon.data.target_columns import ObjectColumn
from orthogon.errors import DataError, nearest


def read(
    source: Any,
    *,
    target: str | None = None,
    types: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    header: bool = True,
    group: str | Sequence[Any] | np.ndarray | None = None,
    source_column: str | Sequence[Any] | np.ndarray | None = None,
    weight: str | Sequence[float] | np.ndarray | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    running: bool = False,
    corrections: str | Path | None = None,
    name: str | None = None,
) -> Dataset:
    """Examples with typed columns, from nearly anything.

    source: a folder of class folders of pictures (train/, dev|val|valid|validation/, test/ inside are understood);
        a folder without class folders (pictures to predict); images/ beside masks/ with PNGs of the same names;
        IDX files; CSV, TSV, Parquet, JSON lines (.gz too); plain text (.txt): one example a line, a folder of such
        files with a class each, or class folders of files with one example each;
        parallel text: two files NAME.en and NAME.fr (as a list, or joined by a comma), or a folder of such;
        a folder, a list or a pattern ("adult-*.csv.gz") of tables named by part; the name of a public data set;
        CoNLL and CoNLL-U (.xz and .gz too), one file or one for each part: words, and the tags as the target;
        (X, y), X, or a dict of NumPy arrays or torch tensors; a torch Dataset; any data frame; a Hugging Face
        Dataset or DatasetDict; a scikit-learn Bunch; {"train": …, "test": …} of files or frames.
    target:  the column to learn; default: "label" of pictures and arrays, none for tables.
    types:   column -> "number", "category", "text", "image", "date" (or "date:%d/%m/%Y"), "ignore"; overrides what
        is inferred. In CSV these mean "missing", blanks stripped: nothing, ?, NA, N/A, NaN, null, NULL, None, #N/A.
    columns: names for the columns of a table, in order; header: whether the first row of a CSV holds names.
    group, source_column, weight: a column (which is then no input), or one value for each row. For folders of
        pictures a str is a regular expression searched in the path; what its first bracket matches is the value.
    channels: 1 (grey) or 3 (RGB); default: 1 where every picture is grey.
    skip_bad: leave out files that cannot be read, each a finding; default: DataError that names them.
    running: plain text is one running text, such as a book, read as blocks that follow each other; of a folder all
        its text files, one after the other.
    corrections: a CSV of id, given, corrected (`orthogon labels` writes it): these labels are changed, in all parts.
    name:    default: from the file, folder or public name; "data" for objects.

    A table with a column of pictures and boxes (xmin, ymin, xmax, ymax; left, top, right, bottom; x, y, width, height;
    cx, cy, w, h; in pixels or as shares) or points (NAME_x, NAME_y) has the target "object": one in each picture, of
    the class in "label", "class", "category" or the target; none where the cells are empty. A box that is outside of
    its picture by a pixel is clipped and counted, one by more is refused with its line.

    DataError says what is wrong, where, and the remedy. Nothing is dropped in silence: see `findings`.
    """
    if channels not in (None, 1, 3):
        raise DataError(f"channels must be 1 (grey) or 3 (RGB), not {channels!r}")
    options = Options(
        target, dict(types or {}), tuple(columns or ()), header, group, source_column, weight, channels, skip_bad, name,
        running,
    )
    data = _read(source, options)
    return data if corrections is None else corrected(data, read_corrections(corrections), str(corrections))


def _read(source: Any, options: Options) -> Dataset:
    if isinstance(source, Dataset):
        return _finish(source, options, source.name, source.origin)
    if isinstance(source, (str, Path)):
        data, found_name = _named(source, options)
        return _finish(data, options, found_name, str(source))
    if isinstance(source, list | tuple) and (pair := _parallel(source)):
        return _finish(parallel_files.read_pairs({"": pair}), options, slug(pair[0].stem), f"{pair[0]},{pair[1]}")
    paths = _paths(source)
    data = _from_paths(paths, options) if paths is not None else objects.read_object(source, options)
    origin = ",".join(str(path) for path in paths.values()) if paths else ""
    return _finish(data, options, _common_name(paths) if paths else data.name or "data", origin)


def _named(source: str | Path, options: Options) -> tuple[Dataset, str]:
    """A path, a pattern, a list of paths joined by commas, or a public name; and the short name it gives."""
    text = str(source)
    path = Path(text).expanduser()
    if path.exists():
        data = _from_path(path, options)
        if text in public.names():
            note = Finding(
                "path-before-name", "note", f"{text!r} was read as the path {path.resolve()}, not as the public data "
                "set of that name", where=str(path), remedy="Rename the file or folder to mean the public set.",
            )
            data = replace(data, findings=(note, *data.findings))
        stem = table_files.stem(path) if path.is_file() else path.resolve().name
        return data, slug(idx.plain_name(stem))
    if text in public.names():
        return public.load(text), text
    if pair := _parallel(_several(text)):
        return parallel_files.read_pairs({"": pair}), slug(pair[0].stem)
    if (paths := _paths(_several(text))) is not None:
        return _from_paths(paths, options), _common_name(paths)
    raise DataError(
        f"there is no file or folder {text!r} (tried {path.absolute()}), and no public data set of that name",
        remedy=f"{nearest(text, public.names())} `orthogon list data` shows the public ones.",
    )


def _several(text: str) -> list[Path]:
    if any(mark in text for mark in "*?["):
        return [Path(name) for name in sorted(glob.glob(text))]
    paths = [Path(piece.strip()).expanduser() for piece in text.split(",")]
    return paths if len(paths) > 1 and all(path.exists() for path in paths) else []


def _parallel(source: Sequence[Any]) -> tuple[Path, Path] | None:
    """Two files of one name in two languages; None where it is anything else."""
    if not all(isinstance(each, str | Path) for each in source):
        return None
    pair = parallel_files.pair_of([Path(each) for each in source])
    return pair if pair and all(path.is_file() for path in pair) else None


def _paths(source: Any) -> dict[str, Path] | None:
    """Part -> file, of a list of paths or a dict of part -> path; None where the source is something else."""
    if isinstance(source, Mapping) and source and all(isinstance(value, (str, Path)) for value in source.values()):
        return {objects.part_name(key): Path(value) for key, value in source.items()}
    if isinstance(source, (list, tuple)) and source and all(isinstance(item, Path | str) for item in source):
        paths = [Path(item) for item in source]
        if absent := [path for path in paths if not path.exists()]:
            raise DataError("no such file", where=listing(absent))
        if len(paths) == 1:
            return {"": paths[0]}
        sentences = all(conll.suffix_of(path) for path in paths)
        parts = conll.parts_of(paths) if sentences else table_files.parts_of(paths)
        if parts is None:
            raise DataError(
                "which file is which part cannot be told from the names", where=listing([path.name for path in paths]),
                remedy='Name them …-train, …-dev, …-test, or say {"train": PATH, "test": PATH}.',
            )
        return parts
    return None


def _common_name(paths: Mapping[str, Path]) -> str:
    """The words that the file names share, "adult" of adult-train and adult-test; else the folder's name."""
    first, *others = (re.split(r"[-_. ]", table_files.stem(path)) for path in paths.values())
    shared = [word for word in first if all(word in other for other in others) and word.lower() not in PART_OF_NAME]
    return slug("-".join(shared) or next(iter(paths.values())).resolve().parent.name)


def _from_paths(paths: dict[str, Path], options: Options) -> Dataset:
    for path in paths.values():
        if not path.exists():
            raise DataError("no such file", where=str(path))
    if options.running:
        return running_text.read_running_text({part: [path] for part, path in paths.items()})
    if list(paths) == [""]:
        return _from_path(paths[""], options)
    if all(text_files.is_plain(path, options) for path in paths.values()):
        return text_files.read_lines(paths, options)
    if any(conll.suffix_of(path) for path in paths.values()):
        return conll.read_parts(paths, options)
    return table_files.read_parts(paths, options)


def _from_path(path: Path, options: Options) -> Dataset:
    if options.running:
        return running_text.read_folder(path) if path.is_dir() else running_text.read_running_text({"": [path]})
    if path.is_dir():
        return _from_folder(path, options)
    suffix = path.suffix.lower()
    if idx.is_idx(path):
        return idx.read_file(path)
    if text_files.is_plain(path, options):
        return text_files.read_lines({"": path}, options)
    if table_files.table_suffix(path):
        return table_files.read_table(path, options)
    if conll.suffix_of(path):
        return conll.read_parts({"": path}, options)
    if suffix in folders.SUFFIXES:
        image, findings, _ = image_column([path], ids=[path.name], channels=options.channels, skip_bad=False,
                                          where=str(path))
        return Dataset("", {"image": image}, None, np.array([path.name]), findings=tuple(findings))
    if suffix in (".npz", ".npy"):
        return objects.read_numpy_file(path, options)
    raise DataError(
        f"files of the sort {suffix or 'without a suffix'!r} are not read", where=str(path),
        remedy="Known: CSV, TSV, Parquet, JSONL, TXT, IDX (.gz too), CoNLL, CoNLL-U (.xz too), NPY, NPZ, and folders "
        "of JPEG, PNG, WEBP pictures.",
    )


def _from_folder(folder: Path, options: Options) -> Dataset:
    if idx.find_pairs(folder):
        return idx.read_folder(folder)
    if mask_folders.has_masks(folder):
        return mask_folders.read_folder(folder, options)
    if pairs := parallel_files.pairs_in(folder):
        return parallel_files.read_pairs(pairs)
    sentences = conll.parts_in(folder)
    if sentences is not None:
        return conll.read_parts(sentences, options)
    tables = table_files.tables_in(folder)
    parts = table_files.parts_of(tables) if tables else None
    if parts is not None:
        return table_files.read_parts(parts, options)
    picture_folders = [entry for entry in folder.iterdir() if entry.is_dir() and folders.has_pictures(entry)]
    if len(tables) == 1 and len(picture_folders) < 2:
        return table_files.read_table(tables[0], options)
    if tables and not folders.has_pictures(folder):
        raise DataError(
            f"several tables lie here: {listing([path.name for path in tables])}", where=str(folder),
            remedy="Name one of them, or name them by part: train.csv, dev.csv, test.csv.",
        )
    if not folders.has_pictures(folder) and (texts := text_files.read_folder(folder, options)) is not None:
        return texts
    return folders.read_folder(folder, options)


def _finish(data: Dataset, options: Options, name: str, origin: str) -> Dataset:
    """Target, group, source and weight as asked; they leave the inputs."""
    data = _retyped(replace(data, name=options.name or name, origin=origin), options)
    if options.target is not None and options.target != data.target:
        data = data.with_target(options.target)
    for option, what in (("group", "group"), ("source_column", "source"), ("weight", "weight")):
        spec = getattr(options, option)
        if spec is not None:
            data = _with_side(data, spec, what)
    return data


def _retyped(data: Dataset, options: Options) -> Dataset:
    """`types` and `channels` for sources that are no tables; a table has followed them already."""
    columns = dict(data.columns)
    for name, told in options.types.items():
        kind = told.partition(":")[0]
        if kind == "ignore":
            columns.pop(name, None)
        elif name not in columns and any(isinstance(column, ObjectColumn) for column in columns.values()):
            continue  # the column has become part of the object
        elif name not in columns:
            raise DataError(f"types name a column {name!r} that does not exist", where=data.name,
                            remedy=nearest(name, list(columns)))
        elif columns[name].kind != kind:
            columns[name] = _converted(columns[name], kind, f"{data.name}, column {name}")
    for name, column in columns.items():
        if isinstance(column, ImageColumn) and options.channels not in (None, column.channels):
            columns[name] = _with_channels(column, options.channels or 3)
    return replace(data, columns=columns, target=data.target if data.target in columns else None)


def _converted(column: Column, kind: str, where: str) -> Column:
    """A category as the numbers that its levels are, a number as a category; DataError for all else."""
    if kind == "category" and isinstance(column, NumberColumn) and column.width == 1:
        known = column.values[~np.isnan(column.values)]
        whole = bool((known == np.rint(known)).all())
        values = [None if np.isnan(value) else int(value) if whole else float(value) for value in column.values]
        return CategoryColumn.from_values(values)
    if kind == "number" and isinstance(column, CategoryColumn):
        try:
            values = np.array([*(float(level) for level in column.levels), np.nan])
        except ValueError as error:
            raise DataError(f"its levels are not numbers ({error})", where=where) from None
        return NumberColumn(values[column.codes])
    raise DataError(f"a column of kind {column.kind} cannot be read as {kind}", where=where)


def _with_channels(column: ImageColumn, channels: int) -> ImageColumn:
    if column.pixels is None:
        return ImageColumn(None, column.files, column.sizes, channels)
    height, width = column.pixels.shape[2:]
    return ImageColumn(materialize(column, (height, width), channels=channels))


def _with_side(data: Dataset, spec: Any, what: str) -> Dataset:
    """`group`, `source` or `weight` from a column, a pattern on the ids of pictures, or given values."""
    if not isinstance(spec, str):
        values = np.asarray(spec)
        if values.shape != (len(data),):
            raise DataError(f"{what} has shape {values.shape}, expected one value for each of {len(data):,} rows",
                            where=data.name)
    elif spec in data.columns:
        if spec == data.target:
            raise DataError(f"the target {spec!r} cannot also be the {what}", where=data.name)
        values = _side_values(data.columns[spec], what, data)
        data = replace(data, columns={key: value for key, value in data.columns.items() if key != spec})
    elif "image" in data.columns and "(" in spec:
        values = _matched(data, spec, what)
    else:
        raise DataError(f"there is no column {spec!r} for the {what}", where=data.name,
                        remedy=nearest(spec, list(data.columns)))
    if what == "weight":
        return replace(data, weight=_weights(values, data.name))
    return replace(data, **{what: np.asarray(values).astype(np.str_)})


def _side_values(column: Column, what: str, data: Dataset) -> np.ndarray:
    missing = column.missing()
    if missing.any() and what != "group":
        raise DataError(f"{int(missing.sum()):,} rows have no {what}; the first is row {np.flatnonzero(missing)[0]}",
                        where=data.name, remedy="Fill it in, or leave those rows out.")
    if what == "weight":
        if not isinstance(column, NumberColumn):
            raise DataError("the weight must be a column of numbers", where=data.name)
        return column.values
    if isinstance(column, TextColumn):
        values = column.values.copy()
    elif isinstance(column, CategoryColumn):
        values = np.array([*column.levels, ""], dtype=object)[column.codes]
    elif isinstance(column, NumberColumn) and column.width == 1:
        values = np.array([f"{value:g}" for value in column.values], dtype=object)
    else:
        raise DataError(f"a column of kind {column.kind} cannot be the {what}", where=data.name)
    # An example without a group is a group of its own.
    values[missing] = data.ids[missing]
    return values


def _matched(data: Dataset, pattern: str, what: str) -> np.ndarray:
    try:
        matches = [re.search(pattern, name) for name in data.ids.tolist()]
    except re.error as error:
        raise DataError(f"the pattern for the {what} is not a regular expression ({error})", where=pattern) from None
    for name, match in zip(data.ids.tolist(), matches):
        if match is None or match.group(1) is None:
            raise DataError(f"the pattern {pattern!r} for the {what} does not match", where=name)
    return np.array([match.group(1) for match in matches if match])


def _weights(values: np.ndarray, where: str) -> np.ndarray:
    try:
        weights = values.astype(np.float64)
    except ValueError:
        raise DataError("the weights are not numbers", where=where) from None
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise DataError("weights must be finite, at least 0, and not all 0", where=where)
    return weights
