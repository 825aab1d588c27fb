"""A convolution of each channel alone that skips places, with a gradient that a CPU computes fast in bf16."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DepthwiseConv2d(nn.Conv2d):
    """`nn.Conv2d`, the same to rounding, made for groups of one channel each (others are left to torch).

    In bf16 with a stride of 2 the CPU kernels of torch 2.13 take five times as long for the gradient of the input as in
    float32, and thirty times as long as forward; that is a third of a training step of MobileNet-V2. Here this gradient
    is itself a forward convolution, of the output's gradient with zeros between its places.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        alone = 1 < self.groups == self.in_channels == self.out_channels and max(self.dilation) == 1
        half = input.device.type == "cpu" and torch.is_autocast_enabled("cpu") and (
            torch.get_autocast_dtype("cpu") == torch.bfloat16)
        if not (alone and half and torch.is_grad_enabled()) or bias is not None or max(self.stride) == 1:
            return super()._conv_forward(input, weight, bias)
        numbers = (*self.stride, *(0 if isinstance(each, str) else each for each in self.padding))
        return _Strided.apply(input.bfloat16(), weight.bfloat16(), *numbers)  # type: ignore[return-value]


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, down: int, across: int, above: int, beside: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.numbers = (down, across, above, beside)
        return F.conv2d(x, weight, None, (down, across), (above, beside), groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,), (x, weight), (down, across, above, beside) = gradients, ctx.saved_tensors, ctx.numbers
        d_x = d_weight = None
        if ctx.needs_input_grad[0]:
            height, width = weight.shape[2:]
            spread = torch.empty((*x.shape[:2], x.shape[2] + height - 1, x.shape[3] + width - 1), dtype=x.dtype,
                                 memory_format=torch.channels_last).zero_()
            rows, columns = gradient.shape[2:]
            first, left = height - 1 - above, width - 1 - beside
            spread[:, :, first : first + rows * down : down, left : left + columns * across : across] = gradient
            d_x = F.conv2d(spread, weight.flip(2, 3), groups=len(weight))
        if ctx.needs_input_grad[1]:
            d_weight = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, (down, across), (above, beside), (1, 1), False, (0, 0), len(weight),
                (False, True, False))[1]
        return d_x, d_weight, None, None, None, None
