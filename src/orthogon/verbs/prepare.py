"""From a recipe to data that is read, given a target, split, and encoded for a fitted task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from orthogon import registry
from orthogon.data.columns import CategoryColumn
from orthogon.data.corrections import corrected, read_corrections
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.passport import Passport
from orthogon.data.running_text import RunningText
from orthogon.data.split import split
from orthogon.data.windows import Windows
from orthogon.errors import DataError, RecipeError
from orthogon.tasks.infer import as_target, infer_task, labelled_rows
from orthogon.train.build import build_task
from orthogon.train.fit import attach
from orthogon.train.recipe import Recipe
from orthogon.train.task import Task
from orthogon.train.transfer import are_symbols, resolve_transfer, transfer_augment, transfer_smoothing
from orthogon.verbs.sources import read_as


@dataclass(frozen=True)
class Prepared:
    """The data with its target, which example is where, and the recipe with the task named."""

    data: Dataset
    passport: Passport
    recipe: Recipe

    def task(self, rows: np.ndarray) -> Task:
        """The task, fitted on those rows and with the data attached."""
        task = build_task(self.recipe)
        task.fit(self.data, rows)
        attach(task, self.data, self.recipe)
        return task


def prepare(recipe: Recipe, source: Any = None, passport: Path | None = None) -> Prepared:
    """Read, choose target and task, split.

    source:   the data as an object, where it is not named by the recipe.
    passport: a passport.json that was written before: its split is taken, after checking that the data is the same.

    Split, and named by the passport, is the data with its labels as given; corrections follow. So they move no example
    to another part, and a sealed test set stays sealed.
    """
    data = read_as(recipe.data.model_copy(update={"corrections": None}), source)
    data, recipe = with_target(data, recipe)
    windows = windows_of(data, recipe)
    if windows is None:
        data = _as_task_needs(data, recipe)
    else:
        data, recipe = in_blocks(data, recipe, windows), _in_time(recipe, windows)
    if passport is not None and passport.exists():
        chosen = Passport.read(passport, data)
        return Prepared(_mended(data, recipe), chosen, _with_what_suits(recipe, data, chosen))
    if recipe.split.target_source is None and data.target_source is not None:
        recipe = recipe.with_values({"split.target_source": data.target_source}, where="defaults")
    if any(isinstance(column, RunningText) for column in data.columns.values()):
        recipe = _in_order(recipe)
    settings = recipe.split
    chosen = split(
        data, seed=settings.seed, train=settings.train, dev=settings.dev, test=settings.test,
        train_dev=settings.train_dev, by=settings.by, time_column=settings.time_column,
        stratify=settings.stratify and not _task_class(recipe).new_classes,
        target_source=settings.target_source, target_train=settings.target_train, folds=settings.folds,
        move_dev=settings.move_dev, move_reserve=settings.move_reserve, windows=windows,
    )
    return Prepared(_mended(data, recipe), chosen, _with_what_suits(recipe, data, chosen))


def _in_order(recipe: Recipe) -> Recipe:
    """With a split in the order of the text: what stands between two blocks of train tells much of both."""
    if "by" in recipe.split.model_fields_set and recipe.split.by != "order":
        raise RecipeError("the parts of running text follow one another", where="split.by",
                          remedy="Leave it out, or set it to order.")
    return recipe.with_values({"split.by": "order"}, where="defaults")


def _with_what_suits(recipe: Recipe, data: Dataset, passport: Passport) -> Recipe:
    """The changes of pictures that the task prefers, unless told; where pictures are classified by a model with
    weights, changes and smoothing of labels that suit what learns of it."""
    pictures = any(column.kind == "image" for column in data.inputs.values())
    told = "augment" in recipe.train.model_fields_set
    if not told and (preferred := _task_class(recipe).default_augment(data)):
        return recipe.with_values({"train.augment": list(preferred)}, where="defaults")
    if recipe.model.weights is None or recipe.task.name != "classify" or not pictures:
        return recipe
    target = data.target_column()
    names = target.levels if isinstance(target, CategoryColumn) else ()
    way = resolve_transfer(recipe, len(passport.rows("train")), len(names))[0].train.transfer
    suits: dict[str, Any] = {} if told else {"train.augment": transfer_augment(way, are_symbols(names))}
    if "label_smoothing" not in recipe.task.model_fields_set and recipe.task.loss in (None, "cross_entropy"):
        suits["task.label_smoothing"] = transfer_smoothing(way)
    return recipe.with_values(suits, where="defaults")


def _task_class(recipe: Recipe) -> type[Task]:
    return registry.tasks.load(str(recipe.task.name))  # type: ignore[return-value]


def windows_of(data: Dataset, recipe: Recipe) -> Windows | None:
    """How windows lie, where the examples of the task are windows of rows in time."""
    return _task_class(recipe).windows(data, recipe.task)


def _as_task_needs(data: Dataset, recipe: Recipe) -> Dataset:
    """The rows that the task can use; where dev and test are to hold other classes than train, grouped by class."""
    task = _task_class(recipe)
    if not task.needs_target:
        return data
    known = labelled_rows(data)
    data = task.grouped(data.take(known) if len(known) < len(data) else data)
    if not task.new_classes or data.group is not None:
        return data
    column = data.target_column()
    return _of_several(data, column.codes) if isinstance(column, CategoryColumn) else data


def in_blocks(data: Dataset, recipe: Recipe, windows: Windows) -> Dataset:
    """Grouped by block of time: neighboring windows overlap, so that they are on one side, and are drawn together."""
    if data.group is not None:
        raise RecipeError(f"{recipe.task.name} groups rows by blocks of time", where="data.group",
                          remedy="Leave it out; the column that names several series is task.series.")
    steps = int(windows.moments.ticks().max()) + 1
    usual = min(7 * windows.horizon, max(windows.horizon, steps // 100))
    return replace(data, group=windows.blocks(recipe.task.block or usual))


def _in_time(recipe: Recipe, windows: Windows) -> Recipe:
    """With a split by time, in the order in which windows lie."""
    told = recipe.split.model_fields_set
    if "by" in told and recipe.split.by != "time":
        raise RecipeError(f"{recipe.task.name} learns from what came before: its parts follow one another in time",
                          where="split.by", remedy="Leave it out, or set it to time.")
    if recipe.split.time_column not in (None, windows.moments.column):
        raise RecipeError(f"rows are ordered by {windows.moments.column or 'the order in which they come'}",
                          where="split.time_column", remedy="Name the column with task.time.")
    return recipe.with_values({"split.by": "time"}, where="defaults")


def _of_several(data: Dataset, classes: np.ndarray) -> Dataset:
    """Grouped by class, without the examples that are alone with theirs, which is said: nothing can be like them."""
    data = replace(data, group=classes)
    _, codes, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    alone = np.flatnonzero(sizes[codes] == 1)
    if not len(alone):
        return data
    names = ", ".join(data.ids[alone[:3]].tolist()) + (", …" if len(alone) > 3 else "")
    said = Finding("lone-class", "warning", f"{len(alone):,} of {len(sizes):,} classes have one example each; they are "
                   "left out, since nothing can be like them", where=names, remedy="Add more examples of each.")
    kept = data.take(np.flatnonzero(sizes[codes] > 1))
    return replace(kept, findings=(*kept.findings, said))


def _mended(data: Dataset, recipe: Recipe) -> Dataset:
    """With the corrections of labels that the recipe names."""
    path = recipe.data.corrections
    return data if path is None else corrected(data, read_corrections(path), path)


def with_target(data: Dataset, recipe: Recipe) -> tuple[Dataset, Recipe]:
    """The data with the target as the task needs it, and the recipe with target and task named."""
    targets = recipe.data.target if isinstance(recipe.data.target, list) else None
    name = recipe.task.name
    if name is None and data.target is None and {column.kind for column in data.columns.values()} == {"text"}:
        raise DataError("no target column is chosen", where=data.name,
                        remedy=f"Name it with --target; the columns are {', '.join(data.columns)}. To learn what comes "
                        "next in a text: --task language, and of one long text also --set data.running=true.")
    if targets is None and (name is None or _task_class(recipe).needs_target):
        data.target_column()  # says so where none is chosen
        name = name or infer_task(data)
    name = name or "multilabel"
    if data.target is not None or targets is not None:
        data = as_target(data, name, targets)
    return data, recipe.with_values(
        {"task.name": name, "data.target": recipe.data.target or data.target}, where="defaults"
    )
