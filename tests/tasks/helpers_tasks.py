"""Small data and rows that the tests of tasks/ share."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from orthogon.data.columns import CategoryColumn, Column, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.nn.models import linear
from orthogon.train.rows import Rows
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Task

CPU = torch.device("cpu")


def table(target: Column, seed: int = 0, **more: Any) -> Dataset:
    """Three numbers and a category beside the target column "y"."""
    draw, count = np.random.default_rng(seed), len(target)
    columns = {"x": NumberColumn(draw.normal(size=(count, 3))), "k": CategoryColumn(draw.integers(0, 3, count), "abc"),
               "y": target}
    return Dataset("table", columns, "y", np.array([f"r{i}" for i in range(count)]), **more)


def ready(sort: type[Task], data: Dataset, rows: np.ndarray | None = None, **settings: Any) -> Task:
    """A task that is fitted (on all rows by default) and attached."""
    task = sort(TaskSettings(**settings), DataSettings())
    task.fit(data, np.arange(len(data)) if rows is None else rows)
    task.attach(data, CPU)
    return task


def network(task: Task, double: bool = False) -> torch.nn.Module:
    torch.manual_seed(0)
    net = linear(task.spec)
    torch.nn.init.normal_(net.output.weight, std=1.0)  # pyright: ignore
    return net.double() if double else net


def every_row(task: Task, data: Dataset, **more: Any) -> tuple[Rows, torch.nn.Module]:
    """The rows of an untrained network on all examples."""
    net, index = network(task), np.arange(len(data))
    with torch.no_grad():
        results = task.results(net, task.batch(torch.from_numpy(index)))
    values = {name: value.numpy() for name, value in results.items()}
    return Rows("dev", data.ids, {**values, "target": task.targets(index)}, task.classes, **more), net


def loss_of(task: Task, net: torch.nn.Module, rows: list[int]) -> tuple[float, float]:
    """Sum and count of the loss; the count is what `counts` says."""
    batch = task.batch(torch.tensor(rows))
    part = task.loss(net, batch).parts[0]
    assert task.counts(batch) == {part.name: part.count}
    return part.sum.item(), part.count
