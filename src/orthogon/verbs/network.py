"""A trained network without a run folder: fitted on columns, and able to predict, to be copied and to be pickled."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.columns import Column
from orthogon.data.dataset import Dataset
from orthogon.data.readers.options import row_ids
from orthogon.train.build import build_model, build_task
from orthogon.train.compute import compute_of
from orthogon.train.evaluate import predict
from orthogon.train.fit import attach, fit, plan, with_defaults
from orthogon.train.recipe import Recipe

LEAST_STEPS = 120
"""Steps for which small data is trained at least, when the number of epochs is left open."""


class Network:
    """A fitted task and its model.

    recipe: resolved. state: of the task. steps: how long it was trained. Pickled as plain values and safetensors.
    """

    def __init__(self, recipe: Recipe, state: Mapping[str, Any], model: nn.Module) -> None:
        self.recipe, self.state, self.model = recipe, dict(state), model

    @property
    def steps(self) -> int:
        return int(self.recipe.train.steps or 0)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.state.get("classes", ()))

    def results(self, columns: Mapping[str, Column]) -> dict[str, np.ndarray]:
        """The task's results for new rows of the columns that it was fitted on."""
        task = build_task(self.recipe)
        task.load_state(self.state)
        data = _dataset(columns, None)
        with _threads_kept():
            attach(task, data, self.recipe)
            compute = compute_of(self.recipe.train).exact()
            model = self.model if compute.device.type == "mps" else _InDouble(self.model)
            return predict(task, model, np.arange(len(data)), compute)

    def __getstate__(self) -> dict[str, Any]:
        from safetensors.torch import save

        weights = {name: value.detach().cpu().contiguous() for name, value in self.model.state_dict().items()}
        return {"recipe": self.recipe.model_dump(), "state": self.state, "weights": save(weights)}

    def __setstate__(self, saved: Mapping[str, Any]) -> None:
        from safetensors.torch import load

        self.recipe, self.state = Recipe.from_dict(saved["recipe"]), dict(saved["state"])
        task = build_task(self.recipe)
        task.load_state(self.state)
        self.model = build_model(task.spec, self.recipe.model, self.recipe.train.seed)
        self.model.load_state_dict(load(saved["weights"]))
        self.model = compute_of(self.recipe.train).place(self.model)


class _InDouble(nn.Module):
    """The model in double precision: what a row gets then does not depend on the rows beside it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).double()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.model(*(each.double() if each.is_floating_point() else each for each in inputs))


def train_network(
    task_name: str, columns: Mapping[str, Column], target: tuple[str, Column], weight: np.ndarray | None,
    settings: Mapping[str, Any],
) -> Network:
    """Train on all rows. target: its name and column. settings: flat keys of the recipe; None = left open.

    DataError and RecipeError where they do not fit. Threads and random state of the process are as before.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    recipe = Recipe().with_values({"task.name": task_name, "data.target": target[0], **given}, where="estimator")
    data = _dataset({**columns, target[0]: target[1]}, target[0], weight)
    rows = np.arange(len(data))
    task = build_task(recipe)
    with _threads_kept():
        task.fit(data, rows)
        attach(task, data, recipe)
        settled = _long_enough(with_defaults(recipe, task, len(rows)), given, len(rows))
        fitted = fit(plan(settled, task, rows), task, data, rows)
    return Network(fitted.plan.recipe, task.state(), fitted.model)


def _long_enough(recipe: Recipe, given: Mapping[str, Any], rows: int) -> Recipe:
    settings = recipe.train
    if any(key in given for key in ("train.epochs", "train.steps", "train.minutes")) or settings.epochs is None:
        return recipe
    steps = -(-rows // (settings.batch_size or rows))
    return recipe.with_values({"train.epochs": max(settings.epochs, -(-LEAST_STEPS // steps))})


def _dataset(columns: Mapping[str, Column], target: str | None, weight: np.ndarray | None = None) -> Dataset:
    count = len(next(iter(columns.values())))
    return Dataset("arrays", dict(columns), target, row_ids(count), weight=weight)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Training chooses its own number of threads; afterwards the process has the one it had."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
