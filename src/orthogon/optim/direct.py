"""torch's fused Adam and AdamW without what surrounds their kernel in Python."""

# pyright: reportPrivateImportUsage=false
# The fused kernels have underscored names alone.

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

_UNSERVED = ("amsgrad", "maximize", "capturable", "differentiable")


def direct_step(optimizer: Optimizer) -> Callable[[], object]:
    """What takes the optimizer's step: for torch's fused Adam and AdamW their kernel on their state, called directly.

    Hooks, profiler ranges and the regrouping of tensors cost as much as the kernel where tensors are few (see
    `FlatParameters`). Another optimizer, or one with other options than rate, betas, epsilon and decay, takes its own
    step; so does every optimizer the first time, since it makes its state then.
    """
    if type(optimizer) not in (Adam, AdamW) or not all(_is_served(group) for group in optimizer.param_groups):
        return optimizer.step

    @torch.no_grad()
    def step() -> None:
        moved = [[each for each in group["params"] if each.grad is not None] for group in optimizer.param_groups]
        if not all(each in optimizer.state for group in moved for each in group):
            optimizer.step()
            return
        for group, tensors in zip(optimizer.param_groups, moved):
            if tensors:
                _move(group, tensors, [optimizer.state[each] for each in tensors])

    return step


def _is_served(group: dict[str, Any]) -> bool:
    alike = len({(each.dtype, each.device) for each in group["params"]}) == 1
    return bool(group["fused"]) and alike and not any(group[option] for option in _UNSERVED)


def _move(group: dict[str, Any], tensors: list[Tensor], states: list[dict[str, Any]]) -> None:
    kernel = torch._fused_adamw_ if group["decoupled_weight_decay"] else torch._fused_adam_
    steps = [state["step"] for state in states]
    torch._foreach_add_(steps, 1)
    kernel(
        tensors, [each.grad for each in tensors if each.grad is not None], [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states], [], steps, lr=group["lr"], beta1=group["betas"][0],
        beta2=group["betas"][1], weight_decay=group["weight_decay"], eps=group["eps"], amsgrad=False, maximize=False,
    )
