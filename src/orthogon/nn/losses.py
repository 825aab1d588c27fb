"""Losses per example that torch does not have in this form."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def soft_cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy per example. logits: N×K; target: codes int64 (N,) or probabilities N×K.

    label_smoothing: share of the label spread evenly over the K classes (Szegedy et al. 2016, arXiv:1512.00567).
    """
    return F.cross_entropy(logits, target, reduction="none", label_smoothing=label_smoothing)


def masked_binary_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted sum of sigmoid cross-entropies, and the sum of weights; labels of weight 0 are left out (row 3.09).

    logits, target, weight: N×L. The target may hold anything finite where the weight is 0.
    """
    return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum"), weight.sum()


def regression_errors(prediction: Tensor, target: Tensor, loss: str) -> Tensor:
    """Elementwise "squared", "absolute" or "huber" (delta 1; Huber 1964) error; the shape of the target."""
    if loss == "squared":
        return F.mse_loss(prediction, target, reduction="none")
    if loss == "absolute":
        return F.l1_loss(prediction, target, reduction="none")
    return F.huber_loss(prediction, target, reduction="none")
