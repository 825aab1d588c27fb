"""A recipe, a fitted task and rows in; a trained model out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from orthogon import registry
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds
from orthogon.nn.freeze import head_of
from orthogon.nn.self_normalizing import check_self_normalizing
from orthogon.nn.sync_batch_norm import SyncBatchNorm, synchronized
from orthogon.optim.schedules import Timeline
from orthogon.train.allocator import freed_memory_kept
from orthogon.train.build import build_model, build_sampler, source_hash, starting_model
from orthogon.train.checkpoint import Checkpoints
from orthogon.train.compute import Compute, Workload, compute_of, resolve, resolve_device
from orthogon.train.evaluate import as_rows, predict
from orthogon.train.explicit import resolve_explicit
from orthogon.train.features import on_features, stand_in
from orthogon.train.fit_check import check_loss, check_model
from orthogon.train.goal import Goal
from orthogon.train.memory import is_out_of_memory, out_of_memory
from orthogon.train.observers import Observer
from orthogon.train.optimizer import usual_settings
from orthogon.train.pace import planned_steps, seconds_per_step
from orthogon.train.ranks import Ranks
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.sampler import Sampler
from orthogon.train.settings import TrainSettings
from orthogon.train.snapshots import Snapshots
from orthogon.train.step import GradientStep, Step
from orthogon.train.task import Batch, Task
from orthogon.train.trainer import Trainer
from orthogon.train.transfer import freeze_for, resolve_transfer, transfer_settings


@dataclass(frozen=True)
class Plan:
    """A recipe of which nothing is left open, and what it was decided by.

    reasons: sentences on what was chosen for this hardware. parameters, multiply_adds: of the model, the latter for
    one example forward. learning: how many of the parameters are trained.
    """

    recipe: Recipe
    reasons: tuple[str, ...]
    parameters: int
    learning: int
    multiply_adds: int


@dataclass(frozen=True)
class Fitted:
    """The trained model (the average of weights where one is kept), and how it was trained."""

    model: nn.Module
    plan: Plan
    compute: Compute
    seconds: float
    examples: int


def with_defaults(recipe: Recipe, task: Task, rows: int) -> Recipe:
    """The recipe with the model and the training settings that the task prefers where the user left them open; where it
    starts with weights, those that suit what is to learn of it."""
    recipe, _ = resolve_transfer(recipe, rows, len(task.classes), task.transfer)
    filled: dict[str, Any] = {}
    if recipe.model.name is None:
        name, options = task.default_model()
        filled |= {"model.name": name, "model.options": {**options, **recipe.model.options}}
        recipe = recipe.with_values(filled, where="defaults")
    if recipe.model.head is None and _is_built(str(recipe.model.name)) and (head := task.default_head()) is not None:
        recipe = recipe.with_values({"model.head": head}, where="defaults")
    settings = recipe.train
    defaults = {**task.default_settings(rows), **transfer_settings(settings.transfer, rows)}
    if "optimizer" in settings.model_fields_set and settings.optimizer != defaults.get("optimizer"):
        defaults = {**defaults, **usual_settings(settings.optimizer)}
    chosen = {f"train.{name}": value for name, value in defaults.items()
              if getattr(settings, name) is None or name not in settings.model_fields_set}
    if settings.minutes is not None or settings.steps is not None:
        chosen.pop("train.epochs", None)
    if recipe.model.source_hash is None and (source := source_hash(str(recipe.model.name))):
        chosen["model.source_hash"] = source
    return recipe.with_values(chosen, where="defaults") if chosen else recipe


def _is_built(model: str) -> bool:
    """Whether it names a model, and not a module of the user's own."""
    return model in registry.models or ":" in model


