"""What optimizers that treat every number alike have in common: state, validation, one call per operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

Group = dict[str, Any]


class Elementwise(torch.optim.Optimizer, ABC):
    """Base of optimizers whose update of a number depends on that number, its gradient and its memory alone.

    A subclass names its memories (tensors like the parameter, zero at the start) and writes `update` in torch's
    for-each operations, which take all tensors of a group in one call. Gradients must be dense.
    ValueError for a rate that is not above 0 (of a single group it may be 0, which holds it still), a decay below 0,
    or a beta outside [0, 1).
    """

    memories: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Any], defaults: Group) -> None:
        super().__init__(params, defaults)
        if not defaults["lr"] > 0:
            raise ValueError(f"the learning rate is {defaults['lr']}; it must be above 0, for example 0.001")
        for group in self.param_groups:
            _check(group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Move all parameters that have a gradient; what the closure gives, where there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for age, parameters in self._by_age(group["params"]).items():
                gradients = [each.grad for each in parameters if each.grad is not None]
                remembered = ([self.state[each][name] for each in parameters] for name in self.memories)
                self.update(group, age, parameters, gradients, *remembered)
        return loss

    @abstractmethod
    def update(self, group: Group, age: int, parameters: list[Tensor], gradients: list[Tensor],
               *memories: list[Tensor]) -> None:
        """Change parameters and memories in place, not the gradients. age: the number of this step, from 1."""

    def _by_age(self, parameters: list[Tensor]) -> dict[int, list[Tensor]]:
        """Steps taken, this one included -> the parameters that took so many: all of them, but for late comers."""
        ages: dict[int, list[Tensor]] = {}
        for parameter in parameters:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state |= {"step": 0, **{name: torch.zeros_like(parameter) for name in self.memories}}
            state["step"] += 1
            ages.setdefault(state["step"], []).append(parameter)
        return ages


def _check(group: Group) -> None:
    if not group["lr"] >= 0:
        raise ValueError(f"the learning rate of a group is {group['lr']}; it must be 0 (held still) or above")
    if not group["weight_decay"] >= 0:
        raise ValueError(f"the weight decay is {group['weight_decay']}; it must be 0 (none) or above")
    for beta in group["betas"]:
        if not 0 <= beta < 1:
            raise ValueError(f"a beta is {beta}; it must lie in [0, 1), for example 0.9")
