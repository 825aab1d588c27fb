"""What becomes of a signal, and of its gradient, on the way through many layers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.nn.activations import activation as make_activation
from orthogon.nn.initializers import initialize


class SignalScale(NamedTuple):
    """Float64 (depth,) each, layer 1 first: the standard deviation of what the layer's activation gives, over units and
    examples, and of the gradient of the loss by it."""

    activations: np.ndarray
    gradients: np.ndarray


def signal_scale(activation: str, initializer: str | None = None, depth: int = 50, width: int = 256,
                 examples: int = 32, seeds: int = 4) -> SignalScale:
    """The scale of activations and gradients in each of `depth` equal layers, at initialization (rows 4.02-4.08).

    Inputs are N(0, 1); the gradient that enters at the top is N(0, 1) too. float64; variances are averaged over
    `seeds` networks. initializer: as in `initialize`; None: the one that suits the activation.
    ValueError where a number is below 1; RecipeError for a name that does not exist.
    """
    if min(depth, width, examples, seeds) < 1:
        raise ValueError(f"depth, width, examples and seeds are at least 1; got {depth}, {width}, {examples}, {seeds}")
    function = make_activation(activation)
    variances = np.array([_variances(function, activation, initializer, depth, width, examples, seed)
                          for seed in range(seeds)])
    return SignalScale(*np.sqrt(variances.mean(axis=0)))


def _variances(function: nn.Module, name: str, initializer: str | None, depth: int, width: int, examples: int,
               seed: int) -> list[list[float]]:
    """[variance of each layer's activations, variance of each layer's gradients]."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        x, top = torch.randn(2, examples, width, dtype=torch.float64)
        x.requires_grad_()
        outputs: list[Tensor] = []
        for _ in range(depth):
            layer = nn.Linear(width, width, dtype=torch.float64)
            initialize(layer, name, initializer)
            x = function(layer(x))
            outputs.append(x)
        gradients = torch.autograd.grad(x, outputs, top)
    return [[float(each.detach().var(correction=0)) for each in found] for found in (outputs, gradients)]
