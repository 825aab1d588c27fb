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


def _pool(mean: Tensor, variance: Tensor, other_mean: Tensor, other_variance: Tensor, share: Tensor) -> None:
    """Make mean and variance, in place, those of a mixture of which `share` is distributed as the other."""
    apart = other_mean - mean
    mean.lerp_(other_mean, share)
    variance.lerp_(other_variance, share).addcmul_(apart * (share - share * share), apart)


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
        _, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.stream.eps, [False, True, True])
        rate = torch.rsqrt(variance + ctx.stream.eps)
        factor = weight * rate
        by_mean, by_variance = ctx.stream._mixed_gradients(
            torch.stack([-factor * by_bias, -0.5 * factor * rate * by_weight])) * (x.shape[1] / x.numel())
        shape, slope = _per_feature(x), 2 * by_variance
        through = torch.addcmul((by_mean - slope * mean).view(shape), x, slope.view(shape))
        return through.addcmul_(gradients[0], factor.view(shape)).to(x.dtype), by_weight, by_bias, None, None, None


def _per_feature(x: Tensor) -> list[int]:
    return [1, -1, *[1] * (x.ndim - 2)]


class StreamingNorm(nn.Module):
    """Streaming normalization of N×C or N×C×… per feature (axis 1), then a learned scale and shift (see the module).

    decay: κ, of the long-term statistics and gradients, in [0, 1). share: α, the weight of the recent statistics in
    training, in (0, 1]. gradient_shares: β of the long-term, the recent and the current gradient. The defaults are the
    paper's for recurrent and online learning. For mini-batches of one a decay of 0.99 or more is wise: long-term
    statistics remember about (1 + κ) / (1 − κ) mini-batches, 6 at 0.7 and 199 at 0.99.

    running_mean, running_var: the long-term statistics. Statistics are computed in at least float32 and kept in the
    type of the module.
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
        mean = values.mean(axes)
        variance = (values - mean.view(_per_feature(values))).square().mean(axes)  # on a CPU var_mean is far slower
        self.recent_forwards.add_(1)
        mean, variance = mean.to(self.recent_mean.dtype), variance.to(self.recent_mean.dtype)
        _pool(self.recent_mean, self.recent_var, mean, variance, self.recent_forwards.reciprocal())
        mean, variance = self.running_mean.clone(), self.running_var.clone()
        share = torch.where(self.updates > 0, self.share, 1.0)
        _pool(mean, variance, self.recent_mean, self.recent_var, share)
        return mean, variance

    def _close_update(self) -> None:
        """If gradients have come since the last forward pass: recent averages join the long-term ones; all tensors."""
        closed = self.recent_backwards.clamp(max=1)
        self.updates.add_(closed)
        share = closed * self.updates.clamp(min=1).reciprocal().clamp(min=1 - self.decay)
        _pool(self.running_mean, self.running_var, self.recent_mean, self.recent_var, share)
        self.running_gradient.lerp_(self.recent_gradient, share)
        self.recent_forwards.mul_(1 - closed)
        self.recent_backwards.zero_()

    @torch.no_grad()
    def _mixed_gradients(self, current: Tensor) -> Tensor:
        """Take the gradient of the statistics (2×C) in; what takes its place."""
        self.recent_backwards.add_(1)
        self.recent_gradient.lerp_(current, self.recent_backwards.reciprocal())
        long, recent, now = self.gradient_shares
        past = torch.where(self.updates > 0, self.running_gradient, self.recent_gradient)
        return long * past + recent * self.recent_gradient + now * current

    def extra_repr(self) -> str:
        return f"{self.num_features}, decay={self.decay}, share={self.share}, gradient_shares={self.gradient_shares}"
