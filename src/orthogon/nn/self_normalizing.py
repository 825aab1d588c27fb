"""Whether SELU has around it what makes it normalize itself."""

from __future__ import annotations

import math

from torch import nn
from torch.nn.modules.conv import _ConvNd

from orthogon.nn.activations import ACTIVATIONS
from orthogon.nn.norms import NORM_LAYERS

_OTHERS = tuple(kind for name, kind in ACTIVATIONS.items() if name not in ("selu", "identity"))


def check_self_normalizing(model: nn.Module) -> list[str]:
    """What keeps the SELU layers of an untrained model from normalizing themselves: a sentence each; [] if all is well.

    SELU keeps mean 0 and variance 1 from layer to layer if the weights before it have variance 1 / fan in (LeCun) and
    dropout after it is AlphaDropout (Klambauer et al. 2017, arXiv:1706.02515; row 2.05, E86). Modules are looked at in
    the order in which they are registered; calls of torch.nn.functional.selu are not seen. Behind a norm weights may
    be of any size. A size counts as wrong beyond 10 %, or five standard errors where there are few weights.
    """
    found: list[str] = []
    before: tuple[str, nn.Linear | _ConvNd] | None = None
    after_selu = False
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | _ConvNd):
            before = (name, module)
        elif isinstance(module, NORM_LAYERS):
            before = None
        elif isinstance(module, nn.SELU):
            found += [] if before is None else _wrong_size(*before)
            before, after_selu = None, True
        elif isinstance(module, _OTHERS):
            before, after_selu = None, False
        elif isinstance(module, nn.Dropout) and after_selu and module.p > 0:
            found.append(f"dropout {name!r} follows SELU, whose mean and variance only AlphaDropout keeps")
    return found


def _wrong_size(name: str, layer: nn.Linear | _ConvNd) -> list[str]:
    weight = layer.weight.detach()
    ratio = float(weight.square().mean()) * weight[0].numel()
    if abs(ratio - 1) <= max(0.1, 5 * math.sqrt(2 / weight.numel())):
        return []
    return [f"the weights of {name!r} before SELU have {math.sqrt(ratio):.2g} times the size that normalizes itself; "
            "orthogon.nn.initializers.initialize(layer, 'selu') draws those"]
