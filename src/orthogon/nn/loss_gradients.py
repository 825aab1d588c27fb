"""Losses with their gradient in the outputs, in closed form: what a backward pass without autograd starts from.

Each gives the sum over the batch, a scalar, and the gradient of that sum, in the shape of the outputs.
`equations.losses` is the same in NumPy.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def softmax_cross_entropy(
    logits: Tensor, target: Tensor, weight: Tensor | None = None, label_smoothing: float = 0.0
) -> tuple[Tensor, Tensor]:
    """L = −Σ_j y_j log ŷ_j, dz = ŷ − y (rows 3.03, 3.05).

    logits: N×K. target: codes int64 (N,), or probabilities N×K whose rows sum to 1. weight: (N,), or None = all 1.
    label_smoothing: share of the label spread evenly over the K classes (Szegedy et al. 2016, arXiv:1512.00567).
    """
    logged = F.log_softmax(logits, dim=1)
    target = target if target.ndim == 1 else target.to(logits.dtype)
    if target.ndim == 1 and not label_smoothing:
        each = F.nll_loss(logged, target, reduction="none")
        gradient = logged.exp_()
        gradient.scatter_add_(1, target.unsqueeze(1), gradient.new_full((len(target), 1), -1.0))
    else:
        wanted = target if target.ndim == 2 else F.one_hot(target, logits.shape[1]).to(logits.dtype)
        wanted = torch.lerp(wanted, torch.full_like(wanted, 1 / logits.shape[1]), label_smoothing)
        each = -(wanted * logged).sum(1)
        gradient = logged.exp_().sub_(wanted)
    if weight is None:
        return each.sum(), gradient
    weight = weight.to(logits.dtype)
    return torch.dot(each, weight), gradient.mul_(weight.unsqueeze(1))


@torch.no_grad()
def sigmoid_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """L = −[y log σ(z) + (1 − y) log(1 − σ(z))], dz = σ(z) − y; entries of weight 0 are left out (rows 3.01, 3.09).

    logits, target, weight: N×L.
    """
    target, weight = target.to(logits.dtype), weight.to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    return loss, torch.sigmoid(logits).sub_(target).mul_(weight)


@torch.no_grad()
def squared_error(outputs: Tensor, target: Tensor, weight: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """L = (ŷ − y)², dŷ = 2 (ŷ − y) (row 3.07). outputs, target: N×D. weight: a number, or what broadcasts to them."""
    difference = outputs - target
    weighted = difference * weight
    return torch.sum(weighted * difference), 2 * weighted
