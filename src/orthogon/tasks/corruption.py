"""What a denoising autoencoder is given in place of the clean example: noise added, areas masked (row 23.04)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from orthogon.train.randomness import Draw, normal_by_row, uniform_by_row

CELLS = 7
"""A picture is masked in squares of about a seventh of its shorter side; numbers are masked one by one."""


class Corruption(NamedTuple):
    """Vincent et al. 2010, JMLR 11.

    noise: standard deviation of what is added to each value, in units of the encoded values (pictures: 0 … 1).
    mask:  the share of the area that is set to 0: black, or the mean of a column.
    """

    noise: float = 0.0
    mask: float = 0.0

    @property
    def acts(self) -> bool:
        return self.noise > 0 or self.mask > 0

    def drawn(self, clean: Tensor, draw: Draw) -> Tensor:
        """In training: another corruption each time."""
        cells = torch.rand(len(clean), self._cells(clean), generator=draw.generator("mask"), device=clean.device)
        normal = torch.randn(clean.shape, generator=draw.generator("noise"), device=clean.device)
        return self._applied(clean, normal, cells)

    def fixed(self, clean: Tensor, rows: Tensor) -> Tensor:
        """In evaluation: always the same for a row."""
        normal = normal_by_row(rows, clean[0].numel(), "noise").view(clean.shape)
        return self._applied(clean, normal, uniform_by_row(rows, self._cells(clean), "mask"))

    def _applied(self, clean: Tensor, normal: Tensor, cells: Tensor) -> Tensor:
        noisy = clean + self.noise * normal.to(clean.dtype)
        kept = (cells >= self.mask).to(clean.dtype)
        if clean.ndim != 4:
            return noisy * kept
        side, (down, across) = _cell(clean), _counts(clean)
        areas = F.interpolate(kept.view(-1, 1, down, across), scale_factor=side, mode="nearest")
        return noisy * areas[:, :, : clean.shape[2], : clean.shape[3]]

    def _cells(self, clean: Tensor) -> int:
        if clean.ndim != 4:
            return clean.shape[1]
        down, across = _counts(clean)
        return down * across


def _cell(pictures: Tensor) -> int:
    """The side of a masked square in pixels."""
    return max(1, round(min(pictures.shape[2:]) / CELLS))


def _counts(pictures: Tensor) -> tuple[int, int]:
    side = _cell(pictures)
    return -(-pictures.shape[2] // side), -(-pictures.shape[3] // side)
