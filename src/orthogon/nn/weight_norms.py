"""Normalizing weights instead of activations: weight normalization's start from data, and cosine normalization.

Weight normalization itself, w = g · v / |v| per output (Salimans & Kingma 2016, arXiv:1602.07868; row 9.11), is
torch.nn.utils.parametrizations.weight_norm.
"""

from __future__ import annotations

from math import prod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

WEIGHT_NORMS = ("weight", "cosine")
"""Options of a layer rather than layers; they stand beside the names of orthogon.nn.norms.NORMS."""


def initialize_weight_norm(model: nn.Module, *inputs: Tensor) -> None:
    """Start weight normalization from a batch: every output of every weight-normalized layer has mean 0, variance 1.

    Salimans & Kingma 2016, section 3: with t = v·x / |v|, g = 1 / σ[t] and b = −μ[t] / σ[t], statistics over the batch
    (and positions). One forward pass, in which each layer hears what the layers before it say once they are set.
    Layers need a bias, and a parametrized weight; others stay as they are. An output that never varies is refused.
    """
    layers = [module for module in model.modules() if _weight_normalized(module)]
    hooks = [layer.register_forward_hook(_standardize_outputs) for layer in layers]
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()


def _weight_normalized(module: nn.Module) -> bool:
    return is_parametrized(module, "weight") and hasattr(module.parametrizations.weight, "original1")  # pyright: ignore


def _standardize_outputs(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    bias, gain = layer.bias, cast(Tensor, layer.parametrizations.weight.original0)  # pyright: ignore
    if not isinstance(bias, Tensor):
        raise ValueError("weight normalization can start from data only in layers with a bias; build them with one")
    channel = 1 if isinstance(layer, (nn.Conv1d, nn.Conv2d, nn.Conv3d)) else output.ndim - 1
    others = [axis for axis in range(output.ndim) if axis != channel]
    deviation, mean = torch.std_mean(output, others, correction=0)
    if not (deviation > 0).all():
        raise ValueError("an output is the same for the whole batch, so no scale can be taken from it; give a larger, "
                         "more varied batch")
    gain.div_(deviation.view_as(gain))
    bias.sub_(mean).div_(deviation)
    shape = [-1 if axis == channel else 1 for axis in range(output.ndim)]
    return (output - mean.view(shape)) / deviation.view(shape)


def _length(squares: Tensor) -> Tensor:
    """The root; 1 for 0, so that a vector without a direction gives 0 and passes on a finite gradient."""
    return squares.masked_fill(squares == 0, 1).sqrt()


def _exact(values: Tensor) -> Tensor:
    """At least float32, in which squares can be summed."""
    return values if values.dtype == torch.float64 else values.float()


class CosineLinear(nn.Linear):
    """Cosine normalization: the cosine between the input and each row of weights, (x/|x|)·(w/|w|), in [−1, 1].

    Inputs …×in, outputs …×out; a zero input gives 0. Luo et al. 2017, arXiv:1702.05870 (row 9.12).
    gain: a learned factor per output, as in weight normalization: then it is the "normalized dot product" (row 9.16).
    It starts at √in, at which directions drawn at random give outputs of variance 1. bias: added at the end.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = False, gain: bool = False) -> None:
        super().__init__(in_features, out_features, bias)
        self.gain = nn.Parameter(torch.full((out_features,), in_features**0.5)) if gain else None

    def forward(self, input: Tensor) -> Tensor:
        scale = 1 / _length(_exact(self.weight).square().sum(1))
        if self.gain is not None:
            scale = self.gain * scale
        lengths = _length(_exact(input).square().sum(-1, keepdim=True))
        cosine = nn.functional.linear(input, self.weight) / lengths * scale
        return (cosine if self.bias is None else cosine + self.bias).to(input.dtype)


class CosineConv2d(nn.Conv2d):
    """Cosine normalization of a convolution: the cosine between each patch and each kernel, in [−1, 1].

    Options and shapes as torch.nn.Conv2d, without a bias unless asked for; padding counts as part of the patch, and a
    patch of zeros gives 0. gain: as in CosineLinear, starting at the root of a patch's size. Rows 9.12 and 9.16.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int | tuple[int, int], bias: bool = False,
                 gain: bool = False, **options: object) -> None:
        super().__init__(in_channels, out_channels, kernel_size, bias=bias, **options)  # pyright: ignore
        start = prod(self.weight.shape[1:]) ** 0.5
        self.gain = nn.Parameter(torch.full((out_channels,), start)) if gain else None

    def forward(self, input: Tensor) -> Tensor:
        scale = 1 / _length(_exact(self.weight).square().sum((1, 2, 3)))
        if self.gain is not None:
            scale = self.gain * scale
        cosine = self._conv_forward(input, self.weight, None) / self._patch_lengths(input) * scale.view(-1, 1, 1)
        return (cosine if self.bias is None else cosine + self.bias.view(-1, 1, 1)).to(input.dtype)

    def _patch_lengths(self, input: Tensor) -> Tensor:
        """Of the patch under each output position: squares summed over a group's channels, then over the kernel."""
        squares = _exact(input).square().unflatten(-3, (self.groups, -1)).sum(-3)
        box = squares.new_ones(self.groups, 1, *self.kernel_size)
        with torch.autocast(input.device.type, enabled=False):
            lengths = _length(self._conv_forward(squares, box, None))
        return lengths.repeat_interleave(self.out_channels // self.groups, -3) if self.groups > 1 else lengths
