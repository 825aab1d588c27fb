"""A bound on the norm of the weights that come into each unit."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd


@torch.no_grad()
def limit_norms(model: nn.Module, largest: float) -> None:
    """Scale back, in place, each unit's incoming weights whose L2 norm exceeds `largest`; call it after each step.

    Row 5.09; Srivastava et al. (2014, JMLR 15) take 3 to 4, the course 4 or 5. Units are the outputs of linear layers
    and the channels of convolutions. Left alone are biases, embeddings, recurrent layers, frozen weights, and weights
    that are computed from others (weight normalization, whose norms are learnt).
    ValueError where `largest` is not above 0.
    """
    if not largest > 0:
        raise ValueError(f"the largest norm is {largest}; give a number above 0, usually 3 to 5")
    for module in model.modules():
        weight = module._parameters.get("weight")
        if isinstance(module, nn.Linear | _ConvNd) and weight is not None and weight.requires_grad:
            units = 1 if isinstance(module, _ConvTransposeNd) else 0
            norms = torch.linalg.vector_norm(weight, dim=[a for a in range(weight.ndim) if a != units], keepdim=True)
            weight.mul_((largest / norms).clamp(max=1.0))
