"""Dropout as it was first written, and of sequences. The inverted form (row 5.05) is torch.nn.Dropout."""

from __future__ import annotations

import torch
import torch.nn.functional as F
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


class SequenceDropout(nn.Module):
    """Of N×T×D, by one mask N×1×D: the same units of a sequence are silent from its beginning to its end.

    For what goes into a recurrent layer and what comes out of it (row 5.10): Gal & Ghahramani 2016, arXiv:1512.05287.
    Inverted: what is kept is divided by the share kept, and evaluation masks nothing.
    p: the share that is left out, from 0 to below 1; ValueError outside.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p is {p}; give the share of units to drop, from 0 to below 1")
        self.p = p

    def forward(self, sequences: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return sequences
        return sequences * F.dropout(torch.ones_like(sequences[:, :1]), self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
