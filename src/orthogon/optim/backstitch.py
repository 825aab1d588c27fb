"""Backstitch: a small step up the slope, then a larger one down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Backstitch(torch.optim.Optimizer):
    """Two steps of any optimizer on each mini-batch: one with −α times the rate, one with (1 + α) times the rate.

    The gradient of the second is taken where the first one ended, on the same mini-batch (row 7.11; Wang et al. 2017,
    "Backstitch: Counteracting Finite-Sample Bias via Negative Steps"). It costs two gradients a step.

    base:  the optimizer that moves; its groups and state are this one's. The paper tried plain SGD alone: a base with
           memory remembers both gradients.
    alpha: the size of the step back, a share of the rate: 0.3 in the paper. ValueError where it is not above 0.
    """

    def __init__(self, base: torch.optim.Optimizer, alpha: float = 0.3) -> None:
        if not alpha > 0:
            raise ValueError(f"alpha is {alpha}; it must be above 0, for example 0.3; without it, take the base alone")
        self.base, self.alpha = base, alpha
        super().__init__(base.param_groups, {})
        self._share()

    def _share(self) -> None:
        self.param_groups, self.state, self.defaults = self.base.param_groups, self.base.state, self.base.defaults

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Both steps. closure: clears the gradients, computes them on the mini-batch, and gives the loss; it is called
        twice, and must give the same function of the parameters both times. The loss before the steps."""
        loss = self._scaled_step(closure, -self.alpha)
        self._scaled_step(closure, 1 + self.alpha)
        return loss

    def _scaled_step(self, closure: Callable[[], Any], scale: float) -> Any:
        rates = [group["lr"] for group in self.param_groups]
        for group, rate in zip(self.param_groups, rates):
            group["lr"] = scale * rate
        try:
            return self.base.step(closure)
        finally:
            for group, rate in zip(self.param_groups, rates):
                group["lr"] = rate

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """To the base; the groups that it has already are passed over."""
        if not any(param_group is group for group in self.base.param_groups):
            self.base.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """That of the base."""
        return self.base.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.base.load_state_dict(state_dict)
        self._share()