def plan(recipe: Recipe, task: Task, rows: np.ndarray, dev_rows: np.ndarray | None = None, *, tune: bool = False,
         model: nn.Module | None = None) -> Plan:
    """Resolve what is open: defaults, device, precision, layout, threads, and the steps that minutes buy.

    task: fitted, with its data attached on the CPU or on the device. Timing is done on copies: nothing is changed.
    """
    _, chosen_by = resolve_transfer(recipe, len(rows), len(task.classes), task.transfer)
    recipe = with_defaults(recipe, task, len(rows))
    settings = recipe.train
    model = model or build_model(task.spec, recipe.model, settings.seed)
    freeze_for(model, recipe)
    few = task.batch(torch.as_tensor(rows[:2], dtype=torch.int64))
    device = few.inputs[0].device if few.inputs else torch.device("cpu")
    check_model(model.to(device), task, few)
    check_loss(model, task, few)
    Goal.of(task)  # says so where its metric or thresholds are not this task's
    cost = multiply_adds(model, few.inputs) // max(1, min(2, len(rows)))
    trained = [each.numel() for each in model.parameters() if each.requires_grad]
    work = Workload(cost, min(settings.batch_size or 128, len(rows)), any(x.ndim == 4 for x in few.inputs),
                    len(trained), sum(trained))
    settings, reasons = resolve(settings, work)
    if tune:
        from orthogon.train.tune import fastest

        settings, reasons = fastest(settings, recipe.train, lambda s: seconds_per_step(s, task, model, rows))
    if settings.transfer == "features":
        settings = settings.model_copy(update={"precision": "fp32"})  # the head gives what the whole model will
    explicit = resolve_explicit(settings, task, model, few, work)
    settings = settings.model_copy(update={"explicit": explicit})
    sampler = build_sampler(task, rows, settings, torch.device("cpu"))
    reasons = [*chosen_by, *reasons, *check_self_normalizing(model)]
    if settings.steps is None:
        steps = _steps(settings, sampler, task, model, few, rows, dev_rows)
        settings = settings.model_copy(update={"steps": steps})
    reasons += _check_schedule(settings, sampler)
    recipe = recipe.model_copy(update={"train": settings})
    size = sum(each.numel() for each in model.parameters())
    return Plan(recipe, tuple(reasons), size, sum(trained), cost)


def _steps(settings: TrainSettings, sampler: Sampler, task: Task, model: nn.Module, few: Batch, rows: np.ndarray,
           dev_rows: np.ndarray | None) -> int:
    """Where features are stored, the time for them is taken from the minutes, and steps are those of the head alone."""
    if settings.transfer == "features" and settings.minutes is not None:
        both = rows if dev_rows is None else np.concatenate([rows, dev_rows])
        task, model, seconds = stand_in(task, model, few, both)
        needed = seconds * (len(both) + len(rows) * ("flip" in settings.augment)) / 60
        settings = settings.model_copy(update={"minutes": max(0.05 * settings.minutes, settings.minutes - needed)})
    return planned_steps(settings, sampler, task, model, rows, dev_rows)


def _check_schedule(settings: TrainSettings, sampler: Sampler) -> list[str]:
    """Reasons for a person where rate or batch will never change; RecipeError where it cannot be followed."""
    if settings.schedule_table and settings.schedule != "manual":
        raise RecipeError(f"the schedule {settings.schedule} does not read a table", where="train.schedule_table",
                          remedy="Set train.schedule=manual, or leave the table out.")
    told = timeline(settings, sampler.lengths(settings.steps or 1))
    try:
        schedule = registry.schedules.load(settings.schedule)(told)
    except ValueError as error:
        key = "train.schedule_table" if settings.schedule == "manual" else "train.schedule_factor"
        raise RecipeError(str(error), where=key, remedy="`orthogon list schedules` says what each does.") from None
    idle = [why for why in [schedule.never_acts()] if why]
    if settings.batch_growth > 1 and told.epochs <= settings.schedule_epochs:
        idle.append(f"the batch would first grow after epoch {settings.schedule_epochs}, and the run has {told.epochs}")
    return [f"{why}: a smaller train.schedule_epochs lets it act" for why in idle]


def fit(
    plan: Plan, task: Task, data: Dataset, rows: np.ndarray, dev_rows: np.ndarray | None = None, *,
    run: Run | None = None, observers: Sequence[Observer] = (), ranks: Ranks | None = None,
    model: nn.Module | None = None,
) -> Fitted:
    """Train by the plan on `rows` of the attached data; dev rows are looked at after each epoch, never learnt from.

    run:   where checkpoints and metrics go; None: nowhere.
    model: a module of the user's own instead of the named one; it is trained in place.
    """
    ranks = ranks or Ranks()
    compute = compute_of(plan.recipe.train)
    model = _first_model(plan.recipe, task, rows, run, model)
    started = time.monotonic()
    if plan.recipe.train.transfer == "features":
        on_stored, head, alone = on_features(task, model, plan.recipe, rows, dev_rows, compute)
        trained, examples = _train(plan, on_stored, head, data, rows, dev_rows, alone, run, observers, ranks)
        model.set_submodule(head_of(model), trained.head)  # type: ignore[arg-type]
    else:
        model, examples = _train(plan, task, model, data, rows, dev_rows, compute, run, observers, ranks)
    return Fitted(model, plan, compute, time.monotonic() - started, examples)


