"""Slopes from values alone, as exactly as float64 allows: of a function of one number, and of a loss in a parameter."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

FIRST_STEP = 0.05
SHRINK, STEPS = 4.0, 8
CONVERGED = 1e-10
"""Share of the slope below which its error is small enough to stop."""

KINK, NOISE = 1e-8, 1e-11
"""A slope is at a kink when its error exceeds KINK × the largest slope of the parameter + NOISE × the loss."""

Place = tuple[int, ...] | None
"""Index of a coordinate; None: a direction through all of them."""

Pairs = tuple[np.ndarray, list[Place], int]
"""Float64 (n, 2) of gradient and difference, where each was taken, and how many were skipped."""


def slope_at_zero(f: Callable[[float], float], at_zero: float, first_step: float = FIRST_STEP) -> tuple[float, float]:
    """The slope of f at 0 and a bound of its error, which is large where f has a kink nearby.

    Two-sided differences (f(h) − f(−h)) / 2h for h = first_step / 4ᵏ, extrapolated to h = 0 by Neville's scheme in h²
    (Ridders 1982); the error is that of the entry that agrees best with its neighbors, at least half of what is
    left of the difference between right and left slope when h goes to 0, and at least what rounding f makes of it.
    """
    slope, error = math.nan, math.inf
    coarser: list[float] = []
    gap_before = math.nan
    for k in range(STEPS):
        step = first_step / SHRINK**k
        right, left = f(step), f(-step)
        gap = (right - 2 * at_zero + left) / step
        jump = abs(SHRINK * gap - gap_before) / (SHRINK - 1) / 2
        rounding = sys.float_info.epsilon * abs(at_zero) / step
        row = [(right - left) / (2 * step)]
        for order, coarse in enumerate(coarser, 1):
            factor = SHRINK ** (2 * order)
            row.append((factor * row[-1] - coarse) / (factor - 1))
            doubt = max(abs(row[-1] - row[-2]), abs(row[-1] - coarse), jump, rounding)
            if doubt < error:
                slope, error = row[-1], doubt
        if error <= CONVERGED * abs(slope):
            break
        coarser, gap_before = row, gap
    return slope, error


def slopes(
    value: Callable[[], float], at_zero: float, parameter: Tensor, gradient: Tensor | None, samples: int,
    draw: torch.Generator,
) -> Pairs:
    """The slope of value() in coordinates of the parameter, which is as it was afterwards, beside the gradient there.

    value: called with the parameter changed in place. at_zero: what it gives now. gradient: None counts as zero.
    samples: coordinates; one direction through all of them is added. draw: chooses them. See `gradient_check`.
    """
    start = parameter.detach().clone()
    analytic = torch.zeros_like(start) if gradient is None else gradient.detach()
    size = max(1.0, float(start.abs().max()) if start.numel() else 0.0)
    pairs, places, errors = [], [], []
    for place, direction in _directions(analytic, samples, draw):
        def along(step: float, direction: Tensor = direction) -> float:
            parameter.data.copy_(start + step * direction)
            return value()

        difference, error = slope_at_zero(along, at_zero, FIRST_STEP * size)
        pairs.append((float((analytic * direction).sum()), difference))
        places.append(place)
        errors.append(error)
    parameter.data.copy_(start)
    table = np.array(pairs).reshape(-1, 2)
    known = table[np.isfinite(table[:, 1]), 1]
    bound = KINK * np.abs(known).max(initial=0.0) + NOISE * max(1.0, abs(at_zero))
    smooth = [k for k, error in enumerate(errors) if error <= bound]
    return table[smooth], [places[k] for k in smooth], len(errors) - len(smooth)


def _directions(gradient: Tensor, samples: int, draw: torch.Generator) -> Iterator[tuple[Place, Tensor]]:
    """Single coordinates, then one direction of length 1 through all of them, which no lost gradient escapes."""
    flat = gradient.flatten()
    busy = flat.nonzero().flatten().cpu()
    chosen = busy[torch.randperm(len(busy), generator=draw)][: samples // 2].tolist()
    others = torch.randperm(len(flat), generator=draw)[:samples].tolist()
    for index in list(dict.fromkeys([*chosen, *others]))[:samples]:
        place = tuple(int(each) for each in torch.unravel_index(torch.tensor(index), gradient.shape))
        direction = torch.zeros_like(gradient)
        direction[place] = 1.0
        yield place, direction
    if len(flat) > 1:
        signs = torch.randint(0, 2, gradient.shape, generator=draw, dtype=torch.float64) * 2 - 1
        yield None, (signs / math.sqrt(len(flat))).to(gradient)
