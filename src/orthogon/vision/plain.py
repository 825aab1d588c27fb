"""The plain pattern of a convolutional network: convolutions and pooling, repeated, then fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.activations import activation as make_activation
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import lone_picture


class Plain(PictureNetwork):
    """See `plain`."""

    head_name, output_name = "classifier", "classifier.output"

    def __init__(self, spec: ModelSpec, blocks: Sequence[Sequence[int]], side: int, padding: str, pool: str,
                 dense: Sequence[int], dropout: float, activation: str) -> None:
        super().__init__()
        channels = lone_picture(spec, "plain").shape[0]
        self.blocks = nn.ModuleList()
        for filters in blocks:
            self.blocks.append(_block(channels, filters, side, padding, pool, activation))
            channels = filters[-1]
        flat = self._size_of_last_map(spec)
        self.classifier = nn.Sequential()
        self.classifier.add_module("dropout", nn.Dropout(dropout))
        self.classifier.add_module("flat", nn.Flatten())
        for k, width in enumerate(dense, start=1):
            layer = nn.Linear(flat, width)
            initialize(layer, followed_by=activation)
            self.classifier.add_module(f"dense{k}", layer)
            self.classifier.add_module(f"activation{k}", make_activation(activation))
            flat = width
        output = nn.Linear(flat, spec.outputs)
        initialize_output(output)
        self.classifier.add_module("output", output)

    def _size_of_last_map(self, spec: ModelSpec) -> int:
        try:
            with torch.no_grad():
                return prod(self.feature_maps(torch.zeros(1, *spec.inputs[0].shape))[-1].shape)
        except RuntimeError:
            shape = "×".join(str(n) for n in spec.inputs[0].shape[1:])
            raise RecipeError(f"nothing is left of pictures of {shape} after {len(self.blocks)} blocks",
                              where="model.options.blocks",
                              remedy="Take fewer blocks, padding=same, or larger pictures (data.image_size).") from None

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        found = []
        for k, block in enumerate(self.blocks):
            convolutions = [layer for layer in block.children() if isinstance(layer, nn.Conv2d)]
            found.append(FeatureMap(f"blocks.{k}", convolutions[-1].out_channels, 2 ** (k + 1)))
        return tuple(found)

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        found = []
        for block in self.blocks:
            picture = block(picture)
            found.append(picture)
        return tuple(found)

    def classify(self, last: Tensor) -> Tensor:
        return self.classifier(last)


def _block(channels: int, filters: Sequence[int], side: int, padding: str, pool: str, activation: str) -> nn.Sequential:
    """Convolutions, each with its activation, and a pool that halves."""
    block = nn.Sequential()
    for k, width in enumerate(filters, start=1):
        layer = nn.Conv2d(channels, width, side, padding=padding)
        initialize(layer, followed_by=activation)
        block.add_module(f"conv{k}", layer)
        block.add_module(f"activation{k}", make_activation(activation))
        channels = width
    block.add_module("pool", nn.MaxPool2d(2) if pool == "max" else nn.AvgPool2d(2))
    return block


def plain(
    spec: ModelSpec, blocks: Sequence[Sequence[int]] = ((32,), (64,)), side: int = 3,
    padding: Literal["same", "valid"] = "same", pool: Literal["max", "average"] = "max", dense: Sequence[int] = (128,),
    dropout: float = 0.0, activation: str = "relu",
) -> nn.Module:
    """Convolution → activation → pool, repeated; then fully connected layers and the outputs (row 17.01).

    blocks: for each block the filters of its convolutions, before a pool of 2×2; [[4, 1]] is two convolutions of 4
    filters and of 1, then a pool. side: of the filters, odd where padding is "same". dense: sizes of the fully
    connected layers. dropout: after the last pool.
    """
    if not blocks or any(not filters or min(filters) < 1 for filters in blocks):
        raise RecipeError(f"blocks is a list of lists of filters, each at least 1; got {blocks!r}",
                          where="model.options.blocks", remedy="For example: blocks=[[32], [64, 64]]")
    if padding not in ("same", "valid") or pool not in ("max", "average"):
        raise RecipeError(f"padding is same or valid, pool is max or average; got {padding!r}, {pool!r}",
                          where="model.options")
    if side < 1 or (padding == "same" and side % 2 == 0):
        raise RecipeError(f"filters of {side} have no middle, so that no padding keeps the size",
                          where="model.options.side", remedy="Take an odd side, or padding=valid.")
    return Plain(spec, blocks, int(side), padding, pool, dense, float(dropout), activation)
