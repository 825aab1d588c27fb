"""What a segmentation costs, picture by picture: cross-entropy over pixels, and Dice over the classes of a mask."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from orthogon.data.masks import IGNORE


class Truth(NamedTuple):
    """Masks of a batch.

    codes: int64 (n, H, W), IGNORE where nothing is known. known: bool (n, H, W).
    """

    codes: Tensor
    known: Tensor


def class_counts(codes: Tensor, classes: int) -> Tensor:
    """Int64 (n, K): how many pixels of each mask (n, H, W) are of each class; other codes, up to 255, count nowhere."""
    first = torch.arange(len(codes), device=codes.device).view(-1, 1, 1) * (IGNORE + 1)
    found = torch.bincount((codes + first).flatten(), minlength=len(codes) * (IGNORE + 1))
    return found.view(len(codes), IGNORE + 1)[:, :classes]


def pixel_entropy(logged: Tensor, truth: Truth, weights: Tensor | None = None) -> Tensor:
    """(n,): the sum over the known pixels of each picture of −log p of the true class, times its weight.

    logged: log probabilities (n, K, H, W). weights: (K,).
    """
    weights = None if weights is None else weights.to(logged.dtype)
    return F.nll_loss(logged, truth.codes, weights, ignore_index=IGNORE, reduction="none").flatten(1).sum(1)


def dice_loss(logged: Tensor, truth: Truth) -> Tensor:
    """(n,): 1 − the mean over the classes in each mask of 2 Σ p t / (Σ p + Σ t), over known pixels; 0 where none is."""
    classes = torch.arange(logged.shape[1], device=logged.device).view(-1, 1, 1)
    true = truth.codes.unsqueeze(1) == classes
    probabilities = logged.exp() * truth.known.unsqueeze(1)
    shared, size = (probabilities * true).sum((2, 3)), true.sum((2, 3))
    dice = 2 * shared / (probabilities.sum((2, 3)) + size).clamp(min=1e-12)
    present = size > 0
    return ((1 - dice) * present).sum(1) / present.sum(1).clamp(min=1)
