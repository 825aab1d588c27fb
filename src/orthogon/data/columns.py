"""Typed columns: what was read, as it was read. Preprocessing for a network is in `encode`, never here."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np


class Column(ABC):
    """n values of one kind. Missing values are allowed everywhere; each kind says how it marks them."""

    kind: ClassVar[str]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, rows: np.ndarray) -> Self:
        """The column restricted to those rows, in that order."""

    @abstractmethod
    def missing(self) -> np.ndarray:
        """Bool (n,): where there is no value."""

    @abstractmethod
    def cell(self, row: int) -> Any:
        """One value as a person reads it: a str, a float, or an H×W×C uint8 array for pictures."""

    @abstractmethod
    def digests(self) -> np.ndarray:
        """Bytes (n,) 'S16': a content hash of each value, for duplicates and for naming a set of rows."""


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def digest_rows(array: np.ndarray) -> np.ndarray:
    # dtype V16, not S16: NumPy strips trailing zero bytes from S.
    flat = np.ascontiguousarray(array).reshape(len(array), -1)
    return np.array([_digest(row.tobytes()) for row in flat], dtype="V16")


class NumberColumn(Column):
    """Numbers, float64 (n,) for one, (n, d) for a block of d that belong together; NaN = missing.

    names: the d names of a block ("pixel_0", …); a single column has none.
    """

    kind = "number"

    def __init__(self, values: np.ndarray, names: Sequence[str] = ()) -> None:
        self.values = np.asarray(values)
        if self.values.dtype.kind != "f":
            self.values = self.values.astype(np.float64)
        self.names = tuple(names)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def width(self) -> int:
        return 1 if self.values.ndim == 1 else self.values.shape[1]

    def take(self, rows: np.ndarray) -> NumberColumn:
        return NumberColumn(self.values[rows], self.names)

    def missing(self) -> np.ndarray:
        return np.asarray(np.isnan(self.values.reshape(len(self), -1)).any(axis=1))

    def cell(self, row: int) -> float | np.ndarray:
        value = self.values[row]
        return float(value) if self.values.ndim == 1 else value

    def digests(self) -> np.ndarray:
        return digest_rows(self.values.astype(np.float64, copy=False))


class CategoryColumn(Column):
    """One of a closed list of levels: codes int32 (n,), −1 = missing."""

    kind = "category"

    def __init__(self, codes: np.ndarray, levels: Sequence[str]) -> None:
        self.codes = np.asarray(codes, dtype=np.int32)
        self.levels = tuple(str(level) for level in levels)

    @classmethod
    def from_values(cls, values: Sequence[Any] | np.ndarray) -> CategoryColumn:
        """Levels in natural order: numbers as numbers, everything else as text. None and NaN = missing."""
        if isinstance(values, np.ndarray) and values.dtype.kind in "biufU":
            return cls._from_array(values)
        # NaN is the one value that is unequal to itself.
        names = [None if value is None or value != value else str(value) for value in values]
        levels = sorted({name for name in names if name is not None}, key=natural)
        code: dict[str | None, int] = {level: i for i, level in enumerate(levels)}
        return cls(np.array([code.get(name, -1) for name in names], dtype=np.int32), levels)

    @classmethod
    def _from_array(cls, values: np.ndarray) -> CategoryColumn:
        known = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
        distinct, codes = np.unique(values[known], return_inverse=True)
        names = [str(value) for value in distinct.tolist()]
        order = sorted(range(len(names)), key=lambda i: natural(names[i]))
        rank = np.empty(len(names), dtype=np.int32)
        rank[order] = np.arange(len(names), dtype=np.int32)
        out = np.full(len(values), -1, dtype=np.int32)
        out[known] = rank[codes.reshape(-1)] if len(names) else -1
        return cls(out, [names[i] for i in order])

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> CategoryColumn:
        return CategoryColumn(self.codes[rows], self.levels)

    def missing(self) -> np.ndarray:
        return self.codes < 0

    def cell(self, row: int) -> str:
        code = self.codes[row]
        return "" if code < 0 else self.levels[code]

    def counts(self) -> np.ndarray:
        """Int (len(levels),): how often each level occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))

    def digests(self) -> np.ndarray:
        of_level = np.array([_digest(level.encode()) for level in (*self.levels, "\0missing")], dtype="V16")
        return of_level[self.codes]


