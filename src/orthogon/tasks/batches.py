"""The rows of a task a few at a time, for what counts them or looks them up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from orthogon.train.task import Batch, Task


def batches(task: Task, rows: np.ndarray, size: int = 512) -> Iterator[Batch]:
    """Batches of at most `size` rows in their order, each made when it is asked for, as all together may be too large.
    """
    for chunk in torch.as_tensor(np.asarray(rows), dtype=torch.int64).split(size):
        yield task.batch(chunk)
