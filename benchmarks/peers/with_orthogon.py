"""Orthogon, by the path that `og.train` takes: prepare, plan, fit with a run folder and its progress lines.

default: everything resolved by Orthogon (threads, precision, layout, fused). fp32: the same with train.precision=fp32.
As with the peers there is no dev set to look at between epochs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from problem import HIDDEN, SIDES, Clock, Problem, generated, generated_pictures, problem, report

from orthogon.data.dataset import Dataset
from orthogon.data.read import read
from orthogon.tasks.infer import infer_task
from orthogon.train.build import build_task
from orthogon.train.evaluate import predict
from orthogon.train.fit import attach, fit, plan
from orthogon.train.observers import Observer
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.progress import progress


class Ticks(Observer):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch(self, event: dict[str, Any]) -> None:
        self.clock.tick()


def recipe(given: Problem) -> Recipe:
    values: dict[str, Any] = {
        "train.optimizer": "adam", "train.lr": given.lr, "train.weight_decay": 0.0, "train.schedule": given.schedule,
        "train.batch_size": given.batch, "train.epochs": given.epochs, "train.seed": given.seed, "train.device": "cpu",
    }
    if given.suite == "overhead":
        values |= {"model.name": "mlp", "model.options": {"hidden": [HIDDEN]}}
    else:
        values |= {"model.name": given.suite if given.suite in SIDES else "convnet"}
    if given.suite in SIDES:
        values |= {"data.image_size": SIDES[given.suite]}
    if given.variant == "fp32":
        values["train.precision"] = "fp32"
    return Recipe().with_values(values)


def examples(given: Problem) -> tuple[Dataset, np.ndarray]:
    """The data and the rows to train on."""
    if given.suite == "overhead":
        return read(generated(given.rows, given.seed)), np.arange(given.rows)
    if given.suite in SIDES:
        return read(generated_pictures(given.rows, SIDES[given.suite], given.seed)), np.arange(given.rows)
    data = read(given.folder)
    train = np.flatnonzero(data.part == "train")
    return data, train[: given.rows or len(train)]


def main() -> None:
    given = problem()
    data, rows = examples(given)
    asked = recipe(given)
    asked = asked.with_values({"task.name": infer_task(data), "data.target": data.target})
    task = build_task(asked)
    task.fit(data, rows)
    attach(task, data, asked)
    chosen = plan(asked, task, rows)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(chosen.recipe, Path(folder))
        fitted = fit(chosen, task, data, rows, run=run, observers=[*progress(noun="rows"), Ticks(clock)])
    found = None
    if given.test:
        codes = predict(task, fitted.model, np.flatnonzero(data.part == "test"), fitted.compute.exact())["prediction"]
        found = [int(task.classes[code]) for code in codes]
    settings = chosen.recipe.train
    report(clock, given, len(rows), chosen.parameters, found, threads=torch.get_num_threads(),
           precision=settings.precision, channels_last=settings.channels_last, multiply_adds=chosen.multiply_adds)


if __name__ == "__main__":
    main()
