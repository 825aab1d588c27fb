"""The general adaptive robust loss: one family from squared to bounded error, its shape and scale learnt if wanted.

Barron 2019, "A General and Adaptive Robust Loss Function", arXiv:1701.03077; row 3.12.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.total import Total, total

LOWEST_SHAPE, HIGHEST_SHAPE = 0.001, 1.999
"""Between which the shape is learnt, as in the paper's code: from about Cauchy to about normal."""
LEAST_SCALE = 1e-5


def robust_errors(errors: Tensor, shape: float | Tensor, scale: float | Tensor = 1.0) -> Tensor:
    """ρ(x, α, c) = b/α·[((x/c)²/b + 1)^(α/2) − 1], b = |α − 2|, elementwise.

    shape α: the smaller, the less large errors count: 2 squared/2, 1 like Huber, 0 Cauchy, −2 Geman-McClure, −∞ Welsch.
    A tensor must not hold 2 or −∞, where the formula is a limit; a number may. scale c > 0: the size of error at which
    the parabola ends. ValueError where a number c is not positive, or a number α is +∞ or NaN.
    """
    if not isinstance(scale, Tensor) and not scale > 0:
        raise ValueError(f"the scale is {scale}; give the size of error, above 0, from which errors count less")
    squared = (errors / scale).square()
    if not isinstance(shape, Tensor):
        if math.isnan(shape) or shape == math.inf:
            raise ValueError(f"the shape is {shape}; give a number, 2 for squared error or less, or −inf")
        if shape == 2:
            return squared / 2
        if shape == -math.inf:
            return -torch.expm1(-squared / 2)
    distance = abs(shape - 2)
    half_log = torch.log1p(squared / distance) / 2
    return distance * half_log * _expm1_ratio(shape * half_log)


def _expm1_ratio(y: Tensor) -> Tensor:
    """(eʸ − 1) / y, by its series near 0, where value and derivative would lose their digits."""
    near = y.abs() < 0.1
    safe = torch.where(near, 1.0, y)
    series = torch.zeros_like(y)
    for divisor in range(9, 0, -1):
        series = (1 + y * series) / divisor
    return torch.where(near, series, torch.expm1(safe) / safe)


def log_partition(shape: Tensor) -> Tensor:
    """log ∫ exp(−ρ(x, α, 1)) dx, elementwise for α in [0, 2): what makes exp(−ρ) / (c·Z(α)) a density.

    By double-exponential quadrature (Takahasi & Mori 1974), within 1e-8 in float64 (1e-13 below α = 1.9); autograd goes
    through it.
    """
    steps = torch.linspace(-3.6, 3.6, 145, dtype=torch.float64)
    nodes = torch.sinh(math.pi / 2 * torch.sinh(steps))
    weights = torch.cosh(math.pi / 2 * torch.sinh(steps)) * math.pi / 2 * torch.cosh(steps) * (steps[1] - steps[0])
    nodes, logs = nodes.to(shape), weights.log().to(shape)
    return torch.logsumexp(logs - robust_errors(nodes, shape.unsqueeze(-1)), dim=-1)


class AdaptiveRobustLoss(nn.Module):
    """−log of the density exp(−ρ(x, α, c)) / (c·Z(α)), with shape α and scale c learnt for each output.

    `forward(errors, weight)` sums it over the outputs, in nats; errors N×outputs, weight (N,). Give `parameters()` to
    the optimizer beside those of the model: they find out how heavy the tails of the errors are. Without Z, α would
    only fall. outputs: how many numbers are predicted. α starts at 1, within (0.001, 1.999); c at 1, above 1e-5.
    """

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.raw_shape = nn.Parameter(torch.zeros(outputs))
        self.raw_scale = nn.Parameter(torch.full((outputs,), math.log(math.expm1(1 - LEAST_SCALE))))

    @property
    def shape(self) -> Tensor:
        """α of each output."""
        return LOWEST_SHAPE + (HIGHEST_SHAPE - LOWEST_SHAPE) * self.raw_shape.sigmoid()

    @property
    def scale(self) -> Tensor:
        """c of each output."""
        return LEAST_SCALE + F.softplus(self.raw_scale)

    def forward(self, errors: Tensor, weight: Tensor | None = None) -> Total:
        if errors.ndim != 2 or errors.shape[1] != len(self.raw_shape):
            raise ValueError(f"errors {tuple(errors.shape)}; give N×{len(self.raw_shape)}, prediction minus target")
        shape, scale = self.shape, self.scale
        return total((robust_errors(errors, shape, scale) + scale.log() + log_partition(shape)).sum(1), weight)
