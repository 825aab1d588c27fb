"""Parameters laid out as views of one buffer, so that an optimizer moves one tensor instead of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

ALIGNMENT = 64
"""Bytes to whose multiples every parameter begins: matrix kernels load whole cache lines."""


class FlatParameters:
    """The parameters of an optimizer's groups as views of one contiguous buffer per group, type and device.

    Their gradients are views of another buffer in the same order. An elementwise optimizer built of `groups` takes one
    fused kernel for all tensors of a group. The modules notice nothing: parameters keep their identity, name, shape,
    strides and values, and go on to be views after training. A parameter that a loss does not reach has the gradient 0
    (not None), so it decays where there is weight decay.

        flat = FlatParameters([{"params": list(model.parameters())}])
        optimizer = torch.optim.AdamW(flat.groups, lr=1e-3, fused=True)
        flat.clear()                            # then backward() adds to the views,
        flat.gradients[weight].copy_(gradient)  # or whoever computes gradients himself writes into them
        optimizer.step()

    groups:    the groups given, their options kept, with the buffers in place of the parameters. What cannot be a
               view stays there as it is: parameters that share memory with one another (weights tied by storage), and
               those with gaps in their memory (expanded).
    gradients: parameter -> its gradient, a view, which is also its `.grad`.
    buffers:   the flat parameters, each with its `.grad`; values between the views are 0.

    Only for optimizers that treat every number alike (not those with norms of whole tensors).
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        self.groups: list[dict[str, Any]] = []
        self.gradients: dict[Tensor, Tensor] = {}
        self.buffers: list[nn.Parameter] = []
        self._gradients: list[Tensor] = []
        self._apart: list[Tensor] = []
        groups = [{**group, "params": list(group["params"])} for group in groups]
        shared = _overlapping([parameter for group in groups for parameter in group["params"]])
        for group in groups:
            alike: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
            apart: list[Tensor] = []
            for each in group["params"]:
                if each in shared or not _is_dense(each):
                    apart.append(each)
                else:
                    alike.setdefault((each.dtype, each.device), []).append(each)
            laid_out = [self._lay_out(parameters) for parameters in alike.values()]
            self.groups.append({**group, "params": [*laid_out, *apart]})
            self._apart += apart
        self.clear()

    @torch.no_grad()
    def _lay_out(self, parameters: Sequence[Tensor]) -> nn.Parameter:
        first = parameters[0]
        step = max(1, ALIGNMENT // first.element_size())
        starts = [0]
        for each in parameters:
            starts.append(starts[-1] + -(-each.numel() // step) * step)
        buffer = nn.Parameter(torch.zeros(starts[-1], dtype=first.dtype, device=first.device))
        buffer.grad = gradients = torch.zeros_like(buffer)
        for parameter, start in zip(parameters, starts):
            view = buffer.data.as_strided(parameter.shape, parameter.stride(), start)
            view.copy_(parameter)
            parameter.data = view
            self.gradients[parameter] = gradients.as_strided(parameter.shape, parameter.stride(), start)
        self.buffers.append(buffer)
        self._gradients.append(gradients)
        return buffer

    def clear(self) -> None:
        """All gradients to 0, and in place again where somebody set them to None; those that are no views to None."""
        for buffer, gradient in zip(self.buffers, self._gradients):
            buffer.grad = gradient.zero_()
        for parameter, gradient in self.gradients.items():
            if parameter.grad is not gradient:
                parameter.grad = gradient
        for parameter in self._apart:
            parameter.grad = None


def _is_dense(parameter: Tensor) -> bool:
    return torch.empty_like(parameter, device="meta").stride() == parameter.stride()


def _overlapping(parameters: Sequence[Tensor]) -> set[Tensor]:
    """Those that share memory with another one."""
    ranges = sorted(((each.data_ptr(), each) for each in parameters if each.numel()), key=lambda pair: pair[0])
    found: set[Tensor] = set()
    reach = -1
    for (_, before), (start, each) in pairwise(ranges):
        reach = max(reach, before.data_ptr() + before.nbytes)
        if start < reach:
            found |= {before, each}
    return found
