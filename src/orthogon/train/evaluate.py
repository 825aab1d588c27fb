"""From a model to rows: one per example."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.dataset import Dataset
from orthogon.nn.modes import evaluating
from orthogon.nn.spec import ModelSpec
from orthogon.train.compute import Compute
from orthogon.train.rows import Rows
from orthogon.train.task import Task

AT_ONCE = 32 << 20
"""Bytes of inputs."""

EMBEDDED = 256
"""Numbers that a token becomes, about."""


def predict(
    task: Task, model: nn.Module, rows: np.ndarray, compute: Compute, batch_size: int | None = None,
    glance: bool = False,
) -> dict[str, np.ndarray]:
    """The task's per-example results for those rows of the attached data, in evaluation mode.

    glance: by `Task.glance`, as training looks at dev. batch_size: left out, by the size of an example:
    `examples_at_once`. The mode of every module is as before afterwards, and nothing random is drawn.
    """
    rows = np.asarray(rows)
    order = task.order(rows)
    collected: dict[str, list[Tensor]] = {}
    results_of = task.glance if glance else task.results
    size = min(batch_size or examples_at_once(task.spec), task.most_at_once)
    with compute.in_force(), evaluating(model), compute.precision():
        for chunk in torch.as_tensor(rows[order], dtype=torch.int64).to(compute.device).split(size):
            batch = task.batch(chunk)
            batch = batch._replace(inputs=compute.lay_out(batch.inputs))
            for name, value in results_of(model, batch).items():
                collected.setdefault(name, []).append(value.cpu())
    back = np.argsort(order)
    return task.together({name: _array(torch.cat(parts))[back] for name, parts in collected.items()}, rows)


def examples_at_once(spec: ModelSpec) -> int:
    """How many examples a forward pass takes: as many as 32 MB hold, from 16 to 512.

    A network makes many times that of its inputs: 512 photographs of 224 pixels would be gigabytes, and most of the
    time would go into fetching memory.
    """
    bytes_each = 4 * sum(prod(item.shape) * (EMBEDDED if item.kind == "text" else 1) for item in spec.inputs)
    return min(512, max(16, AT_ONCE // max(1, bytes_each)))


def _array(tensor: Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def evaluate(
    task: Task, model: nn.Module, data: Dataset, rows: np.ndarray, split: str, compute: Compute
) -> Rows:
    """Rows of the model on those rows of the attached data, in float32."""
    return as_rows(task, data, rows, split, predict(task, model, rows, compute.exact()))


def as_rows(task: Task, data: Dataset, rows: np.ndarray, split: str, results: Any) -> Rows:
    """Per-example results, with the targets, ids, groups and sources of their rows."""
    return Rows(
        split=split,
        ids=data.ids[rows],
        values={"target": task.targets(rows), **results},
        classes=task.classes,
        group=None if data.group is None else data.group[rows],
        source=None if data.source is None else data.source[rows],
    )


def metrics_document(task: Task, rows: Rows) -> dict[str, Any]:
    """Metric -> Estimate as plain values, with its direction; of those that the rows have."""
    return {
        metric.name: {**metric.estimate(rows).to_dict(), "higher_is_better": metric.higher_is_better}
        for metric in task.metrics if not metric.needs or rows.get(metric.needs) is not None
    }
