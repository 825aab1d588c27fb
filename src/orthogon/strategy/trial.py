"""What the checks before training try things on: copies of a model, and batches of its train rows."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.train.compute import compute_of
from orthogon.train.randomness import PreservedRandomness, generator, key
from orthogon.train.settings import TrainSettings
from orthogon.train.task import Batch, Task

FEW = 4
"""Examples that are enough to tell whether a batch takes long."""


class Trial:
    """A task, a model and train rows. Each model that it hands out is a copy, and batches are not augmented.

    settings: resolved. seconds: what one check may take where it can choose.
    rows:     int64, the train rows in an order of their own.
    """

    def __init__(self, task: Task, model: nn.Module, settings: TrainSettings, rows: np.ndarray) -> None:
        self.task, self.settings, self.compute = task, settings, compute_of(settings)
        self.seconds = 4.0
        order = torch.randperm(len(rows), generator=generator(settings.seed, "preflight"))
        self.rows = torch.as_tensor(rows, dtype=torch.int64)[order]
        self._model = model

    @property
    def batch_size(self) -> int:
        return min(self.settings.batch_size or 128, len(self.rows))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Threads as in training, and random numbers of its own; afterwards both are as they were."""
        with self.compute.in_force(), PreservedRandomness(self.compute.device):
            torch.default_generator.manual_seed(key(self.settings.seed, "preflight"))
            yield

    def copy(self) -> nn.Module:
        """A copy of the model on the device, in training mode."""
        return self.compute.place(copy.deepcopy(self._model)).train()

    def batch(self, count: int) -> Batch:
        """The first examples, at most `count`, and no more than memory allows."""
        return self.gather(self.rows[: min(count, self.task.most_at_once)])

    def gather(self, rows: Tensor) -> Batch:
        found = self.task.batch(rows.to(self.compute.device))
        return found._replace(inputs=self.compute.lay_out(found.inputs))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """The mean loss that a step would go down: Σ weight × sum / count over the parts."""
        parts = self.task.loss(model, batch).parts
        return torch.stack([part.weight * part.sum / max(part.count, 1e-12) for part in parts]).sum()

    def outputs(self, model: nn.Module, batch: Batch) -> Any:
        with torch.no_grad():
            return model(*batch.inputs)

    def step_seconds(self) -> float:
        """How long a gradient takes on a batch of the recipe's size: the second one, or, where a few examples show
        that it would take over a second, what follows from these."""
        model = self.copy()
        few = min(FEW, self.batch_size)
        guessed = self._gradient_seconds(model, few) * self.batch_size / few
        if guessed > 1.0:
            return guessed
        self._gradient_seconds(model, self.batch_size)
        return self._gradient_seconds(model, self.batch_size)

    def _gradient_seconds(self, model: nn.Module, count: int) -> float:
        batch = self.batch(count)
        started = time.perf_counter()
        loss = self.loss(model, batch)
        if loss.requires_grad:
            loss.backward()
        return time.perf_counter() - started


class Fixed(nn.Module):
    """Gives the same outputs whatever it is given: those of each example, or the same for all.

    outputs: N×…, or 1×….
    """

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, first: Tensor, *inputs: Tensor) -> Tensor:
        return self.outputs.expand(len(first), *self.outputs.shape[1:])
