"""AdaMod: Adam whose rates cannot exceed their own long average."""

# pyright: reportPrivateImportUsage=false
# The for-each operations of torch have underscored names alone.

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from orthogon.optim.elementwise import Elementwise, Group


class AdaMod(Elementwise):
    """Adam with a bound on the rate of each number: the average of its rates so far (row 7.10).

        η = α / (√Sᶜ + ε)        s = β₃s + (1 − β₃)η        W −= min(η, s) Vᶜ

    V, S and their bias corrections as in Adam. s starts at 0, so the first steps are small: no warm-up is needed.
    By algorithm 1 of Ding et al. 2019, arXiv:1910.12249. The authors' code puts the correction of V into η instead,
    and ε beside the uncorrected √S, which lowers the bound in the first steps.

    betas:        of V, of S, and of s (0.999 or 0.9999).
    eps:          ε, added to the root.
    weight_decay: λ; decoupled, W −= αλW before the step, as in AdamW and in the authors' code.
    """

    memories: ClassVar[tuple[str, ...]] = ("average", "square", "rate")

    def __init__(self, params: Iterable[Any], lr: float = 0.001,
                 betas: tuple[float, float, float] = (0.9, 0.999, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def update(self, group: Group, age: int, parameters: list[Tensor], gradients: list[Tensor],
               *memories: list[Tensor]) -> None:
        average, square, bound = memories
        (beta1, beta2, beta3), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if decay:
            torch._foreach_mul_(parameters, 1 - lr * decay)
        torch._foreach_lerp_(average, gradients, 1 - beta1)
        torch._foreach_mul_(square, beta2)
        torch._foreach_addcmul_(square, gradients, gradients, 1 - beta2)
        # α / (√(S/c) + ε) = α√c / (√S + ε√c); a step back (Backstitch) has a negative α: its size is what is bounded
        root = math.sqrt(1 - beta2**age)
        rates = torch._foreach_sqrt(square)
        torch._foreach_add_(rates, group["eps"] * root)
        torch._foreach_reciprocal_(rates)
        torch._foreach_mul_(rates, abs(lr) * root)
        torch._foreach_lerp_(bound, rates, 1 - beta3)
        torch._foreach_minimum_(rates, bound)
        torch._foreach_addcmul_(parameters, rates, average, -math.copysign(1, lr) / (1 - beta1**age))
