"""A network in the form of an hourglass that makes a picture out of noise (Ulyanov et al. 2017, arXiv:1711.10925)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SKIPPED = 4
"""Channels that pass by each level below it."""


def _layers(channels: int, out: int, side: int = 3, stride: int = 1) -> list[nn.Module]:
    """A convolution, batch norm, leaky ReLU."""
    return [nn.Conv2d(channels, out, side, stride, side // 2), nn.BatchNorm2d(out),
            nn.LeakyReLU(0.2)]


class _Level(nn.Module):
    """Half the side, what lies below it, twice the side again; beside that a few channels that stay at full size."""

    def __init__(self, channels: int, width: int, below: nn.Module, given: int) -> None:
        super().__init__()
        self.skip = nn.Sequential(*_layers(channels, SKIPPED, 1))
        self.down = nn.Sequential(*_layers(channels, width, stride=2), *_layers(width, width))
        self.below = below
        self.up = nn.Sequential(nn.BatchNorm2d(given + SKIPPED), *_layers(given + SKIPPED, width),
                                *_layers(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        deep = F.interpolate(self.below(self.down(x)), x.shape[2:], mode="bilinear")
        return self.up(torch.cat([deep, self.skip(x)], 1))


class Hourglass(nn.Module):
    """N×channels×H×W -> N×outputs×H×W in 0 … 1, for H and W of at least 2^len(widths) + 1.

    widths: channels of each level, from the finest on; each halves the side. ValueError where there is none.
    """

    def __init__(self, channels: int, outputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        if not widths:
            raise ValueError("an hourglass without levels; give widths, for example (16, 32, 64)")
        inner: nn.Module = nn.Identity()
        for k in reversed(range(len(widths))):
            given = widths[min(k + 1, len(widths) - 1)]
            inner = _Level(widths[k - 1] if k else channels, widths[k], inner, given)
        self.levels = inner
        self.last = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.last(self.levels(x)))
