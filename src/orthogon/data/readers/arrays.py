"""NumPy arrays (and torch tensors) as columns: pictures, blocks of numbers, labels."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from orthogon.data.columns import CategoryColumn, Column, ImageColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.masks import MaskColumn
from orthogon.data.readers.options import Options, ids_by_part
from orthogon.errors import DataError, nearest

_INPUT_KEYS = ("x", "X", "data", "images", "image", "features", "inputs", "input", "pixels")
_TARGET_KEYS = ("y", "Y", "label", "labels", "target", "targets", "mask", "masks")


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or is_tensor(value)


def to_numpy(value: Any) -> np.ndarray:
    """A tensor, array or nested list as an array; 16-bit floats widen to 32."""
    if is_tensor(value):
        value = value.detach().cpu()
        value = (value.float() if value.is_floating_point() and value.element_size() < 4 else value).numpy()
    array = np.ma.filled(value, np.nan) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def from_xy(x: Any, y: Any, options: Options, part: np.ndarray | None = None) -> Dataset:
    """X, or (X, y), as a Dataset: X is "image" or "features", y is "label", "target" or "labels"."""
    findings: list[Finding] = []
    columns = inputs_of(to_numpy(x), options, findings, channels_first=is_tensor(x))
    count = len(next(iter(columns.values())))
    target = None
    if y is not None:
        labels = to_numpy(y)
        if labels.ndim == 0 or len(labels) != count:
            raise DataError(f"X has {count:,} rows, y has shape {labels.shape}",
                            remedy="Both must have one entry for each example, along the first axis.")
        target, column = target_of(labels, findings)
        columns[target] = column
        _same_size(columns)
    return Dataset("", columns, target, ids_by_part(part, count), part=part, findings=tuple(findings))


def _same_size(columns: Mapping[str, Column]) -> None:
    """DataError where masks have not the size of their pictures."""
    image, mask = columns.get("image"), columns.get("mask")
    if isinstance(image, ImageColumn) and isinstance(mask, MaskColumn) and image.uniform_size != mask.uniform_size:
        raise DataError(f"the masks are {_by(mask.uniform_size)}, the pictures {_by(image.uniform_size)}",
                        remedy="A mask has a pixel for each pixel of its picture.")


def _by(size: tuple[int, int] | None) -> str:
    return "of many sizes" if size is None else f"{size[0]}×{size[1]}"


def inputs_of(
    array: np.ndarray, options: Options, findings: list[Finding], channels_first: bool = False
) -> dict[str, Column]:
    """2-D numbers as one block, 3-D and 4-D as pictures, 1-D as one column; DataError for other shapes."""
    if array.ndim == 0 or not len(array):
        raise DataError(f"an array of shape {array.shape} holds no examples")
    if array.dtype.names:
        return {name: _plain(array[name], options, findings) for name in array.dtype.names}
    if array.ndim >= 3:
        return {"image": ImageColumn(pixels_of(array, findings, channels_first))}
    if array.ndim == 2 and array.dtype.kind == "O":
        return {f"column_{i + 1}": _plain(array[:, i], options, findings) for i in range(array.shape[1])}
    return {"features": _plain(array, options, findings)}


def _plain(array: np.ndarray, options: Options, findings: list[Finding]) -> Column:
    """Numbers as a NumberColumn of any width; words as categories, or as text where they are many."""
    if array.dtype.kind == "f":
        return NumberColumn(array)
    if array.dtype.kind in "biu":
        return NumberColumn(array.astype(np.float64))
    if array.dtype.kind == "c":
        raise DataError("complex numbers cannot be learnt from", remedy="Give real and imaginary parts as columns.")
    if array.ndim > 1:
        try:
            return NumberColumn(array.astype(np.float64))
        except (TypeError, ValueError):
            raise DataError(f"an array of type {array.dtype} and shape {array.shape} is neither numbers nor a table",
                            remedy="Give a data frame where columns are of different sorts.") from None
    values = [None if value is None or value != value else value for value in array.tolist()]
    if all(isinstance(value, (int, float)) or value is None for value in values):
        return NumberColumn(np.array([np.nan if value is None else value for value in values], dtype=np.float64))
    words = [None if value is None else str(value) for value in values]
    distinct = len(set(words))
    return TextColumn(words) if distinct > 20 and distinct > len(words) / 2 else CategoryColumn.from_values(words)


def pixels_of(array: np.ndarray, findings: list[Finding], channels_first: bool = False) -> np.ndarray:
    """Uint8 (n, C, H, W), C = 1 or 3, of n×H×W, n×H×W×C or n×C×H×W; alpha is laid on white."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4:
        array = _channels_first(array, channels_first)
    else:
        raise DataError(f"an array of {array.ndim} dimensions is no set of pictures",
                        remedy="Pictures are n×H×W, n×H×W×C or n×C×H×W; tables are n×d.")
    pixels = _to_uint8(array, findings)
    if pixels.shape[1] == 4:
        alpha = pixels[:, 3:].astype(np.float32) / 255
        return np.rint(pixels[:, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return pixels


def _channels_first(array: np.ndarray, prefer_first: bool) -> np.ndarray:
    first, last = array.shape[1] in (1, 3, 4), array.shape[3] in (1, 3, 4)
    if not first and not last:
        raise DataError(f"pictures of shape {array.shape} have neither 1, 3 nor 4 channels, first or last",
                        remedy="Pictures are n×H×W, n×H×W×C or n×C×H×W with C = 1 (grey), 3 (RGB) or 4 (RGBA).")
    if first and (prefer_first or not last):
        return array
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _to_uint8(array: np.ndarray, findings: list[Finding]) -> np.ndarray:
    """Pixels 0..255: as they are, from floats in 0..1 or 0..255, or from 16 bit; else DataError with the range."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype.kind not in "iuf":
        raise DataError(f"pictures of type {array.dtype} are not read", remedy="Give uint8, or floats in 0..1.")
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():
        raise DataError("pictures hold NaN or infinite pixels", remedy="Fill them in, or leave those pictures out.")
    if low < 0 or high > (65535 if array.dtype == np.uint16 else 255):
        raise DataError(
            f"pixels lie in {low:g}..{high:g}; expected 0..255, or 0..1 as floats",
            remedy="Give them as they were before scaling: Orthogon standardizes them itself, on the train rows. "
            "Numbers that are no pictures belong in an n×d array.",
        )
    if array.dtype.kind != "f":
        return np.rint(array / 257).astype(np.uint8) if high > 255 else array.astype(np.uint8)
    scaled = array * 255 if high <= 1 else array
    pixels = np.rint(scaled).astype(np.uint8)
    worst = float(np.abs(scaled - pixels).max())
    if worst > 0.01:
        findings.append(
            Finding("rounded-pixels", "note", f"pixels in {low:g}..{high:g} were rounded to 256 levels "
                    f"(by at most {worst:.2f} of a level)", column="image", remedy="Give uint8 to avoid it.")
        )
    return pixels


def target_of(array: np.ndarray, findings: list[Finding], names: Sequence[str] = ()) -> tuple[str, Column]:
    """("label", categories), ("target", numbers), ("labels", several at once) or ("mask", n×H×W codes) from y.

    names: of the classes 0, 1, …; used where y is whole numbers within them.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim > 2:
        return "mask", MaskColumn.from_array(array, names)
    if array.ndim == 2:
        return _many(array.astype(np.float64), findings, names)
    if array.dtype.kind == "f":
        return "target", NumberColumn(array)
    if array.dtype.kind in "iu":
        distinct = np.unique(array)
        if len(names) and distinct[0] >= 0 and distinct[-1] < len(names):
            return "label", CategoryColumn(array, names)
        if len(distinct) > max(50, len(array) / 2):
            findings.append(
                Finding("whole-number-target", "note", f"y holds {len(distinct):,} different whole numbers; it was "
                        "taken as a quantity, not as classes", column="target",
                        remedy="Give y as strings if they are classes.")
            )
            return "target", NumberColumn(array.astype(np.float64))
    return "label", CategoryColumn.from_values(array if array.dtype.kind in "biuU" else array.tolist())


def _many(array: np.ndarray, findings: list[Finding], names: Sequence[str]) -> tuple[str, Column]:
    known = array[~np.isnan(array)]
    if not ((known == 0) | (known == 1)).all():
        return "target", NumberColumn(array)
    if array.shape[1] > 2 and not np.isnan(array).any() and (array.sum(axis=1) == 1).all():
        findings.append(
            Finding("one-hot-target", "note", "every row of y carries exactly one label: it may be one-hot classes",
                    column="labels", remedy="For one label of several give y.argmax(axis=1).")
        )
    return "labels", LabelsColumn(array, names or [f"label_{i + 1}" for i in range(array.shape[1])])


def from_mapping(source: Mapping[str, Any], options: Options) -> Dataset:
    """A dict of arrays of equal length. The target: options.target, else the key "y", "label", "target", …"""
    arrays = {str(key): to_numpy(value) for key, value in source.items()}
    lengths = {key: array.shape[:1] for key, array in arrays.items()}
    if len(set(lengths.values())) != 1 or () in lengths.values():
        raise DataError(f"arrays of unequal length: {', '.join(f'{k} {v[0] if v else 0}' for k, v in lengths.items())}")
    if options.target is not None and options.target not in arrays:
        raise DataError(f"there is no array {options.target!r} to be the target",
                        remedy=nearest(options.target, list(arrays)))
    target = options.target or next((key for key in _TARGET_KEYS if key in arrays), None)
    findings: list[Finding] = []
    columns: dict[str, Column] = {}
    for key, array in arrays.items():
        if key == target:
            columns[key] = target_of(array, findings)[1]
        elif array.ndim >= 3:
            columns["image" if key in _INPUT_KEYS else key] = ImageColumn(
                pixels_of(array, findings, is_tensor(source[key]))
            )
        else:
            columns["features" if key in _INPUT_KEYS and array.ndim == 2 else key] = _plain(array, options, findings)
    _same_size(columns)
    count = len(next(iter(columns.values())))
    return Dataset("", columns, target, ids_by_part(None, count), findings=tuple(findings))
