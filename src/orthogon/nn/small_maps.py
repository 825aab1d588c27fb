"""Convolutions that a CPU computes fast in bf16 where their maps are small."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_PLACES, LEAST_WEIGHTS = 16, 2**18
"""Places of the output up to which, and numbers of the weight from which, a product of matrices is faster."""


class SmallMapConv2d(nn.Conv2d):
    """`nn.Conv2d`, the same to rounding, made for the last maps of a network (others are left to torch).

    Where 4×4 places or fewer come out, the CPU kernels of torch 2.13 compute the gradient of a large bf16 weight at a
    fifth of the rate of larger maps, or less; that is a third of a training step of ResNet-18 at 32 pixels. Here output
    and gradients are products of the weight, the output's gradient and the patches of the input as matrices.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        half = input.device.type == "cpu" and torch.is_autocast_enabled("cpu") and (
            torch.get_autocast_dtype("cpu") == torch.bfloat16)
        plain = self.groups == 1 and max(self.dilation) == 1 and self.padding_mode == "zeros" and (
            not isinstance(self.padding, str))
        large = weight.numel() >= LEAST_WEIGHTS and max(self.kernel_size) > 1
        if not (half and plain and large and torch.is_grad_enabled() and input.dim() == 4):
            return super()._conv_forward(input, weight, bias)
        (above, beside), (down, across) = (int(each) for each in self.padding), self.stride
        places = ((input.shape[2] + 2 * above - weight.shape[2]) // down + 1) * (
            (input.shape[3] + 2 * beside - weight.shape[3]) // across + 1)
        if not 0 < places <= MOST_PLACES:
            return super()._conv_forward(input, weight, bias)
        output = _ByPatches.apply(input.bfloat16(), weight.bfloat16(), down, across, above, beside)
        return output if bias is None else output + bias.bfloat16().view(-1, 1, 1)  # type: ignore[operator,return-value]


class _ByPatches(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, down: int, across: int, above: int, beside: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.numbers = (down, across, above, beside)
        patches = _patches(x, weight, *ctx.numbers)
        return (patches.flatten(0, 2) @ _matrix(weight).t()).view(*patches.shape[:3], -1).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight) = gradients, ctx.saved_tensors
        rows = gradient.permute(0, 2, 3, 1).flatten(0, 2)
        d_x = d_weight = None
        if ctx.needs_input_grad[0]:
            d_x = _summed(rows @ _matrix(weight), gradient.shape[2:], x, weight, *ctx.numbers)
        if ctx.needs_input_grad[1]:
            product = rows.t() @ _patches(x, weight, *ctx.numbers).flatten(0, 2)
            d_weight = product.view(len(weight), *weight.shape[2:], -1).permute(0, 3, 1, 2)
        return d_x, d_weight, None, None, None, None


def _matrix(weight: Tensor) -> Tensor:
    """Weights O×C×h×w as O×(h·w·C)."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _patches(x: Tensor, weight: Tensor, down: int, across: int, above: int, beside: int) -> Tensor:
    """N×H'×W'×(h·w·C): what each place of the output is computed from."""
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, beside, beside, above, above)).contiguous()
    (height, width), (n, rows, columns, channels) = weight.shape[2:], padded.shape
    shape = (n, (rows - height) // down + 1, (columns - width) // across + 1, height, width, channels)
    a, b, c, d = padded.stride()
    return padded.as_strided(shape, (a, b * down, c * across, b, c, d)).flatten(3)


def _summed(patches: Tensor, places: torch.Size, x: Tensor, weight: Tensor, down: int, across: int, above: int,
            beside: int) -> Tensor:
    """The way back of `_patches`: at each place of x the sum of all patches that hold it."""
    (height, width), (n, channels, rows, columns) = weight.shape[2:], x.shape
    patches = patches.view(n, *places, height, width, channels)
    total = patches.new_zeros(n, rows + 2 * above, columns + 2 * beside, channels)
    for i in range(height):
        for j in range(width):
            last_row, last_column = i + down * (places[0] - 1) + 1, j + across * (places[1] - 1) + 1
            total[:, i:last_row:down, j:last_column:across] += patches[:, :, :, i, j]
    return total[:, above : above + rows, beside : beside + columns].permute(0, 3, 1, 2)
