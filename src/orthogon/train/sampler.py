"""Which rows make batch k of epoch e: a pure function of (seed, epoch, k)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
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

    def rows_of(self, batch: Tensor) -> Tensor:
        """Int64 (n,): the rows of the data that a batch is of, where it holds something else."""
        return batch

    def lengths(self, steps: int) -> tuple[int, ...]:
        """How many batches each epoch has, for as many epochs as it takes to make so many steps."""
        found: list[int] = []
        while steps > 0:
            found.append(self.batches(len(found)))
            steps -= found[-1]
        return tuple(found)

    def growing(self, factor: float, every: int) -> Sampler:
        """The same with batches that become `factor` times as large every so many epochs (row 6.11)."""
        raise RecipeError(f"batches of {type(self).__name__} cannot grow", where="train.batch_growth",
                          remedy="Leave train.batch_growth out.")

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

    growth, every: the batch is multiplied by `growth` every so many epochs, until it is the whole set: the noise of the
    gradient falls as it does when the rate is divided instead (row 6.11; Smith et al. 2018, arXiv:1711.00489).
    """

    def __init__(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device | str = "cpu",
                 growth: float = 1.0, every: int = 1) -> None:
        self.rows = torch.as_tensor(rows, dtype=torch.int64)
        self.first_size = min(batch_size, len(self.rows))
        self.seed, self.device, self.growth, self.every = seed, device, growth, every
        self._growths = math.ceil(math.log(len(self.rows) / self.first_size) / math.log(growth)) if growth > 1 else 0
        self._epoch, self._order, self._size, self._count = -1, self.rows, 0, 0

    def growing(self, factor: float, every: int) -> Shuffled:
        return Shuffled(self.rows.numpy(), self.first_size, self.seed, self.device, factor, every)

    def size(self, epoch: int) -> int:
        """Rows of a batch in that epoch."""
        growths = min(epoch // self.every, self._growths)
        return min(round(self.first_size * self.growth**growths), len(self.rows))

    def batches(self, epoch: int) -> int:
        size = self.size(epoch)
        whole, rest = divmod(len(self.rows), size)
        return whole if whole and (rest == 0 or (rest == 1 and size > 1)) else whole + 1

    def order(self, epoch: int) -> Tensor:
        """Int64: the places of the rows in the order in which they are taken."""
        return torch.randperm(len(self.rows), generator=generator(self.seed, "order", epoch))

    def batch(self, epoch: int, k: int) -> Tensor:
        if epoch != self._epoch:
            self._size, self._count = self.size(epoch), self.batches(epoch)
            self._epoch, self._order = epoch, self.rows[self.order(epoch)].to(self.device)
        start = k * self._size
        return self._order[start:] if k == self._count - 1 else self._order[start : start + self._size]


class Bucketed(Shuffled):
    """Every row once an epoch, rows of like length together, so that little is spent on padding.

    lengths: int (n,), of each row. In a new order each time: the rows are shuffled, sorted by length within pools of
    100 batches, and the batches shuffled again, but for the last one.
    """

    POOL = 100

    def __init__(self, rows: np.ndarray, lengths: np.ndarray, batch_size: int, seed: int,
                 device: torch.device | str = "cpu", growth: float = 1.0, every: int = 1) -> None:
        super().__init__(rows, batch_size, seed, device, growth, every)
        self.row_lengths = torch.as_tensor(lengths, dtype=torch.int64)
        if self.row_lengths.shape != self.rows.shape:
            raise ValueError(f"{len(self.row_lengths)} lengths for {len(self.rows)} rows")

    def growing(self, factor: float, every: int) -> Bucketed:
        return Bucketed(self.rows.numpy(), self.row_lengths.numpy(), self.first_size, self.seed, self.device, factor,
                        every)

    def order(self, epoch: int) -> Tensor:
        shuffled, size = super().order(epoch), self.size(epoch)
        pool = torch.arange(len(shuffled)) // (size * self.POOL)
        by_length = torch.argsort(self.row_lengths[shuffled], stable=True)
        shuffled = shuffled[by_length[torch.argsort(pool[by_length], stable=True)]]
        whole = self.batches(epoch) - 1
        batches = torch.randperm(whole, generator=generator(self.seed, "buckets", epoch))
        return torch.cat([shuffled[: whole * size].view(whole, size)[batches].flatten(), shuffled[whole * size :]])


class Streams(Sampler):
    """Running text as parallel streams, each read on from batch to batch, for truncated back-propagation (row 24.05).

    rows: whose tokens, one row after the other, are the text. lengths: int (n,), tokens of each row. width: places of
    a row in storage. streams: S of them, which begin S equal parts of the text apart. steps: T.
    A batch is int64 S×(T+1): places row·width + offset of T tokens and of the one after them. Streams go on over the
    epochs, and behind the end of the text at its beginning: an epoch has as many batches as it takes to read about as
    many tokens as there are. Where the text is short there are fewer streams, then fewer steps.
    """

    def __init__(self, rows: np.ndarray, lengths: np.ndarray, width: int, streams: int, steps: int,
                 device: torch.device | str = "cpu") -> None:
        self.rows, self.width, self.device = torch.as_tensor(rows, dtype=torch.int64), width, device
        ends = torch.as_tensor(lengths, dtype=torch.int64).cumsum(0)
        self._starts, self._ends, self.tokens = ends - torch.as_tensor(lengths), ends, int(ends[-1])
        self.steps = max(1, min(steps, self.tokens - 1))
        self.streams = max(1, min(streams, self.tokens // self.steps))

    def batches(self, epoch: int) -> int:
        return max(1, self.tokens // (self.streams * self.steps))

    def batch(self, epoch: int, k: int) -> Tensor:
        read = (epoch * self.batches(epoch) + k) * self.steps
        first = torch.arange(self.streams) * (self.tokens // self.streams) + read
        place = (first.unsqueeze(1) + torch.arange(self.steps + 1)) % self.tokens
        row = torch.searchsorted(self._ends, place, right=True)
        return (self.rows[row] * self.width + place - self._starts[row]).to(self.device)

    def rows_of(self, batch: Tensor) -> Tensor:
        return batch[:, 0] // self.width


class Nothing(Sampler):
    """For tasks without examples (an image that is optimized): batches of no rows."""

    def __init__(self, batches: int) -> None:
        self._batches = batches

    def batches(self, epoch: int) -> int:
        return self._batches

    def batch(self, epoch: int, k: int) -> Tensor:
        return torch.empty(0, dtype=torch.int64)
