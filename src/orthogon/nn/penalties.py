"""L1 and L2 regularization of weights, as penalties on the cost. They do not touch activations (E56)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.nn.norms import NORM_LAYERS


def penalized_weights(model: nn.Module) -> list[nn.Parameter]:
    """The trainable parameters that penalties are taken of: not biases (row 5.03), nor anything else of one axis, nor
    what belongs to norms. Each once, in the order of `model.parameters()`."""
    spared = {id(own) for module in model.modules() if isinstance(module, NORM_LAYERS) for own in module.parameters()}
    return [each for each in model.parameters() if each.requires_grad and each.ndim > 1 and id(each) not in spared]


def penalty(weights: Sequence[Tensor], l1: float = 0.0, l2: float = 0.0) -> Tensor:
    """l1·Σ|w| + l2/2·Σw², to be added to the mean cost; a differentiable scalar (rows 5.01, 5.02, E6).

    The course writes λ/m for l2 and for l1, m the number of examples. ValueError where l1 or l2 is below 0.
    """
    _check(l1, "l1")
    _check(l2, "l2")
    absolute = sum((each.abs().sum() for each in weights), start=torch.zeros(()))
    squared = sum((each.square().sum() for each in weights), start=torch.zeros(()))
    return l1 * absolute + l2 / 2 * squared


@torch.no_grad()
def add_l2_gradient(weights: Sequence[nn.Parameter], l2: float) -> None:
    """Add l2·w, the gradient of l2/2·Σw², to the gradients, also to those that are None (row 5.01)."""
    _check(l2, "l2")
    for each in weights:
        each.grad = l2 * each if each.grad is None else each.grad.add_(each, alpha=l2)


@torch.no_grad()
def soft_threshold(weights: Sequence[Tensor], amount: float) -> None:
    """w ← sign(w)·max(|w| − amount, 0), in place: the step that l1·Σ|w| asks for, where amount = rate·l1 (row 5.02).

    This is the proximal operator (Daubechies et al. 2004; Parikh & Boyd 2014): the slope ±l1 would make weights jump to
    and fro around zero, this brings unimportant ones to exactly zero and keeps them there. After a plain gradient step
    it descends on the same cost. ValueError where amount is below 0.
    """
    _check(amount, "amount")
    for each in weights:
        each.copy_(F.softshrink(each, amount))


def _check(value: float, name: str) -> None:
    if not value >= 0:
        raise ValueError(f"{name} is {value}; a penalty is at least 0: less would make weights grow without end")
