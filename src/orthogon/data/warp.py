"""Smooth local displacement: a coarse grid of random offsets, joined by cubic B-splines (row 19.05)."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

CELLS = 4
CONTROLS = CELLS + 3
"""Control offsets along each axis: a cubic spline over so many cells has three more than cells."""


def spline_weights(places: Tensor) -> Tensor:
    """What each control offset counts at places from 0 to 1 along an axis: (…,) to (…, CONTROLS), rows that sum to 1.

    The uniform cubic B-spline; places beyond the ends count as the ends. With it offsets of less than 0.4 of a cell
    never fold the plane (Choi and Lee 2000, doi 10.1006/gmod.2000.0531).
    """
    scaled = (places.clamp(0, 1) * CELLS).unsqueeze(-1)
    # The spline of a control point reaches two cells to either side of it; the first lies one cell before the picture.
    distance = (scaled - torch.arange(-1, CELLS + 2, device=places.device, dtype=places.dtype)).abs()
    near = 2 / 3 - distance.square() + distance.pow(3) / 2
    far = (2 - distance).clamp(min=0).pow(3) / 6
    return torch.where(distance < 1, near, far)


def displacement(offsets: Tensor, height: int, width: int) -> Tensor:
    """The offset of each pixel: control offsets (n, 2, CONTROLS, CONTROLS), x and y in pixels, to (n, 2, H, W)."""
    rows, columns = (_axis_weights(side, offsets.device, offsets.dtype) for side in (height, width))
    return rows @ offsets @ columns.mT


def displacement_at(offsets: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """The offset at points (n, k, 2), x and y in pixels, of the same spline: (n, k, 2)."""
    across, down = spline_weights(points[..., 0] / width), spline_weights(points[..., 1] / height)
    return torch.einsum("nki,nkj,ndij->nkd", down, across, offsets)


@lru_cache(maxsize=16)
def _axis_weights(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return spline_weights((torch.arange(side, device=device, dtype=dtype) + 0.5) / side)
