"""A fixed eye for comparing pictures: convolutions with random filters, the same for everybody."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.train.randomness import generator

FILTERS = (16, 32, 64)
SIDE = 4
"""Of the grid on which each map is averaged."""

FEATURES = 64
BATCH = 256


class RandomFeatures(nn.Module):
    """Pictures N×C×H×W in 0 … 1 -> N×64 numbers, by three convolutions with random 3×3 filters and a random projection.

    Distances between pixels hardly notice blur, which pictures made by a Gaussian have too; random filters do, and they
    know no classes, so that none are favored. A trained network sees more, but has to be fetched, and has seen
    photographs alone. Nothing is fitted: filters are drawn from a fixed key for the number of channels.
    Source: Naeem et al. (2020), arXiv:2002.09797: random embeddings of 64 numbers for data unlike ImageNet.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        draws = generator(0, f"random features/{channels}")
        self.filters = nn.ParameterList()
        for width in FILTERS:
            drawn = torch.randn(width, channels, 3, 3, generator=draws) * (2 / (9 * channels)) ** 0.5
            self.filters.append(nn.Parameter(drawn, requires_grad=False))
            channels = width
        projection = torch.randn(SIDE * SIDE * sum(FILTERS), FEATURES, generator=draws) / FEATURES**0.5
        self.projection = nn.Parameter(projection, requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        x, found = 2 * pictures.float() - 1, []
        for filters in self.filters:
            x = F.relu(F.conv2d(x, filters, padding=1))
            if min(x.shape[2:]) > SIDE:
                x = F.avg_pool2d(x, 2, ceil_mode=True)
            found.append(F.adaptive_avg_pool2d(x, SIDE).flatten(1))
        return torch.cat(found, dim=1) @ self.projection

    @torch.no_grad()
    def of(self, pictures: Tensor) -> Tensor:
        """The features of any number of pictures, in float32 whatever is computed in around it."""
        with torch.autocast(pictures.device.type, enabled=False):
            return torch.cat([self(part) for part in pictures.split(BATCH)])
