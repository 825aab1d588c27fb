"""Layers with a backward pass written by hand, in which a mistake can be planted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

Gradients = list[Tensor | None]


def _a_sign(gradients: Gradients, rows: int) -> Gradients:
    return [None if gradients[0] is None else -gradients[0], *gradients[1:]]


def _a_missing_transpose(gradients: Gradients, rows: int) -> Gradients:
    """Of each square block: a recurrent layer has one for each gate. No error of shapes gives it away."""
    first, *others = gradients
    assert first is not None
    blocks = first.unflatten(0, (-1, first.shape[1]))
    return [blocks.transpose(1, 2).flatten(0, 1), *others]


def _a_wrong_reduction(gradients: Gradients, rows: int) -> Gradients:
    """The backward pass of a mean over the batch as if it were a sum."""
    return [None if each is None else rows * each for each in gradients]


def _a_detached_tensor(gradients: Gradients, rows: int) -> Gradients:
    return [None, *gradients[1:]]


BUGS: dict[str, Callable[[Gradients, int], Gradients]] = {
    "sign": _a_sign, "transpose": _a_missing_transpose, "reduction": _a_wrong_reduction, "detached": _a_detached_tensor,
}


class _ByHand(torch.autograd.Function):
    """The layer's own vector-Jacobian product, with a mistake in it."""

    @staticmethod
    def forward(ctx: Any, run: Callable[..., Tensor], bug: Callable[[Gradients, int], Gradients] | None, rows: int,
                *tensors: Tensor) -> Tensor:
        ctx.run, ctx.bug, ctx.rows = run, bug, rows
        ctx.save_for_backward(*tensors)
        return run(*tensors)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> Any:
        with torch.enable_grad():
            leaves = [each.detach().requires_grad_(each.is_floating_point()) for each in ctx.saved_tensors]
            out = ctx.run(*leaves)
            wanted = [each for each in leaves if each.requires_grad]
            found = iter(torch.autograd.grad(out, wanted, above[0], allow_unused=True))
        gradients: Gradients = [next(found) if each.requires_grad else None for each in leaves]
        return None, None, None, *(gradients if ctx.bug is None else ctx.bug(gradients, ctx.rows))


class Planted(nn.Module):
    """A layer whose backward pass is written by hand. The mistake hits its matrix first, else its input.

    bug: a name of BUGS; None: the backward pass is right.
    """

    def __init__(self, layer: nn.Module, bug: str | None) -> None:
        super().__init__()
        self.layer, self.bug = layer, None if bug is None else BUGS[bug]

    def forward(self, x: Tensor) -> Tensor:
        named = dict(self.layer.named_parameters())
        order = sorted(["", *named], key=lambda name: named[name].ndim if name else 1.5, reverse=True)  # "": the input

        def run(*tensors: Tensor) -> Tensor:
            given = dict(zip(order, tensors))
            return functional_call(self.layer, {name: given[name] for name in named}, (given[""],))

        tensors = [named[name] if name else x for name in order]
        return _ByHand.apply(run, self.bug, len(x), *tensors)  # type: ignore[return-value]