def natural(level: str) -> tuple[int, float, str]:
    """Sort key: numbers as numbers, before everything else as text."""
    try:
        number = float(level)
    except ValueError:
        return (1, 0.0, level)
    return (0, number, level) if number == number else (1, 0.0, level)  # "nan" has no place among numbers


class TextColumn(Column):
    """Free text: objects of str (n,), None = missing."""

    kind = "text"

    def __init__(self, values: Sequence[str | None]) -> None:
        self.values = np.array(values, dtype=object)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> TextColumn:
        return TextColumn(self.values[rows].tolist())

    def missing(self) -> np.ndarray:
        return np.array([value is None for value in self.values], dtype=bool)

    def cell(self, row: int) -> str:
        return self.values[row] or ""

    def digests(self) -> np.ndarray:
        return np.array([_digest((value or "\0missing").encode()) for value in self.values], dtype="V16")


class DateColumn(Column):
    """Moments: datetime64[us] (n,), NaT = missing."""

    kind = "date"

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.asarray(values, dtype="datetime64[us]")

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> DateColumn:
        return DateColumn(self.values[rows])

    def missing(self) -> np.ndarray:
        return np.isnat(self.values)

    def cell(self, row: int) -> str:
        return str(self.values[row])

    def digests(self) -> np.ndarray:
        return digest_rows(self.values.view(np.int64))


class LabelsColumn(Column):
    """Several labels at once: float32 (n, L), 1 = carried, 0 = not, NaN = unknown (row 3.09)."""

    kind = "labels"

    def __init__(self, values: np.ndarray, names: Sequence[str]) -> None:
        self.values = np.asarray(values, dtype=np.float32)
        self.names = tuple(names)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> LabelsColumn:
        return LabelsColumn(self.values[rows], self.names)

    def missing(self) -> np.ndarray:
        return np.asarray(np.isnan(self.values).all(axis=1))

    def cell(self, row: int) -> str:
        return ", ".join(name for name, value in zip(self.names, self.values[row]) if value == 1)

    def digests(self) -> np.ndarray:
        return digest_rows(self.values)


class ImageColumn(Column):
    """Pictures, either as one uint8 array (n, C, H, W), or as files that are decoded when a size is known.

    pixels: the array, in memory or memory-mapped; None while the pictures are still files.
    files:  one path per row; empty when the pictures came as an array.
    sizes:  int (n, 2): height and width of each file, from its header, after its EXIF orientation is applied.
    channels: 1 (grey) or 3 (RGB): what decoding gives.
    """

    kind = "image"

    def __init__(
        self,
        pixels: np.ndarray | None = None,
        files: Sequence[Path] = (),
        sizes: np.ndarray | None = None,
        channels: int | None = None,
    ) -> None:
        if pixels is None and sizes is None:
            raise ValueError("an ImageColumn needs its pixels, or its files with their sizes")
        self.pixels, self.files = pixels, tuple(files)
        if pixels is not None:
            sizes = np.tile(np.array(pixels.shape[2:]), (len(pixels), 1))
            channels = pixels.shape[1]
        self.sizes = np.asarray(sizes)
        self.channels = int(channels or 3)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def uniform_size(self) -> tuple[int, int] | None:
        """(H, W) when all pictures have it, else None."""
        first = self.sizes[0] if len(self.sizes) else None
        return (int(first[0]), int(first[1])) if first is not None and (self.sizes == first).all() else None

    def take(self, rows: np.ndarray) -> ImageColumn:
        return ImageColumn(
            None if self.pixels is None else self.pixels[rows],
            [self.files[row] for row in rows] if self.files else (),
            self.sizes[rows],
            self.channels,
        )

    def missing(self) -> np.ndarray:
        return np.zeros(len(self), dtype=bool)

    def cell(self, row: int) -> np.ndarray:
        """H×W×C uint8 in full size; grey pictures have C = 1."""
        if self.pixels is not None:
            return np.asarray(self.pixels[row]).transpose(1, 2, 0)
        from orthogon.data.pictures import decode

        return decode(self.files[row], self.channels)

    def digests(self) -> np.ndarray:
        if self.pixels is not None:
            return digest_rows(self.pixels)
        return np.array([_digest(path.read_bytes()) for path in self.files], dtype="V16")
