"""Paths of optimizers over surfaces of two variables, to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Surface = Callable[[Tensor], Tensor]
"""A function of the last axis (x, y): N×…×2 -> N×…"""


def quadratic(point: Tensor) -> Tensor:
    """A long valley: ½(x² + 25y²), lowest at (0, 0)."""
    return 0.5 * (point[..., 0] ** 2 + 25 * point[..., 1] ** 2)


def saddle(point: Tensor) -> Tensor:
    """Up along x, down along y: ½x² − ½y² + ¼y⁴; flat at (0, 0), lowest at (0, ±1) (row 6.12)."""
    return 0.5 * point[..., 0] ** 2 - 0.5 * point[..., 1] ** 2 + 0.25 * point[..., 1] ** 4


def rosenbrock(point: Tensor) -> Tensor:
    """A bent valley with a nearly flat floor: (1 − x)² + 100(y − x²)², lowest at (1, 1) (Rosenbrock 1960)."""
    return (1 - point[..., 0]) ** 2 + 100 * (point[..., 1] - point[..., 0] ** 2) ** 2


def path(
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer], surface: Surface, start: Sequence[float],
    steps: int,
) -> NDArray[np.float64]:
    """Where an optimizer goes: (steps + 1)×2, the start first, in float64.

    optimizer: makes one for the parameters that it is given, e.g. `lambda p: torch.optim.SGD(p, lr=0.01)`.
    """
    point = nn.Parameter(torch.tensor(start, dtype=torch.float64))
    moving = optimizer([point])

    def closure() -> Tensor:
        moving.zero_grad()
        height = surface(point)
        height.backward()
        return height

    visited = [point.detach().clone()]
    for _ in range(steps):
        moving.step(closure)  # type: ignore[arg-type]
        visited.append(point.detach().clone())
    return torch.stack(visited).numpy()


def heights(surface: Surface, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The surface on a grid, for contours: len(y)×len(x)."""
    grid = torch.stack(torch.meshgrid(torch.as_tensor(x), torch.as_tensor(y), indexing="xy"), -1)
    return surface(grid).numpy()
