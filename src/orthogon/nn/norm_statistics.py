"""Batch norms that are told what they are given, in a network that stays the same function."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def unmeasured_norms(model: nn.Module) -> list[_BatchNorm]:
    """The batch norms with statistics that nothing was measured for: mean 0 and variance 1, as in networks whose norms
    were folded into their convolutions."""
    return [
        module for module in model.modules()
        if isinstance(module, _BatchNorm) and module.affine and module.running_mean is not None
        and module.running_var is not None and not module.running_mean.any() and bool((module.running_var == 1).all())
    ]


@torch.no_grad()
def measure_norms(model: nn.Module, norms: Iterable[_BatchNorm], batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Give batch norms the mean μ' and the variance σ'² of their inputs, without changing what they compute.

    batches: inputs of the model; it is run in evaluation mode and left in the mode it was in.

    In evaluation a norm computes γ (x − μ) / √(σ² + ε) + β, whatever μ and σ² are; in training it takes those of the
    batch. Where they are far from it, as with μ = 0 and σ² = 1 for norms that were folded away, the first step of
    training would make another network of it. With γ' = γ √(σ'² + ε) / √(σ² + ε) and β' = β + γ (μ' − μ) / √(σ² + ε)
    it is the same function in evaluation, and nearly the same in training.
    """
    seen = {norm: _Moments() for norm in norms}
    handles = [norm.register_forward_pre_hook(each.add) for norm, each in seen.items()]
    training = model.training
    model.eval()
    try:
        for inputs in batches:
            model(*inputs)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    for norm, each in seen.items():
        if each.count:
            _restate(norm, each.mean, each.variance)


class _Moments:
    """Count, mean and variance of each channel over all that a norm is given, joined in double precision."""

    def __init__(self) -> None:
        self.count, self.mean, self.variance = 0, torch.zeros(()), torch.zeros(())

    def add(self, _: nn.Module, given: tuple[Any, ...]) -> None:
        values = given[0]
        variance, mean = (each.double() for each in torch.var_mean(values, (0, *range(2, values.ndim)), correction=0))
        more = values.numel() // values.shape[1]
        share = more / (self.count + more)
        apart = mean - self.mean.to(mean.device)
        self.variance = (1 - share) * self.variance.to(mean.device) + share * variance + share * (1 - share) * apart**2
        self.mean, self.count = self.mean.to(mean.device) + share * apart, self.count + more


def _restate(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    assert norm.running_mean is not None  # noqa: S101 - only those with statistics are chosen
    assert norm.running_var is not None  # noqa: S101
    before = (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.weight.double() * (mean - norm.running_mean.double()) / before
    norm.bias.copy_(norm.bias.double() + shift)
    norm.weight.copy_(norm.weight.double() * (variance + norm.eps).sqrt() / before)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


@torch.no_grad()
def renew_norms(model: nn.Module, batches: Iterable[tuple[Tensor, ...]]) -> None:
    """Give every batch norm the mean and variance of what it is given over these batches, as training would.

    batches: inputs of the model, each counting alike; norms are run in training mode, all else in evaluation mode, and
    all are left in the mode they were in. Unlike `measure_norms` this changes what the model computes.
    """
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    rates, modes = [norm.momentum for norm in norms], [(module, module.training) for module in model.modules()]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    try:
        for inputs in batches:
            model(*inputs)
    finally:
        for norm, rate in zip(norms, rates):
            norm.momentum = rate
        for module, mode in modes:
            module.training = mode
