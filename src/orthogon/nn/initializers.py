"""Initial weights by name, and those that suit the activation that follows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import init

from orthogon.errors import RecipeError, nearest
from orthogon.nn.activations import activation, gain


def _gain_normal(weight: Tensor, name: str) -> None:
    init.normal_(weight, std=gain(name) / math.sqrt(weight.flatten(1).shape[1]))


SCHEMES: dict[str, Callable[[Tensor], object]] = {
    "zeros": init.zeros_,
    "small_random": partial(init.normal_, std=0.01),
    "lecun_normal": partial(init.kaiming_normal_, nonlinearity="linear"),
    "lecun_uniform": partial(init.kaiming_uniform_, nonlinearity="linear"),
    "glorot_normal": init.xavier_normal_,
    "glorot_uniform": init.xavier_uniform_,
    "he_normal": partial(init.kaiming_normal_, nonlinearity="relu"),
    "he_uniform": partial(init.kaiming_uniform_, nonlinearity="relu"),
}
"""Name -> what fills a weight in place, by variance:

zeros:        0: every unit of a layer stays the same as the others (row 4.01); to show why one must not.
small_random: 0.01² (row 4.02): the signal dies within a few layers.
lecun:        1 / fan in (LeCun et al. 1998, "Efficient BackProp"; rows 4.04, 4.06).
glorot:       2 / (fan in + fan out) (Glorot & Bengio 2010; rows 4.07, 4.08).
he:           2 / fan in (He et al. 2015, arXiv:1502.01852; row 4.05).
"""

PAIRS: dict[str, str] = {
    "identity": "glorot_uniform", "relu": "he_normal", "leaky_relu": "he_normal", "elu": "gain_normal",
    "selu": "lecun_normal", "gelu": "gain_normal", "silu": "gain_normal", "mish": "gain_normal",
    "tanh": "glorot_uniform", "sigmoid": "glorot_uniform", "softplus": "gain_normal",
}
"""Activation -> the scheme that is used before it where none is named; `gain_normal` has variance gain² / fan in.

Through 50 layers of 256 units, activations and gradients keep their size within a factor of ten (4.7 % a layer) in
the pairs of identity, relu, leaky_relu, elu, selu and tanh; `orthogon.nn.scale.signal_scale` measures it. Not in the
others: gelu, silu and mish have no stable scale (what is a little small shrinks, what is a little large grows), so that
silu holds for 10 layers, gelu for 20, mish for 30; behind sigmoid and softplus gradients vanish, since their slopes are
below one where the scale of activations is kept. Deep nets of these five want a norm in each layer.
"""


def initialize(layer: nn.Linear | nn.Conv1d | nn.Conv2d, followed_by: str = "identity",
               scheme: str | None = None) -> None:
    """Draw the layer's weights by the scheme, or by the one that suits the activation that follows; biases zero.

    followed_by: the name of an activation. scheme: a name of SCHEMES, or "gain_normal"; None: PAIRS[followed_by].
    RecipeError naming the nearest where there is no such name.
    """
    activation(followed_by)
    scheme = scheme or PAIRS[followed_by]
    if scheme == "gain_normal":
        _gain_normal(layer.weight, followed_by)
    elif scheme in SCHEMES:
        SCHEMES[scheme](layer.weight)
    else:
        raise RecipeError(f"there is no initializer {scheme!r}", where="model.options.initializer",
                          remedy=nearest(scheme, [*SCHEMES, "gain_normal"]))
    if layer.bias is not None:
        init.zeros_(layer.bias)


def initialize_output(layer: nn.Linear | nn.Conv2d) -> None:
    """The last layer: a tenth of LeCun's weights, so that training starts near equal odds but every gradient lives."""
    init.normal_(layer.weight, std=0.1 / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        init.zeros_(layer.bias)


def random_image(channels: int = 3, height: int = 100, width: int = 100,
                 generator: torch.Generator | None = None) -> Tensor:
    """Noise, uniform in [0, 1), of shape C×H×W: where the picture starts that style transfer trains (row 4.11)."""
    return torch.rand(channels, height, width, generator=generator)
