"""gMLP: layers over channels, and a gate that mixes positions in place of attention (row 1.34).

Liu, Dai, So & Le 2021, arXiv:2105.08050. Sequences are N×T×C, all of the same T.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.initializers import initialize


class SpatialGatingUnit(nn.Module):
    """u ∗ (W norm(v) + b), where u and v are the two halves of the channels: N×T×C -> N×T×C/2.

    W, T×T, is a linear map across positions, the same for every channel; b is one number per position. W starts near
    zero and b at one, so that at first the gate lets everything pass and positions do not mix. ValueError for an odd C.
    """

    def __init__(self, channels: int, positions: int) -> None:
        super().__init__()
        if channels % 2:
            raise ValueError(f"{channels} channels cannot be split in two halves; give an even number")
        self.norm = nn.LayerNorm(channels // 2)
        self.across = nn.Linear(positions, positions)
        nn.init.normal_(self.across.weight, std=1e-3)
        nn.init.ones_(self.across.bias)

    def forward(self, x: Tensor) -> Tensor:
        u, v = x.chunk(2, dim=2)
        return u * self.across(self.norm(v).transpose(1, 2)).transpose(1, 2)


class GatedMLPBlock(nn.Module):
    """x + V gate(GELU(U norm(x))): N×T×width -> the same. U leads to `hidden` channels, which the gate halves."""

    def __init__(self, width: int, hidden: int, positions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.gate = SpatialGatingUnit(hidden, positions)
        self.narrow = nn.Linear(hidden // 2, width)
        initialize(self.widen, followed_by="gelu")
        initialize(self.narrow)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(self.gate(F.gelu(self.widen(self.norm(x)))))
