"""Weights and pictures that depend on nothing but their place: the same in every network that has the same names."""

import math

import numpy as np
import torch
from torch import Tensor, nn

PERIOD = 9973  # a prime, so that no two rows of a layer begin alike
_PLACES = np.arange(PERIOD, dtype=np.float64)
WAVE = torch.from_numpy(np.sin(0.37 * _PLACES * _PLACES + 1.0).astype(np.float32))
"""sin(0.37 k² + 1): between -1 and 1, variance one half, neighbors unlike each other."""


def values(size: int, start: int) -> Tensor:
    """`size` numbers of the wave, from place `start` on, over and over."""
    start %= PERIOD
    return WAVE.repeat((start + size) // PERIOD + 1)[start : start + size]


def fill(model: nn.Module) -> None:
    """Every tensor of the state in place, by its index: He's variance for weights, near 1 for norms, near 0 else."""
    for index, (key, tensor) in enumerate(model.state_dict().items()):
        if not tensor.is_floating_point():
            tensor.zero_()
            continue
        drawn = values(tensor.numel(), 101 * index).view(tensor.shape)
        if tensor.ndim > 1:
            tensor.copy_(drawn.mul_(2 / math.sqrt(tensor[0].numel())))
        else:
            tensor.copy_(0.2 * drawn + (1.0 if key.endswith(("running_var", "weight")) else 0.0))


def picture(high: int, wide: int) -> Tensor:
    """1×3×high×wide, of unit variance."""
    return values(3 * high * wide, 7).view(1, 3, high, wide) * math.sqrt(2)
