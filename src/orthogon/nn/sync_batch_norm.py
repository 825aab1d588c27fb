"""Batch normalization over the batches of all ranks together, on any device.

torch's own SyncBatchNorm refuses the CPU. Here counts, sums and squared distances from the mean are added over the
ranks by an all-reduce that autograd sees through, so that the gradient is that of one big batch.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _Sum(torch.autograd.Function):
    """The sum over ranks; the gradient of each rank's term is the sum of all ranks' gradients."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        added = values.clone()
        dist.all_reduce(added)
        return added

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        added = gradients[0].contiguous().clone()
        dist.all_reduce(added)
        return added


class SyncBatchNorm(_BatchNorm):
    """Batch normalization (Ioffe & Szegedy 2015) with statistics over all ranks; alone, it is torch's batch norm.

    Inputs N×C or N×C×…; parameters and state as torch.nn.BatchNorm2d.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least 2 axes, got {input.ndim}")

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or not dist.is_initialized() or dist.get_world_size() == 1:
            return super().forward(input)
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = [1, -1, *[1] * (input.ndim - 2)]
        values = input if input.dtype == torch.float64 else input.float()
        here = values.new_full((1,), values.numel() // values.shape[1])
        total, count = _summed(torch.cat([values.sum(axes), here])).split([values.shape[1], 1])
        mean = total / count
        centered = values - mean.view(shape)
        variance = _summed(centered.square().sum(axes)) / count
        self._remember(mean.detach(), variance.detach(), count.detach())
        normalized = centered * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normalized = normalized * self.weight.view(shape) + self.bias.view(shape)
        return normalized.to(input.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if not self.track_running_stats:
            return
        tracked = cast(Tensor, self.num_batches_tracked)
        tracked.add_(1)
        unbiased = variance * (count / (count - 1).clamp(min=1))
        for running, found in ((cast(Tensor, self.running_mean), mean), (cast(Tensor, self.running_var), unbiased)):
            share = tracked.to(running).reciprocal() if self.momentum is None else self.momentum
            running.lerp_(found.to(running), share)


def _summed(values: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(values))


def synchronized(model: nn.Module) -> nn.Module:
    """The model with every batch norm replaced by one over all ranks; parameters and running statistics are kept."""
    for name, child in model.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, SyncBatchNorm):
            other = SyncBatchNorm(child.num_features, child.eps, child.momentum, child.affine,
                                  child.track_running_stats)
            like = next((tensor for tensor in child.state_dict().values()), None)
            if like is not None:
                other.to(device=like.device, dtype=like.dtype)
            other.load_state_dict(child.state_dict())
            setattr(model, name, other.train(child.training))
        else:
            synchronized(child)
    return model
