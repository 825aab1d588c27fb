"""Dropout as it was first written. The inverted form (row 5.05) is torch.nn.Dropout."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class OriginalDropout(nn.Module):
    """Units are dropped in training and all are scaled by 1 − p in evaluation (row 5.06).

    Srivastava et al. 2014, JMLR 15: the expectation of what a unit passes on is the same in both modes. The inverted
    form divides by 1 − p in training instead, and leaves evaluation alone (E13): it gives this over 1 − p, always.
    p: the share of units that is dropped, from 0 to below 1; ValueError outside.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p is {p}; give the share of units to drop, from 0 to below 1")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        keep = 1 - self.p
        return input * torch.bernoulli(torch.full_like(input, keep)) if self.training else input * keep

    def extra_repr(self) -> str:
        return f"p={self.p}"