def _first_model(recipe: Recipe, task: Task, rows: np.ndarray, run: Run | None, module: nn.Module | None) -> nn.Module:
    settings = recipe.train
    if module is None and settings.transfer != "features" and is_begun(run):
        model = build_model(task.spec, recipe.model, settings.seed)  # the checkpoint fills it
    else:
        model = starting_model(task, recipe, rows, module)
    if settings.sync_batch_norm:
        model = synchronized(model)
    freeze_for(model, recipe)  # also of new modules: synchronized norms, a network that a checkpoint will fill
    return model


def _train(
    plan: Plan, task: Task, model: nn.Module, data: Dataset, rows: np.ndarray, dev_rows: np.ndarray | None,
    compute: Compute, run: Run | None, observers: Sequence[Observer], ranks: Ranks,
) -> tuple[nn.Module, int]:
    """The trained model (the average of weights where one is kept), and how many examples it has seen."""
    settings = plan.recipe.train
    sampler = build_sampler(task, rows, settings, compute.device)
    _check_shares(sampler, settings, model, ranks)
    step = task.step(model, settings, compute, timeline(settings, sampler.lengths(settings.steps or 1)), ranks)
    _check_step(step, settings, ranks)
    goal = Goal.of(task)

    def look(dev: np.ndarray) -> dict[str, float]:
        seen = as_rows(task, data, dev, "dev", predict(task, step.evaluation_model(), dev, compute, glance=True))
        return {**goal.values(seen), "loss": task.mean_loss(seen)}

    looking = None if dev_rows is None or not len(dev_rows) else partial(look, dev_rows)
    watching = observers if run is None else [*observers, Snapshots(task, run)]
    trainer = Trainer(
        step, sampler, settings, device=compute.device, evaluate=looking,
        score=goal.score, run=run, ranks=ranks, observers=watching,
        ids=lambda batch: data.ids[sampler.rows_of(batch).cpu().numpy()].tolist(),
    )
    try:
        with compute.in_force(), freed_memory_kept():
            trainer.fit()
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) or not isinstance(step, GradientStep):
            raise
        raise out_of_memory(step, sampler, settings) from error
    return step.evaluation_model(), trainer.examples


def is_begun(run: Run | None) -> bool:
    """Whether there is a sound checkpoint to go on from, so that no weights to start with are needed."""
    return run is not None and Checkpoints(run.path / "checkpoints", report=lambda _: None).load_last() is not None


def _check_step(step: Step, settings: TrainSettings, ranks: Ranks) -> None:
    """What the step says of itself fits what is asked of it."""
    if ranks.world > 1 and not step.rank_aware:
        raise RecipeError(f"{type(step).__name__} cannot share a batch among processes", where="torchrun",
                          remedy="Train in one process.")
    if settings.compile and not step.compilable:
        raise RecipeError(f"the model of {type(step).__name__} cannot be compiled", where="train.compile",
                          remedy="Leave train.compile out.")
    if ranks.world > 1 and settings.transfer in ("features", "gradual"):
        raise RecipeError(f"transfer by {settings.transfer} is trained in one process", where="train.transfer",
                          remedy="Leave torchrun out, or take train.transfer=last or all.")


def _check_shares(sampler: Sampler, settings: TrainSettings, model: nn.Module, ranks: Ranks) -> None:
    """Batch norm on one rank needs two rows at least."""
    if ranks.world == 1 or not any(
        isinstance(module, _BatchNorm) and not isinstance(module, SyncBatchNorm) and module.training
        for module in model.train().modules()
    ):
        return
    lengths = sampler.lengths(settings.steps or 1)
    first = {length: epoch for epoch, length in reversed(list(enumerate(lengths)))}
    smallest = min(len(sampler.batch(epoch, length - 1)) for length, epoch in first.items()) // ranks.world
    if smallest > 1:
        return
    raise RecipeError(
        f"the last batch leaves a rank with {smallest} rows, and batch norm needs two", where="train.batch_size",
        remedy="Set train.sync_batch_norm=true, which takes all ranks together, or another batch size.",
    )


def timeline(settings: TrainSettings, epoch_steps: int | tuple[int, ...]) -> Timeline:
    """What the schedule of these settings is told."""
    default = registry.schedules.load(settings.schedule).default_warmup  # type: ignore[attr-defined]
    warmup = default if settings.warmup is None else settings.warmup
    return Timeline(int(settings.steps or 0), epoch_steps, warmup, settings.schedule_factor, settings.schedule_epochs,
                    settings.schedule_table)


def attach(task: Task, data: Dataset, recipe: Recipe) -> None:
    """Encode the data for the device that the recipe asks for."""
    task.attach(data, resolve_device(recipe.train.device))

