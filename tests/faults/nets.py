"""Networks in float64 for the tests of ranks, named in recipes as nets.py:Name."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Plain(nn.Module):
    """No batch statistics, no dropout: the loss is a sum over examples."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        middle = [nn.BatchNorm1d(8)] if norm else []
        self.layers = nn.Sequential(nn.Linear(6, 8), *middle, nn.Tanh(), nn.Linear(8, 3)).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.to(torch.float64))


class Normed(Plain):
    def __init__(self) -> None:
        super().__init__(norm=True)
