"""IDX files (the format of MNIST), plain or gzip: one file, or a folder of images and labels by part."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, ImageColumn, NumberColumn
from orthogon.data.dataset import PARTS, Dataset
from orthogon.data.readers.content import bytes_of
from orthogon.data.readers.options import PART_OF_NAME, ids_by_part, row_ids
from orthogon.errors import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(
    r"(?P<part>train|training|t10k|test|testing|dev|val|valid|validation)[-_.]"
    r"(?P<what>images|labels)[-_.]idx\d[-_.]ubyte(\.gz)?$",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"([-_.]idx\d[-_.]ubyte|\.idx\d?)(\.gz)?$", re.IGNORECASE)
_MOST_BYTES = 1 << 34


def is_idx(path: Path) -> bool:
    """Whether the file's name says IDX ("…-idx3-ubyte", ".idx", each with .gz)."""
    return bool(_SUFFIX.search(path.name))


def read_array(path: Path) -> np.ndarray:
    """The array in one IDX file, in native byte order. DataError for anything that is not a whole IDX file."""
    data = bytes_of(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise DataError(
            "this is not an IDX file: it does not begin with two zero bytes and a type code", where=str(path)
        )
    kind, dimensions = np.dtype(_TYPES[data[2]]), data[3]
    head = 4 + 4 * dimensions
    if not dimensions or len(data) < head:
        raise DataError("the IDX header is cut off", where=str(path), remedy="Get the file again.")
    shape = tuple(int(size) for size in np.frombuffer(data, ">u4", dimensions, 4))
    expected = math.prod(shape) * kind.itemsize
    if expected > _MOST_BYTES or len(data) - head != expected:
        raise DataError(
            f"the header promises {'×'.join(map(str, shape))} values = {expected:,} bytes, "
            f"but {len(data) - head:,} follow",
            where=str(path), remedy="The file is truncated or damaged: get it again.",
        )
    array = np.frombuffer(data, kind, offset=head).reshape(shape)
    return array.astype(kind.newbyteorder("="), copy=False)


def _column(array: np.ndarray, path: Path) -> tuple[str, Column]:
    if array.ndim == 1:
        return "label", CategoryColumn.from_values(array)
    if array.ndim == 3 and array.dtype == np.uint8:
        return "image", ImageColumn(array[:, None])
    if array.ndim == 4 and array.dtype == np.uint8 and array.shape[1] in (1, 3):
        return "image", ImageColumn(array)
    if array.ndim == 2:
        return "features", NumberColumn(array.astype(np.float64))
    raise DataError(
        f"an IDX array of {array.ndim} dimensions and type {array.dtype} is neither pictures nor a table",
        where=str(path), remedy="Pictures are uint8 of n×H×W.",
    )


def read_file(path: Path) -> Dataset:
    """One IDX file alone: its images without labels, or with those of the labels file that stands beside it."""
    match = _NAME.search(path.name)
    if match and match["what"].lower() == "images":
        beside = [other for other in sorted(path.parent.iterdir()) if _partner(other, match)]
        if beside:
            return _from_pairs({PART_OF_NAME[match["part"].lower()]: (path, beside[0])}, part=False)
    array = read_array(path)
    name, column = _column(array, path)
    return Dataset(name="", columns={name: column}, target=None, ids=row_ids(len(array)))


def _partner(other: Path, images: re.Match[str]) -> bool:
    match = _NAME.search(other.name)
    return bool(
        match and match["what"].lower() == "labels" and match["part"].lower() == images["part"].lower()
        and other.name[: match.start()] == images.string[: images.start()]
    )


def find_pairs(folder: Path) -> dict[str, tuple[Path, Path | None]]:
    """Part -> (images file, labels file) of the IDX files in a folder; empty where there are none."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir()):
        if match := _NAME.search(path.name):
            key = (PART_OF_NAME[match["part"].lower()], match["what"].lower())
            # A plain file and its .gz are the same thing twice: the plain one is quicker.
            if key not in found or path.suffix != ".gz":
                found[key] = path
    return {
        part: (found[part, "images"], found.get((part, "labels"))) for part in PARTS if (part, "images") in found
    }


def read_folder(folder: Path) -> Dataset:
    """A folder of IDX files named as MNIST's are: parts "train" and "test", ids "train/00000"."""
    return _from_pairs(find_pairs(folder), part=True)


def _from_pairs(pairs: dict[str, tuple[Path, Path | None]], part: bool) -> Dataset:
    labelled = [labels is not None for _, labels in pairs.values()]
    if any(labelled) and not all(labelled):
        missing = [images for images, labels in pairs.values() if labels is None]
        raise DataError("there is no labels file for these images", where=str(missing[0]))
    images = [read_array(path) for path, _ in pairs.values()]
    shapes = {array.shape[1:] for array in images}
    if len(shapes) > 1:
        raise DataError(f"the parts have pictures of different shapes: {sorted(shapes)}", where=str(next(iter(pairs))))
    name, column = _column(np.concatenate(images) if len(images) > 1 else images[0], next(iter(pairs.values()))[0])
    columns: dict[str, Column] = {name: column}
    if all(labelled):
        both = [(path, labels) for path, labels in pairs.values() if labels is not None]
        columns["label"] = CategoryColumn.from_values(np.concatenate(_labels(both, images)))
    parts = np.repeat(np.array(list(pairs)), [len(array) for array in images]) if part else None
    return Dataset(
        name="", columns=columns, target="label" if all(labelled) else None,
        ids=ids_by_part(parts, len(column)), part=parts,
    )


def _labels(pairs: list[tuple[Path, Path]], images: list[np.ndarray]) -> list[np.ndarray]:
    arrays = []
    for (path, labels), pictures in zip(pairs, images):
        array = read_array(labels)
        if array.ndim != 1 or len(array) != len(pictures):
            raise DataError(
                f"{len(pictures):,} images but labels of shape {array.shape}", where=str(labels),
                remedy=f"The labels must belong to {path.name}.",
            )
        arrays.append(array)
    return arrays


def plain_name(name: str) -> str:
    """The file name without its IDX suffix."""
    return _SUFFIX.sub("", name)
