"""Objects of other libraries: frames, torch data sets, Hugging Face data sets, scikit-learn bunches."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orthogon.data.columns import Column, ImageColumn, NumberColumn
from orthogon.data.dataset import PARTS, Dataset, Finding
from orthogon.data.progress import track
from orthogon.data.readers import arrays, hugging, table_files
from orthogon.data.readers.options import PART_OF_NAME, Options, row_ids
from orthogon.data.readers.spill import spill
from orthogon.errors import DataError, nearest

if TYPE_CHECKING:
    import polars as pl

_MOST_COLUMNS = 200


def part_name(key: Any) -> str:
    """The part that a key names; DataError where it names none."""
    part = PART_OF_NAME.get(str(key).lower())
    if part is None:
        raise DataError(f"{key!r} is not the name of a part", remedy=nearest(str(key), list(PART_OF_NAME)))
    return part


def read_object(source: Any, options: Options) -> Dataset:
    """Anything in memory that `read` takes; DataError naming what is taken where it is something else."""
    if hugging.is_hugging(source):
        return hugging.read(source, options)
    if type(source).__name__ == "Bunch" and isinstance(source, Mapping):
        return _from_bunch(source, options)
    frame = table_files.frame_of(source)
    if frame is not None:
        return table_files.from_frame(_named(frame, options), options, where="the table")
    if isinstance(source, Mapping) and source:
        return _from_mapping(source, options)
    if arrays.is_array(source):
        return arrays.from_xy(source, None, options)
    if isinstance(source, (tuple, list)) and len(source) == 2 and (source[1] is None or _is_data(source[0])):
        return _from_pair(source[0], source[1], options)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(source, torch.utils.data.TensorDataset):
        return _from_tensors(getattr(source, "tensors"), options)  # noqa: B009 - the type is known only at run time
    if hasattr(source, "__getitem__") and hasattr(source, "__len__") and not isinstance(source, (str, bytes, list)):
        return _from_map_style(source, options)
    raise DataError(
        f"a {type(source).__module__}.{type(source).__qualname__} cannot be read",
        remedy="Known: a path, a public name, (X, y) or a dict of arrays or tensors, a data frame, a torch Dataset "
        "with a length, a Hugging Face Dataset, a scikit-learn Bunch.",
    )


def _is_data(value: Any) -> bool:
    return arrays.is_array(value) or table_files.frame_of(value) is not None or isinstance(value, (list, tuple))


def _named(frame: pl.DataFrame, options: Options) -> pl.DataFrame:
    if not options.columns:
        return frame
    if len(options.columns) != frame.width:
        raise DataError(f"{len(options.columns)} column names for {frame.width} columns")
    return frame.rename(dict(zip(frame.columns, options.columns)))


def _from_mapping(source: Mapping[Any, Any], options: Options) -> Dataset:
    """Part -> frame or (X, y); or column -> array."""
    if not all(str(key).lower() in PART_OF_NAME for key in source):
        return arrays.from_mapping(source, options)
    by_part = {part_name(key): value for key, value in source.items()}
    by_part = {part: by_part[part] for part in PARTS if part in by_part}
    if all(isinstance(value, (tuple, list)) and len(value) == 2 for value in by_part.values()):
        xs = [arrays.to_numpy(value[0]) for value in by_part.values()]
        ys = [arrays.to_numpy(value[1]) for value in by_part.values()]
        if len({x.shape[1:] for x in xs}) > 1:
            raise DataError(f"the parts have examples of different shapes: {[x.shape for x in xs]}")
        part = np.repeat(np.array(list(by_part)), [len(x) for x in xs])
        return arrays.from_xy(np.concatenate(xs), np.concatenate(ys), options, part)
    frames = {part: table_files.frame_of(value) for part, value in by_part.items()}
    known = {part: _named(frame, options) for part, frame in frames.items() if frame is not None}
    if len(known) < len(frames):
        raise DataError("a part is neither a frame nor a pair (X, y)")
    return table_files.from_parts(known, options, where="the tables", folder=None, parse=False, findings=[])


def _from_pair(x: Any, y: Any, options: Options) -> Dataset:
    """(X, y), where X may be a frame, and y a series of any sort."""
    frame = table_files.frame_of(x)
    if frame is None:
        return arrays.from_xy(x, y, options)
    inputs = table_files.from_frame(_named(frame, options), options, where="the table")
    if y is None:
        return inputs
    labels = arrays.to_numpy(y)
    if len(labels) != len(inputs):
        raise DataError(f"X has {len(inputs):,} rows, y has shape {labels.shape}")
    findings: list[Finding] = []
    name, column = arrays.target_of(labels, findings)
    name = str(getattr(y, "name", None) or name)
    return Dataset(
        "", {**inputs.columns, name: column}, name, inputs.ids, findings=(*inputs.findings, *findings)
    )


def _from_tensors(tensors: Sequence[Any], options: Options) -> Dataset:
    if len(tensors) > 2:
        raise DataError(f"a TensorDataset of {len(tensors)} tensors is ambiguous", remedy="Give a dict of tensors.")
    return arrays.from_xy(tensors[0], tensors[1] if len(tensors) == 2 else None, options)


def _from_map_style(source: Any, options: Options) -> Dataset:
    """A torch-style Dataset of x or (x, y), visited once in order; class names from its `classes`."""
    count = len(source)
    if not count:
        raise DataError("the data set is empty")
    xs, ys = [], []
    for row in track(range(count), count, "reading examples"):
        item = source[row]
        pair = type(item) in (tuple, list) and len(item) == 2
        if pair != bool(ys) and row:
            raise DataError("some examples have a label and some have none", where=f"example {row}")
        x, y = item if pair else (item, None)
        xs.append(x)
        if pair:
            ys.append(y)
    findings: list[Finding] = []
    columns = _stacked(xs, options, findings)
    target = None
    if ys:
        labels = np.stack([arrays.to_numpy(y) for y in ys])
        target, columns_y = arrays.target_of(labels, findings, tuple(getattr(source, "classes", ())))
        columns[target] = columns_y
    return Dataset("", columns, target, row_ids(count), findings=tuple(findings))


def _stacked(xs: list[Any], options: Options, findings: list[Finding]) -> dict[str, Column]:
    """Examples as columns: one array where they have one shape, files in the cache where pictures differ in size."""
    if isinstance(xs[0], Mapping):
        raise DataError("the examples are dicts", remedy="Give a data frame or a dict of arrays instead.")
    if hasattr(xs[0], "getexif"):
        return {"image": spill(xs, options.channels)}
    items = [arrays.to_numpy(x) for x in xs]
    shapes = {item.shape for item in items}
    if len(shapes) > 1:
        raise DataError(f"the examples have {len(shapes)} different shapes, such as {sorted(shapes)[:2]}",
                        remedy="Resize the pictures in the data set, or give a folder of files.")
    return arrays.inputs_of(np.stack(items), options, findings, channels_first=arrays.is_tensor(xs[0]))


def _from_bunch(bunch: Mapping[str, Any], options: Options) -> Dataset:
    """A scikit-learn Bunch: its pictures where it has them, else a column for each feature."""
    if "data" not in bunch:
        raise DataError("this Bunch has no data", remedy=f"It has {', '.join(bunch)}.")
    findings: list[Finding] = []
    columns = _bunch_inputs(bunch, options, findings)
    target = None
    if bunch.get("target") is not None:
        given = bunch.get("target_names")
        names = [str(name) for name in given] if given is not None else []
        labels = arrays.to_numpy(bunch["target"])
        classes = names if labels.dtype.kind in "iu" and len(names) > 1 else ()
        target, column = arrays.target_of(labels, findings, classes)
        columns[target] = column
    count = len(next(iter(columns.values())))
    return Dataset("", columns, target, row_ids(count), findings=tuple(findings))


def _bunch_inputs(bunch: Mapping[str, Any], options: Options, findings: list[Finding]) -> dict[str, Column]:
    if bunch.get("images") is not None:
        images = np.asarray(bunch["images"])
        # scikit-learn's digits count ink in 0..16; everything else there is 0..1 or 0..255.
        if 1 < images.max() <= 16 and (images == np.rint(images)).all():
            images = np.rint(images * (255 / 16)).astype(np.uint8)
        return {"image": ImageColumn(arrays.pixels_of(images, findings))}
    frame = table_files.frame_of(bunch["data"])
    if frame is not None:
        return table_files.from_frame(frame, Options(types=options.types), where="the table").columns
    data = bunch["data"]
    data = np.asarray(data.todense() if hasattr(data, "todense") else data)
    names = [str(name) for name in bunch.get("feature_names", ())]
    if data.ndim == 2 and len(names) == data.shape[1] and len(names) <= _MOST_COLUMNS:
        return {name: NumberColumn(data[:, i].astype(np.float64)) for i, name in enumerate(names)}
    return arrays.inputs_of(data, options, findings)


def read_numpy_file(path: Path, options: Options) -> Dataset:
    """.npy as X, .npz as a dict of arrays; never pickles."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return arrays.from_xy(loaded, None, options)
        with loaded:
            return arrays.from_mapping({key: loaded[key] for key in loaded.files}, options)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"the file cannot be read ({error})", where=str(path),
                        remedy="Save plain arrays with numpy.save or numpy.savez.") from None


