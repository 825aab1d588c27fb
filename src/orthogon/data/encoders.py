"""Encoders: preprocessing fitted on the train rows, one per tensor that a network is given (row 9.01)."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from orthogon.data.columns import CategoryColumn, Column, ImageColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.number_features import Source, feature_chunks, source_of
from orthogon.errors import DataError
from orthogon.nn.spec import InputSpec

CHUNK = 4096


class Encoder(ABC):
    """Columns -> one input tensor, in two halves: `encode` once for all rows, `prepare` on every batch.

    columns: the names of the columns that it reads.
    """

    kind: ClassVar[str]
    columns: tuple[str, ...]

    @abstractmethod
    def input_spec(self) -> InputSpec: ...

    @abstractmethod
    def encode(self, data: Dataset) -> Tensor:
        """All rows in the form in which they are stored."""

    def prepare(self, stored: Tensor) -> Tensor:
        """A gathered batch of stored rows as the model takes it, on the batch's device. Identity by default."""
        return stored

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All that was fitted, as plain JSON values; `from_state` builds the encoder from it."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self: ...


class ImageEncoder(Encoder):
    """Pictures of one size: uint8 N×C×H×W in storage, standardised per channel in the batch.

    size: (H, W) in pixels. channels: 1 or 3. fit: how other shapes are brought to that size (crop, letterbox, stretch).
    mean, std: per channel, in 0 … 255: of all train pixels, or as what the weights were trained with.
    channels_last: memory layout of what `prepare` gives.
    """

    kind = "image"

    def __init__(self, column: str, size: tuple[int, int], channels: int, fit: str,
                 mean: Sequence[float], std: Sequence[float]) -> None:
        self.columns = (column,)
        self.size, self.channels, self.fit = (int(size[0]), int(size[1])), int(channels), fit
        self.mean, self.std = tuple(map(float, mean)), tuple(map(float, std))
        self.channels_last = False
        self._scales: dict[torch.device, tuple[Any, Any]] = {}

    @classmethod
    def fitted(cls, column: str, data: Dataset, rows: np.ndarray, size: tuple[int, int], channels: int,
               fit: str) -> ImageEncoder:
        encoder = cls(column, size, channels, fit, [0.0] * channels, [1.0] * channels)
        mean, std = _pixel_statistics(encoder.encode(data), rows)
        return cls(column, size, channels, fit, mean, std)

    @property
    def in_unit(self) -> bool:
        """Whether what `prepare` gives lies in 0 … 1, black to white."""
        return not any(self.mean) and set(self.std) == {255.0}

    def input_spec(self) -> InputSpec:
        return InputSpec("image", (self.channels, *self.size))

    def encode(self, data: Dataset) -> Tensor:
        column = data.columns[self.columns[0]]
        if not isinstance(column, ImageColumn):
            raise DataError(
                f"column {self.columns[0]!r} is of kind {column.kind} where the network was trained on pictures",
                where=data.name,
            )
        pixels = column.pixels
        if pixels is None or pixels.shape[1:] != (self.channels, *self.size):
            from orthogon.data.pictures import materialize

            pixels = materialize(column, self.size, fit=self.fit, channels=self.channels)
        with warnings.catch_warnings():  # a read-only memory map is only ever read here
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return torch.from_numpy(np.ascontiguousarray(pixels))

    def prepare(self, stored: Tensor) -> Tensor:
        scale, shift = self._scale_shift(stored.device)
        layout = torch.channels_last if self.channels_last else torch.preserve_format
        return stored.to(torch.float32, memory_format=layout).mul_(scale).add_(shift)

    def _scale_shift(self, device: torch.device) -> tuple[Any, Any]:
        """1/std and -mean/std: plain numbers for one channel (the fastest), else tensors that broadcast."""
        if device not in self._scales:
            scale = [1 / std for std in self.std]
            shift = [-mean / std for mean, std in zip(self.mean, self.std)]
            if self.channels == 1:
                self._scales[device] = (scale[0], shift[0])
            else:
                as_tensor = lambda values: torch.tensor(values, device=device).view(1, -1, 1, 1)  # noqa: E731
                self._scales[device] = (as_tensor(scale), as_tensor(shift))
        return self._scales[device]

    def state(self) -> dict[str, Any]:
        return {"kind": "image", "column": self.columns[0], "size": list(self.size), "channels": self.channels,
                "fit": self.fit, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ImageEncoder:
        size = tuple(state["size"])
        return cls(state["column"], (size[0], size[1]), state["channels"], state["fit"], state["mean"], state["std"])


def _pixel_statistics(pixels: Tensor, rows: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel over the rows, summed exactly: pixels and squares are whole numbers."""
    chosen = torch.from_numpy(np.sort(rows).astype(np.int64))
    total = torch.zeros(pixels.shape[1], dtype=torch.int64)
    squares = torch.zeros_like(total)
    for start in range(0, len(chosen), CHUNK):
        chunk = pixels[chosen[start : start + CHUNK]].transpose(0, 1).flatten(1).to(torch.int32)
        total += chunk.sum(1, dtype=torch.int64)
        squares += chunk.square_().sum(1, dtype=torch.int64)
    count = max(1, len(chosen)) * pixels[0, 0].numel()
    mean = total.double() / count
    std = (squares.double() / count - mean.square()).clamp(min=0).sqrt()
    return mean.tolist(), [value if value > 1e-6 else 1.0 for value in std.tolist()]


class NumberEncoder(Encoder):
    """All number columns, blocks and dates: standardised, missing -> 0, with an indicator of what was missing in train.

    sources: what the features come from. mean, std: per feature over the train rows (ddof 0), NaN left out.
    A feature that is constant in train has std 0 and becomes 0. indicators: the features that had missing values in
    train; each adds a 0/1 feature. A value that is missing only later becomes 0, the train mean.
    """

    kind = "number"

    def __init__(self, sources: Sequence[Source], mean: Sequence[float], std: Sequence[float],
                 indicators: Sequence[int]) -> None:
        self.sources = tuple(sources)
        self.columns = tuple(source.name for source in self.sources)
        self.mean, self.std = np.array(mean, dtype=np.float64), np.array(std, dtype=np.float64)
        self.indicators = tuple(int(index) for index in indicators)

    @classmethod
    def fitted(cls, columns: Sequence[str], data: Dataset, rows: np.ndarray) -> NumberEncoder:
        return cls.of_sources([source_of(name, data.columns[name], rows) for name in columns], data, rows)

    @classmethod
    def of_sources(cls, sources: Sequence[Source], data: Dataset, rows: np.ndarray) -> NumberEncoder:
        """The same, where it is chosen what dates are expanded to."""
        mean, std, missing = _moments(lambda: feature_chunks(sources, data, rows), sum(s.width for s in sources))
        return cls(sources, mean.tolist(), std.tolist(), np.flatnonzero(missing).tolist())

    @property
    def features(self) -> list[str]:
        """The names of the D numbers that the model is given."""
        names = [feature for source in self.sources for feature in source.features()]
        return names + [f"{names[index]} missing" for index in self.indicators]

    def input_spec(self) -> InputSpec:
        return InputSpec("number", (len(self.mean) + len(self.indicators),))

    def encode(self, data: Dataset) -> Tensor:
        encoded = np.empty((len(data), *self.input_spec().shape), dtype=np.float32)
        scale = np.divide(1.0, self.std, out=np.zeros_like(self.std), where=self.std > 0)
        end, features = 0, len(self.mean)
        for table in feature_chunks(self.sources, data, np.arange(len(data))):
            missing = np.isnan(table)
            table -= self.mean
            table *= scale
            table[missing] = 0.0
            start, end = end, end + len(table)
            encoded[start:end, :features] = table
            encoded[start:end, features:] = missing[:, list(self.indicators)]
        return torch.from_numpy(encoded)

    def state(self) -> dict[str, Any]:
        sources = [{"name": s.name, "kind": s.kind, "parts": list(s.parts)} for s in self.sources]
        return {"kind": "number", "sources": sources, "mean": self.mean.tolist(), "std": self.std.tolist(),
                "indicators": list(self.indicators)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> NumberEncoder:
        sources = [Source(item["name"], item["kind"], tuple(item["parts"])) for item in state["sources"]]
        return cls(sources, state["mean"], state["std"], state["indicators"])


def _moments(
    chunks: Callable[[], Iterator[np.ndarray]], features: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and standard deviation without NaN, and which features have NaN, in two passes over the chunks.

    (0, 0) for a feature without values; std 0 for a constant one.
    """
    # Divided by the largest value first: the squares of huge numbers would overflow.
    largest, count, rows = np.full(features, 1e-300), np.zeros(features), 0
    for table in chunks():
        largest = np.fmax(largest, np.nan_to_num(np.abs(table)).max(axis=0))
        count += (~np.isnan(table)).sum(axis=0)
        rows += len(table)
    mean, squares, seen = np.zeros(features), np.zeros(features), np.zeros(features)
    for table in chunks():
        # Chan, Golub & LeVeque 1983: what the chunk adds to the sum of squared distances from the mean.
        table /= largest
        there = ~np.isnan(table)
        fresh = there.sum(axis=0)
        total = np.maximum(seen + fresh, 1)
        own = np.where(there, table, 0.0).sum(axis=0) / np.maximum(fresh, 1)
        squares += np.where(there, np.square(table - own), 0.0).sum(axis=0)
        squares += np.square(own - mean) * seen * fresh / total
        mean += (own - mean) * fresh / total
        seen += fresh
    std = np.sqrt(squares / np.maximum(count, 1))
    return mean * largest, np.where(std > 1e-14, std * largest, 0.0), count < rows


class CategoryEncoder(Encoder):
    """All category columns as codes, int64 N×K: 0 = unknown or missing, the levels seen in train from 1."""

    kind = "category"

    def __init__(self, columns: Sequence[str], levels: Sequence[Sequence[str]]) -> None:
        self.columns = tuple(columns)
        self.levels = tuple(tuple(column) for column in levels)

    @classmethod
    def fitted(cls, columns: Sequence[str], data: Dataset, rows: np.ndarray) -> CategoryEncoder:
        return cls(columns, [_levels_in(data.columns[name], rows) for name in columns])

    def input_spec(self) -> InputSpec:
        return InputSpec("category", (len(self.columns),), tuple(len(levels) + 1 for levels in self.levels))

    def encode(self, data: Dataset) -> Tensor:
        codes = np.zeros((len(data), len(self.columns)), dtype=np.int64)
        for k, (name, levels) in enumerate(zip(self.columns, self.levels)):
            column = _as_category(name, data.columns[name], data)
            known = {level: code for code, level in enumerate(levels, start=1)}
            table = np.array([*(known.get(level, 0) for level in column.levels), 0], dtype=np.int64)
            codes[:, k] = table[column.codes]  # code −1, missing, takes the last entry
        return torch.from_numpy(codes)

    def state(self) -> dict[str, Any]:
        return {"kind": "category", "columns": list(self.columns), "levels": [list(levels) for levels in self.levels]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CategoryEncoder:
        return cls(state["columns"], state["levels"])


def _levels_in(column: Column, rows: np.ndarray) -> list[str]:
    assert isinstance(column, CategoryColumn)  # noqa: S101 - fit_encoders sorts columns by kind
    present = np.unique(column.codes[rows])
    return [column.levels[code] for code in present if code >= 0]


def _as_category(name: str, column: Column, data: Dataset) -> CategoryColumn:
    """A category column; a few rows of one may have been read as text or as whole numbers."""
    if isinstance(column, CategoryColumn):
        return column
    if column.missing().all():
        return CategoryColumn(np.full(len(column), -1), [])
    if isinstance(column, TextColumn):
        return CategoryColumn.from_values(column.values.tolist())
    if isinstance(column, NumberColumn) and column.values.ndim == 1:
        return CategoryColumn.from_values([None if np.isnan(v) else f"{v:.15g}" for v in column.values])
    raise DataError(
        f"column {name!r} is of kind {column.kind} where the network was trained on categories", where=data.name,
        remedy=f"Check its values, or say how to read it: --set 'data.types={{{name}: category}}'",
    )
