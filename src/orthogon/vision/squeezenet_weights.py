"""The compressed SqueezeNet of Han, Mao & Dally 2015 (Deep Compression, arXiv:1510.00149) as the tensors of ours.

The file holds, as little-endian numbers, how many weights each layer keeps (uint32), and then for each layer a codebook
of 256 values and the biases (float32), a byte for each weight kept (its place in the codebook), and half a byte for
each (how many places were skipped before it), the low half first. A place that was skipped has the codebook's first
value, which is zero.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.squeezenet import squeezenet

CODES = 256


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of `squeezenet1_0` with last_padding=1, for RGB; RecipeError for a file of another sort."""
    with torch.device("meta"):
        network = squeezenet(ModelSpec((InputSpec("image", (3, 227, 227)),), 1000), "squeezenet1_0", stem="imagenet")
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    data = np.fromfile(path, np.uint8)
    found: dict[str, Tensor] = {}
    try:
        kept, data = _taken(data, "<u4", len(layers))
        for (name, layer), count in zip(layers, kept.tolist()):
            codebook, data = _taken(data, "<f4", CODES)
            bias, data = _taken(data, "<f4", layer.out_channels)
            codes, data = _taken(data, "u1", count)
            skipped, data = _taken(data, "u1", (count + 1) // 2)
            weight = codebook[_placed(codes, skipped, layer.weight.numel())].reshape(layer.weight.shape)
            found[f"{name}.weight"], found[f"{name}.bias"] = torch.from_numpy(weight), torch.from_numpy(bias)
        if len(data):
            raise ValueError(f"{len(data)} bytes are left over")
    except (ValueError, IndexError) as error:
        raise RecipeError(f"this is no compressed SqueezeNet ({error})", where=str(path)) from None
    first = f"{layers[0][0]}.weight"
    found[first] = found[first].flip(1)  # it was trained on BGR
    return found


def _taken(data: np.ndarray, kind: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` numbers of that kind, and the bytes behind them."""
    size = np.dtype(kind).itemsize * count
    if size > len(data):
        raise ValueError("it is cut off")
    return np.frombuffer(data[:size].tobytes(), kind).copy(), data[size:]


def _placed(codes: np.ndarray, skipped: np.ndarray, size: int) -> np.ndarray:
    """The code of every weight: those that are kept, where they stand, and 0 elsewhere."""
    steps = np.stack([skipped & 15, skipped >> 4], axis=1).reshape(-1)[: len(codes)].astype(np.int64)
    placed = np.zeros(size, np.uint8)
    placed[np.cumsum(steps + 1) - 1] = codes
    return placed
