"""Small data, tasks and trainers that the tests of train/ share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.train.build import build_task
from orthogon.train.fit import Fitted, attach, fit, plan
from orthogon.train.observers import Observer
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.task import Task

DEVICE = os.environ.get("ORTHOGON_TEST_DEVICE", "cpu")
"""Where the tests of train/ train; set it to cuda to run them on a GPU."""


def blobs(n: int = 203, width: int = 6, classes: int = 3, seed: int = 0) -> Dataset:
    """Gaussian clouds, one per class, overlapping a little."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    centers = rng.normal(size=(classes, width)) * 1.5
    features = centers[label] + rng.normal(size=(n, width))
    return Dataset(
        name="blobs",
        columns={"x": NumberColumn(features, [f"x{i}" for i in range(width)]),
                 "label": CategoryColumn(label, [f"class {i}" for i in range(classes)])},
        target="label", ids=np.array([f"row {i}" for i in range(n)]),
    )


def recipe(**values: Any) -> Recipe:
    """A quick recipe on blobs; `train__lr=1` sets `train.lr`."""
    flat = {"task.name": "classify", "model.name": "mlp", "model.options": {"hidden": [8]}, "train.epochs": 3,
            "train.batch_size": 16, "train.lr": 0.01, "train.threads": 1, "train.device": DEVICE,
            "train.deterministic": DEVICE != "cpu"}
    return Recipe().with_values(flat | {key.replace("__", "."): value for key, value in values.items()})


def trained(
    wanted: Recipe, data: Dataset | None = None, *, run: Run | None = None, model: nn.Module | None = None,
    observers: tuple[Observer, ...] = (), dev: int = 40,
) -> tuple[Fitted, Task]:
    """Trained on all rows but the last `dev`."""
    data = data or blobs()
    rows, dev_rows = np.arange(len(data) - dev), np.arange(len(data) - dev, len(data))
    task = build_task(wanted)
    task.fit(data, rows)
    attach(task, data, wanted)
    chosen = plan(wanted, task, rows, dev_rows, model=model)
    return fit(chosen, task, data, rows, dev_rows, run=run, observers=observers, model=model), task


def new_run(folder: Path, wanted: Recipe, name: str = "run") -> Run:
    return Run.create(wanted, folder, name)


def weights(fitted: Fitted) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in fitted.model.state_dict().items()}


def assert_same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name
