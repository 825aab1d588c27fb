"""Streaming normalization: statistics from recent mini-batches as well as this one, and gradients through them too.

Liao, Kawaguchi & Poggio 2016, arXiv:1610.06160 (row 9.10), with the mean and the variance of each feature as the
statistics s:

- recent: the average of s (and of ∂L/∂s) over the mini-batches, micro-batches or time steps since the last update;
- long-term: an exponential average of the recent ones, long ← κ long + (1 − κ) recent, once an update;
- forward, values are normalized by (1 − α) long + α recent, which contains the mini-batch in hand;
- backward, the gradient through the statistics is not that of this mini-batch alone but
  β₁ long + β₂ recent + β₃ current, and reaches the values of this mini-batch as in batch norm.

With α = 1 and β₃ = 1 it is batch norm. What the paper leaves open or does otherwise is settled so:

- Averages are those of a mixture: means of mean and of mean square. So a single number, which has no variance of its
  own, still has its distance from the past: a mini-batch of one works (row 6.14).
- An update is taken to lie between a backward pass and the forward pass that follows it. With accumulation of
  gradients each micro-batch is an update of its own in this sense.
- Long-term averages are plain averages at first, until 1 / updates falls below 1 − κ; before the first update there
  are only the recent ones. So nothing depends on a start value.
- In evaluation the long-term statistics alone count, so that no example depends on another (before the first update,
  the recent ones).
- The variance is squared deviation (Lp normalization with other p is not built).
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _pooled(share: Tensor | float, a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and variance of a mixture: `share` of it distributed as b, the rest as a."""
    apart = b[0] - a[0]
    return a[0] + share * apart, a[1] + share * (b[1] - a[1]) + share * (1 - share) * apart**2


class _Normalize(torch.autograd.Function):
    """γ (x − mean) / √(variance + eps) + β; backward goes through the statistics by the stream's mix of gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor,
                stream: StreamingNorm) -> Tensor:
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.stream = stream
        return F.batch_norm(x, mean, variance, weight, bias, eps=stream.eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        direct, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.stream.eps, [True, True, True])
        rate = torch.rsqrt(variance + ctx.stream.eps)
        by_mean, by_variance = ctx.stream._mixed_gradients(
            torch.stack([-weight * rate * by_bias, -0.5 * weight * rate**2 * by_weight]))
        shape, count = _per_feature(x), x.numel() // x.shape[1]
        through = (by_mean.view(shape) + 2 * by_variance.view(shape) * (x - mean.view(shape))) / count
        return (direct + through).to(x.dtype), by_weight, by_bias, None, None, None


def _per_feature(x: Tensor) -> list[int]:
    return [1, -1, *[1] * (x.ndim - 2)]


class StreamingNorm(nn.Module):
    """Streaming normalization of N×C or N×C×… per feature (axis 1), then a learned scale and shift (see the module).

    decay: κ, of the long-term statistics and gradients, in [0, 1). share: α, the weight of the recent statistics in
    training, in (0, 1]. gradient_shares: β of the long-term, the recent and the current gradient. The defaults are the
    paper's for recurrent and online learning. For mini-batches of one a decay of 0.99 or more is wise: long-term
    statistics remember about (1 + κ) / (1 − κ) mini-batches, 6 at 0.7 and 199 at 0.99.

    running_mean, running_var: the long-term statistics; statistics are kept and computed in at least float32.
    """

    running_mean: Tensor
    running_var: Tensor
    running_gradient: Tensor
    recent_mean: Tensor
    recent_var: Tensor
    recent_gradient: Tensor
    recent_forwards: Tensor
    recent_backwards: Tensor
    updates: Tensor

    def __init__(self, num_features: int, decay: float = 0.7, share: float = 0.3,
                 gradient_shares: tuple[float, float, float] = (0.7, 0.0, 0.3), eps: float = 1e-5) -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f"decay is from 0 to below 1, the part of the past that is kept; got {decay}")
        if not 0 < share <= 1:
            raise ValueError(f"share is above 0 and at most 1, the weight of the recent statistics; got {share}")
        self.num_features, self.decay, self.share, self.eps = num_features, decay, share, eps
        self.gradient_shares = gradient_shares
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        for when in ("running", "recent"):
            self.register_buffer(f"{when}_mean", torch.zeros(num_features))
            self.register_buffer(f"{when}_var", torch.ones(num_features))
            self.register_buffer(f"{when}_gradient", torch.zeros(2, num_features))
        for count in ("recent_forwards", "recent_backwards", "updates"):
            self.register_buffer(count, torch.zeros(()))

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim < 2 or input.shape[1] != self.num_features:
            raise ValueError(f"expected N×{self.num_features} or N×{self.num_features}×…, got {tuple(input.shape)}")
        if not self.training:
            seen = self.updates > 0
            mean = torch.where(seen, self.running_mean, self.recent_mean)
            variance = torch.where(seen, self.running_var, self.recent_var)
            return F.batch_norm(input, mean, variance, self.weight, self.bias, eps=self.eps)
        mean, variance = self._streamed(input if input.dtype == torch.float64 else input.float())
        return cast(Tensor, _Normalize.apply(input, self.weight, self.bias, mean, variance, self))

    @torch.no_grad()
    def _streamed(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Take the mini-batch in; the statistics by which it is normalized."""
        self._close_update()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        variance, mean = torch.var_mean(values, axes, correction=0)
        self.recent_forwards.add_(1)
        recent = _pooled(1 / self.recent_forwards, (self.recent_mean, self.recent_var), (mean, variance))
        self.recent_mean.copy_(recent[0])
        self.recent_var.copy_(recent[1])
        share = torch.where(self.updates > 0, self.share, 1.0)
        return _pooled(share, (self.running_mean, self.running_var), recent)

    def _close_update(self) -> None:
        """If gradients have come since the last forward pass: recent averages join the long-term ones; all tensors."""
        closed = (self.recent_backwards > 0).to(self.updates.dtype)
        self.updates.add_(closed)
        share = closed * torch.clamp(1 / self.updates.clamp(min=1), min=1 - self.decay)
        long = _pooled(share, (self.running_mean, self.running_var), (self.recent_mean, self.recent_var))
        self.running_mean.copy_(long[0])
        self.running_var.copy_(long[1])
        self.running_gradient.lerp_(self.recent_gradient, share)
        self.recent_forwards.mul_(1 - closed)
        self.recent_backwards.mul_(1 - closed)

    @torch.no_grad()
    def _mixed_gradients(self, current: Tensor) -> Tensor:
        """Take the gradient of the statistics (2×C) in; what takes its place."""
        self.recent_backwards.add_(1)
        self.recent_gradient.lerp_(current.to(self.recent_gradient.dtype), 1 / self.recent_backwards)
        long, recent, now = self.gradient_shares
        past = torch.where(self.updates > 0, self.running_gradient, self.recent_gradient)
        return (long * past + recent * self.recent_gradient + now * current).to(current.dtype)

    def extra_repr(self) -> str:
        return f"{self.num_features}, decay={self.decay}, share={self.share}, gradient_shares={self.gradient_shares}"
