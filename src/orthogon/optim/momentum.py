"""Momentum as an exponentially weighted average."""

# pyright: reportPrivateImportUsage=false
# The for-each operations of torch have underscored names alone.

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from orthogon.optim.elementwise import Elementwise, Group


class AveragedMomentum(Elementwise):
    """Down the exponentially weighted average of the gradients: V = βV + (1 − β)dW, W −= αV (row 7.03).

    It takes the path of torch's SGD with the rate α(1 − β), whose V = βV + dW is the simplified form (row 7.04).

    momentum:        β; 0.9 averages over about 10 steps (row 7.01); with dropout 0.9 to 0.99 (35.02).
    weight_decay:    λ; through the gradient (dW + λW), as in SGD.
    bias_correction: divide V by 1 − βᵗ (row 7.02), so that the first steps are not small; "not usually used" (35.20).
    """

    memories: ClassVar[tuple[str, ...]] = ("average",)

    def __init__(self, params: Iterable[Any], lr: float = 0.01, momentum: float = 0.9, weight_decay: float = 0.0,
                 bias_correction: bool = False) -> None:
        super().__init__(params, {"lr": lr, "betas": (momentum,), "weight_decay": weight_decay,
                                  "bias_correction": bias_correction})

    def update(self, group: Group, age: int, parameters: list[Tensor], gradients: list[Tensor],
               *memories: list[Tensor]) -> None:
        (average,), (beta,), decay = memories, group["betas"], group["weight_decay"]
        if decay:
            gradients = list(torch._foreach_add(gradients, parameters, alpha=decay))
        torch._foreach_lerp_(average, gradients, 1 - beta)
        rate = group["lr"] / (1 - beta**age) if group["bias_correction"] else group["lr"]
        torch._foreach_add_(parameters, average, alpha=-rate)
