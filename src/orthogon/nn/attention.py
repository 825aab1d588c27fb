"""Attention of a decoder to what an encoder has read: scores by a small network, or by a product."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Memory(NamedTuple):
    """What may be attended to, the same at every step.

    values: N×S×D. keys: N×S×A, computed from them once. present: bool N×S, False at padding.
    """

    values: Tensor
    keys: Tensor
    present: Tensor


class Attention(nn.Module, ABC):
    """Queries N×Q×H and a memory -> contexts N×Q×D and weights N×Q×S, which add up to 1 over what is present.

    keys: the layer that makes a memory's keys from its values.
    """

    keys: nn.Linear

    def remember(self, values: Tensor, present: Tensor) -> Memory:
        return Memory(values, self.keys(values), present)

    def forward(self, queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        scores = self.scores(queries, memory.keys).masked_fill(~memory.present.unsqueeze(1), -torch.inf)
        weights = scores.softmax(dim=2)
        return weights @ memory.values.to(weights.dtype), weights

    @abstractmethod
    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """N×Q×H and N×S×A -> N×Q×S."""


class BahdanauAttention(Attention):
    """e = vᵀ tanh(W [s, a] + b) (Bahdanau et al. 2015, arXiv:1409.0473; rows 28.14, 36.24, 36.33).

    W in two parts: that of the query s, and, with b, that of the values a.
    """

    def __init__(self, query_size: int, value_size: int, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, size, bias=False)
        self.keys = nn.Linear(value_size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        met = (self.query(queries).unsqueeze(2) + keys.unsqueeze(1)).tanh_()
        return (met @ self.score.weight[0].to(met.dtype))


class DotAttention(Attention):
    """e = sᵀ W a ("general" of Luong et al. 2015, arXiv:1508.04025)."""

    def __init__(self, query_size: int, value_size: int) -> None:
        super().__init__()
        self.keys = nn.Linear(value_size, query_size, bias=False)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        return queries @ keys.transpose(1, 2)
