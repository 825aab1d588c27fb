"""L-BFGS: Newton's step with a curvature that is read off the last gradients, and a search along it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

ITERATIONS, HISTORY = 10, 20


class LBFGS(torch.optim.LBFGS):
    """torch's L-BFGS as one moves a picture or a small network by it: ten iterations a step, each with a line search
    that fulfills the strong Wolfe conditions (Liu & Nocedal 1989, doi:10.1007/BF01589116).

    A step calls the closure, which gives the loss with its gradient, about once an iteration and once before them; it
    must be the same function each time, so it suits whole sets and tasks without examples. No tolerance ends a step
    early: what is small depends on the scale of the loss.

    lr:      the first length that a search tries, 1 as a rule. iterations: in a step, 10. history: of how many the
             curvature is remembered, 20; each takes twice the memory of the parameters.
    ValueError for parameters in several groups (it moves all as one), and for a decay of weights, of which the loss
    that it compares says nothing.
    """

    def __init__(self, params: Sequence[Any], lr: float = 1.0, iterations: int = ITERATIONS, history: int = HISTORY
                 ) -> None:
        groups = [each for each in params if isinstance(each, dict)]
        if len(groups) > 1:
            raise ValueError(f"the parameters are in {len(groups)} groups; L-BFGS moves all of them as one")
        if any(group.get("weight_decay") for group in groups):
            raise ValueError("L-BFGS compares losses, and a decay of weights is in none; set weight_decay to 0")
        super().__init__(params, lr, max_iter=iterations, history_size=history, tolerance_grad=0.0,
                         tolerance_change=0.0, line_search_fn="strong_wolfe")

    def _gather_flat_grad(self) -> Tensor:
        """torch's own takes views, which gradients of weights in channels-last layout do not have."""
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in self._params]
        return torch.cat([each.reshape(-1) for each in gradients])
