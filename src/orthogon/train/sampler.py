"""Which rows make batch k of epoch e: a pure function of (seed, epoch, k)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.train.randomness import generator


class Sampler(ABC):
    """The batches of an epoch, for all ranks together.

    learnt: whether batches depend on what was learnt (replay, mined negatives). Such a sampler owns a state that is
    checkpointed, and resuming is exact at the boundaries that it states.
    """

    learnt: ClassVar[bool] = False

    @abstractmethod
    def batches(self, epoch: int) -> int:
        """How many batches epoch `epoch` has."""

    @abstractmethod
    def batch(self, epoch: int, k: int) -> Tensor:
        """Int64: the rows of global batch k. What is in it is the task's affair; the Trainer does not look."""

    def share(self, rows: Tensor, rank: int, world: int) -> Tensor:
        """The part of a global batch that one rank takes."""
        return rows.tensor_split(world)[rank]

    def watch(self, model: nn.Module) -> None:  # noqa: B027 - only samplers that are `learnt` look
        """Given the model before training starts, where batches depend on what was learnt."""

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - most samplers have no state
        pass


class Shuffled(Sampler):
    """Every row once an epoch, in a new order each time.

    A last batch of a single row joins the one before it: batch statistics of one row do not exist.
    """

    def __init__(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device | str = "cpu") -> None:
        self.rows = torch.as_tensor(rows, dtype=torch.int64)
        self.size = min(batch_size, len(self.rows))
        self.seed, self.device = seed, device
        self._epoch, self._order = -1, self.rows
        whole, rest = divmod(len(self.rows), self.size)
        self._count = whole if whole and (rest == 0 or (rest == 1 and self.size > 1)) else whole + 1

    def batches(self, epoch: int) -> int:
        return self._count

    def batch(self, epoch: int, k: int) -> Tensor:
        if epoch != self._epoch:
            order = torch.randperm(len(self.rows), generator=generator(self.seed, "order", epoch))
            self._epoch, self._order = epoch, self.rows[order].to(self.device)
        start = k * self.size
        return self._order[start:] if k == self._count - 1 else self._order[start : start + self.size]


class Nothing(Sampler):
    """For tasks without examples (an image that is optimized): batches of no rows."""

    def __init__(self, batches: int) -> None:
        self._batches = batches

    def batches(self, epoch: int) -> int:
        return self._batches

    def batch(self, epoch: int, k: int) -> Tensor:
        return torch.empty(0, dtype=torch.int64)
