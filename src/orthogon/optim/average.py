"""An exponentially weighted average of the weights (row 7.01 on weights; Polyak & Juditsky 1992)."""

# pyright: reportPrivateImportUsage=false
# The for-each operations of torch have underscored names alone.

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """A second copy of the model whose weights follow the first one's: average ← d·average + (1 − d)·weights.

    decay: d; early on it is held at (1 + t)/(10 + t), so that the first weights do not linger.
    Buffers (running statistics) are copied as they are.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.model = copy.deepcopy(model).requires_grad_(False)
        self._pairs(model)

    def _pairs(self, model: nn.Module) -> None:
        self.averaged: list[Tensor] = list(self.model.parameters())
        self.followed: list[Tensor] = list(model.parameters())
        self.buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))

    @torch.no_grad()
    def update(self) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.averaged, self.followed, 1 - decay)
        for mine, theirs in self.buffers:
            mine.copy_(theirs)

    def state(self) -> dict[str, Any]:
        """Its weights and how often it was updated: what it takes to go on."""
        return {"model": dict(self.model.state_dict()), "updates": self.updates}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.updates = state["updates"]
