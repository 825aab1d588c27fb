"""TensorFlow's MobileNets of whole numbers, from a .tflite file, as the tensors of ours.

In them batch norm is folded into the convolutions, whose weights are w = scale · (q − zero); layers lie O×H×W×I. Ours
get these weights, batch norms that are the identity but for the bias, and the 1,000 classes without "background".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from orthogon.errors import RecipeError
from orthogon.vision.mobilenet import STAGES

EPSILON = 1e-5  # of our batch norms
_CONVOLUTION, _IN_EACH_CHANNEL = 3, 4  # operators, by their numbers in TensorFlow Lite's schema
_TYPES = {2: "<i4", 3: "u1", 9: "i1"}


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of `mobilenet_v1` or `mobilenet_v2` with padding="same"; RecipeError for another network."""
    layers = list(read_layers(path))
    names = next((names for variant in STAGES if len(names := layer_names(variant)) == len(layers) - 1), None)
    if names is None:
        raise RecipeError(f"{len(layers)} convolutions are those of no MobileNet known here", where=str(path))
    found: dict[str, Tensor] = {}
    for (conv, norm), layer in zip(names, layers):
        bias = torch.from_numpy(layer.bias)
        found[f"{conv}.weight"] = torch.from_numpy(layer.weight)
        found[f"{norm}.weight"] = torch.full_like(bias, (1 + EPSILON) ** 0.5)
        found[f"{norm}.bias"] = bias
        found[f"{norm}.running_mean"] = torch.zeros_like(bias)
        found[f"{norm}.running_var"] = torch.ones_like(bias)
        found[f"{norm}.num_batches_tracked"] = torch.tensor(0)
    last = layers[-1]
    found["classifier.1.weight"] = torch.from_numpy(last.weight[1:, :, 0, 0].copy())
    found["classifier.1.bias"] = torch.from_numpy(last.bias[1:].copy())
    return found


def layer_names(variant: str) -> list[tuple[str, str]]:
    """(convolution, its batch norm) of every layer but the last, in the order in which they are run."""
    names = [("features.0.0", "features.0.1")]
    index = 0
    for stage in STAGES[variant]:
        for _ in range(stage.blocks):
            index += 1
            names += _block_names(f"features.{index}", variant, stage.expansion)
    if variant == "mobilenet_v2":
        names.append((f"features.{index + 1}.0", f"features.{index + 1}.1"))
    return names


def _block_names(block: str, variant: str, expansion: int) -> list[tuple[str, str]]:
    if variant == "mobilenet_v1":
        return [(f"{block}.{k}.0", f"{block}.{k}.1") for k in (0, 1)]
    active = 2 if expansion > 1 else 1  # convolutions with an activation, each with its norm in a part of its own
    return [*((f"{block}.conv.{k}.0", f"{block}.conv.{k}.1") for k in range(active)),
            (f"{block}.conv.{active}", f"{block}.conv.{active + 1}")]


# --- the file ------------------------------------------------------------------------------------------------


class Layer(NamedTuple):
    """A convolution: weight float32 O×I×H×W (in each channel: C×1×H×W), bias float32 (O,)."""

    weight: np.ndarray
    bias: np.ndarray


def read_layers(path: Path) -> Iterator[Layer]:
    """The convolutions of a TensorFlow Lite file in the order in which they are run; RecipeError for another file."""
    try:
        data = path.read_bytes()
        if data[4:8] != b"TFL3":
            raise ValueError("it does not say that it is a TensorFlow Lite model")
        model = _Table(data, struct.unpack_from("<I", data)[0])
        codes = [code.scalar(0, "<b") for code in model.tables(1)]
        graph, buffers = model.tables(2)[0], model.tables(4)
        stored = graph.tables(0)
        for operator in graph.tables(3):
            code = codes[operator.scalar(0, "<I")]
            if code in (_CONVOLUTION, _IN_EACH_CHANNEL):
                _, weight, bias = operator.numbers(1, np.int32)
                weight = _array(stored[weight], buffers)
                # In each channel it lies 1×H×W×C, else O×H×W×I.
                axes = (3, 0, 1, 2) if code == _IN_EACH_CHANNEL else (0, 3, 1, 2)
                yield Layer(np.ascontiguousarray(weight.transpose(axes)), _array(stored[bias], buffers))
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise RecipeError(f"this is no TensorFlow Lite file of convolutions ({error})", where=str(path)) from None


def _array(tensor: _Table, buffers: list[_Table]) -> np.ndarray:
    """Float32: scale · (q − zero) of the whole numbers that are stored."""
    numbers = np.frombuffer(buffers[tensor.scalar(2, "<I")].bytes(0), _TYPES[tensor.scalar(1, "<b")])
    quantization = tensor.table(4)
    scale, zero = quantization.numbers(2, np.float32), quantization.numbers(3, np.int64)
    if scale.size != 1 or zero.size != 1:
        raise ValueError("it has more than one scale in a layer")
    real = (numbers.astype(np.int64) - zero).astype(np.float32) * scale
    return real.reshape(tensor.numbers(0, np.int32))


class _Table(NamedTuple):
    """A table of a FlatBuffer: its fields by their numbers in the schema."""

    data: bytes
    place: int

    def _field(self, number: int) -> int | None:
        """Where the field lies; None where it has its default."""
        fields = self.place - struct.unpack_from("<i", self.data, self.place)[0]
        if 4 + 2 * number >= struct.unpack_from("<H", self.data, fields)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, fields + 4 + 2 * number)[0]
        return self.place + offset if offset else None

    def scalar(self, number: int, form: str) -> int:
        place = self._field(number)
        return 0 if place is None else struct.unpack_from(form, self.data, place)[0]

    def table(self, number: int) -> _Table:
        return _Table(self.data, self._followed(self._there(number)))

    def tables(self, number: int) -> list[_Table]:
        start, count = self._vector(number)
        return [_Table(self.data, self._followed(start + 4 * k)) for k in range(count)]

    def numbers(self, number: int, kind: Any) -> np.ndarray:
        start, count = self._vector(number)
        return np.frombuffer(self.data, np.dtype(kind).newbyteorder("<"), count, start)

    def bytes(self, number: int) -> bytes:
        start, count = self._vector(number)
        return self.data[start : start + count]

    def _vector(self, number: int) -> tuple[int, int]:
        start = self._followed(self._there(number))
        return start + 4, struct.unpack_from("<I", self.data, start)[0]

    def _there(self, number: int) -> int:
        place = self._field(number)
        if place is None:
            raise ValueError(f"field {number} is missing")
        return place

    def _followed(self, place: int) -> int:
        return place + struct.unpack_from("<I", self.data, place)[0]
