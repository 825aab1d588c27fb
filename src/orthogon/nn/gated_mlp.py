"""gMLP: layers over channels, and a gate that mixes positions in place of attention (row 1.34).

Liu, Dai, So & Le 2021, arXiv:2105.08050. Sequences are N×T×C, all of the same T. Parameters are named as in timm's.
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
        self.proj = nn.Linear(positions, positions)
        nn.init.normal_(self.proj.weight, std=1e-3)
        nn.init.ones_(self.proj.bias)

    def forward(self, x: Tensor) -> Tensor:
        u, v = x.chunk(2, dim=2)
        return u * self.proj(self.norm(v).transpose(1, 2)).transpose(1, 2)


class GatedMLP(nn.Module):
    """V gate(GELU(U x)): N×T×width -> the same. U leads to `hidden` channels, which the gate halves."""

    def __init__(self, width: int, hidden: int, positions: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.gate = SpatialGatingUnit(hidden, positions)
        self.fc2 = nn.Linear(hidden // 2, width)
        initialize(self.fc1, followed_by="gelu")
        initialize(self.fc2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.gate(F.gelu(self.fc1(x))))


class GatedMLPBlock(nn.Module):
    """x + GatedMLP(norm(x)): N×T×width -> the same. The norm has ε = 1e-6."""

    def __init__(self, width: int, hidden: int, positions: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp_channels = GatedMLP(width, hidden, positions)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp_channels(self.norm(x))
