"""Initial weights that suit the activation that follows them."""

from __future__ import annotations

import math

from torch import nn

from orthogon.errors import RecipeError, nearest

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "elu": nn.ELU, "selu": nn.SELU, "gelu": nn.GELU, "silu": nn.SiLU,
    "mish": nn.Mish, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softplus": nn.Softplus, "identity": nn.Identity,
}
_HE = ("relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus")


def activation(name: str) -> nn.Module:
    """The activation of that name; RecipeError naming the nearest where there is none."""
    if name not in ACTIVATIONS:
        raise RecipeError(f"there is no activation {name!r}", where="model.options.activation",
                          remedy=nearest(name, list(ACTIVATIONS)))
    return ACTIVATIONS[name]()


def initialize(layer: nn.Linear | nn.Conv2d, followed_by: str = "identity") -> None:
    """Weights drawn so that signal keeps its size through the layer and the activation that follows; biases zero.

    He et al. (2015, arXiv:1502.01852) before rectifiers, LeCun (variance 1 / fan in) before SELU (Klambauer et al.
    2017, arXiv:1706.02515), Glorot & Bengio (2010) before the others.
    """
    if followed_by in _HE:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    elif followed_by == "selu":
        nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    else:
        nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def initialize_output(layer: nn.Linear) -> None:
    """The last layer: a tenth of LeCun's weights, so that training starts near equal odds but every gradient lives."""
    nn.init.normal_(layer.weight, std=0.1 / math.sqrt(layer.in_features))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
