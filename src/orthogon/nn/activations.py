"""Activations by name, the gain that each wants of the weights before it, and hardmax."""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU, "silu": nn.SiLU,
    "mish": nn.Mish, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus, "identity": nn.Identity,
}
"""Name -> module (rows 2.01-2.07, 2.09). Each is torch's own, with torch's defaults: leaky_relu has slope 0.01."""


def activation(name: str) -> nn.Module:
    """The activation of that name; RecipeError naming the nearest where there is none."""
    return _known(name)()


@cache
def gain(name: str) -> float:
    """What the weights before that activation are to be multiplied by, so that a signal keeps its size through both.

    The variance of the weights is gain² / fan in. As torch.nn.init.calculate_gain has it for identity and sigmoid (1),
    relu (√2), leaky_relu (√(2 / (1 + 0.01²))) and tanh (5/3). Two cases differ:

    selu: 1, which its constants were made for (Klambauer et al. 2017, arXiv:1706.02515); torch says 3/4.
    elu, gelu, silu, mish, softplus: `second_moment_gain`; torch has none.
    """
    module = _known(name)
    if name in ("relu", "leaky_relu", "tanh", "sigmoid"):
        return nn.init.calculate_gain(name)
    return 1.0 if name in ("identity", "selu") else second_moment_gain(module())


def second_moment_gain(function: nn.Module) -> float:
    """E[f(z)²]^−½ for z ~ N(0, 1): with it, sums of unit variance leave the next layer's sums of unit variance.

    He et al. (2015, arXiv:1502.01852) for any activation f; √2 for relu. By the trapezoidal rule on −12 … 12.
    """
    z = torch.linspace(-12, 12, 48_001, dtype=torch.float64, device="cpu")  # also in a network made on the meta device
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    with torch.no_grad():
        return float(torch.trapezoid(function(z).square() * density, z)) ** -0.5


def hardmax(logits: Tensor, dim: int = -1) -> Tensor:
    """1 at the largest value along `dim`, 0 elsewhere, in the type of the logits (row 2.11).

    Of equal values the first one gets the 1. It has no gradient: for reading predictions, not for training.
    """
    hot = F.one_hot(logits.argmax(dim), logits.shape[dim])
    return hot.movedim(-1, dim).to(logits.dtype)


def _known(name: str) -> type[nn.Module]:
    if name not in ACTIVATIONS:
        raise RecipeError(f"there is no activation {name!r}", where="model.options.activation",
                          remedy=nearest(name, list(ACTIVATIONS)))
    return ACTIVATIONS[name]
