"""The loss of a look at dev is that of training: of the same rows one number, though texts differ in length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import helpers_tag
import numpy as np
import pytest
import torch
from helpers_text import dataset

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.running_text import RunningText
from orthogon.train.build import build_model, build_task
from orthogon.train.compute import Workload, prediction_compute
from orthogon.train.evaluate import as_rows, predict
from orthogon.train.fit import fit, plan
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.task import Task

TEXTS = ["a", "b", "abracadabra", "abba", "bar", "barbarabarbarabarbara", "c", "cab"] * 3


def pairs() -> Dataset:
    columns = {"text": TextColumn(TEXTS), "made": TextColumn([text[::-1] + text for text in TEXTS])}
    return Dataset("pairs", dict(columns), "made", np.array([f"{row:02d}" for row in range(len(TEXTS))]))


WORLDS: dict[str, tuple[str, Dataset, dict[str, Any]]] = {
    "language": ("language", dataset(TextColumn(TEXTS)), {"model.options": {"hidden": 6, "layers": 1}}),
    "running text": ("language", dataset(RunningText(TEXTS, np.arange(len(TEXTS)) > 0)),
                     {"model.options": {"hidden": 6, "layers": 1}}),
    "tag": ("tag", helpers_tag.sentences(20), {"model.options": {"hidden": 6}}),
    "tag with a CRF": ("tag", helpers_tag.names(20), {"model.options": {"hidden": 6}}),
    "translate": ("translate", pairs(), {"model.options": {"embedding": 6, "hidden": 6, "dropout": 0.0}}),
}


def made(world: str, weighted: bool = False) -> tuple[Task, Dataset, Recipe]:
    name, data, options = WORLDS[world]
    if weighted:
        data = replace(data, weight=np.random.default_rng(0).uniform(0, 3, len(data)))
    recipe = Recipe().with_values({"task.name": name, "data.target": data.target, "train.threads": 1, **options})
    task = build_task(recipe)
    task.fit(data, np.arange(len(data)))
    task.attach(data, torch.device("cpu"))
    model, _ = task.default_model()
    return task, data, recipe.with_values({"model.name": model})


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("world", WORLDS)
def test_it_is_that_of_the_task_on_the_same_rows(world: str, weighted: bool) -> None:
    task, data, recipe = made(world, weighted)
    model, rows = build_model(task.spec, recipe.model, 0).eval(), np.arange(len(data))
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()  # so that tokens have unlike losses
        parts = [task.loss(model, task.batch(torch.as_tensor(some))).parts[0] for some in np.array_split(rows, 3)]
    expected = sum(float(part.sum) for part in parts) / sum(part.count for part in parts)
    compute = prediction_compute(torch.device("cpu"), "fp32", Workload(1000, 8, False))
    seen = as_rows(task, data, rows, "train", predict(task, model, rows, compute, glance=True))
    assert task.mean_loss(seen) == pytest.approx(expected, rel=1e-5)
    assert float(seen["loss"].mean()) != pytest.approx(expected, rel=1e-3)  # which the mean over texts is not


def test_losses_that_are_not_known_do_not_count() -> None:
    task, _, _ = made("language")

    def mean(*losses: float) -> float:
        return task.mean_loss(Rows("dev", np.array(["a", "b", "c"]), {
            "loss": np.array(losses), "weight": np.array([3.0, 1.0, 0.0])}))
    assert mean(1, 5, np.nan) == mean(1, 5, 9) == 2
    assert mean(np.nan, 5, 7) == 5
    assert np.isnan(mean(np.nan, np.nan, 7))


@pytest.mark.parametrize("world", ["language", "translate"])
def test_a_run_that_learns_nothing_has_no_gap(world: str, tmp_path: Path) -> None:
    task, data, recipe = made(world)
    wanted = recipe.with_values({"train.lr": 1e-12, "train.epochs": 1, "train.batch_size": 8})
    rows, run = np.arange(len(data)), Run.create(wanted, tmp_path)
    fit(plan(wanted, task, rows, rows), task, data, rows, rows, run=run)
    line = next(line for line in run.metrics() if line["event"] == "epoch")
    assert line["dev"]["loss"] == pytest.approx(line["train_loss"], rel=1e-4)
