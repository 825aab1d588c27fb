"""Arms of a probe as trainings: the recipe of a run with a remedy's changes, on the data and the split of that run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from orthogon.data.chooser import Chooser
from orthogon.data.dataset import Dataset
from orthogon.data.move import SOURCES, choose_to_move, move_into_training
from orthogon.data.passport import Passport
from orthogon.errors import Interrupted, OrthogonError, RecipeError
from orthogon.strategy.arm_recipe import changed, shortened
from orthogon.strategy.arms import Arm, Measured
from orthogon.train.build import build_task
from orthogon.train.evaluate import evaluate
from orthogon.train.fit import attach, fit, plan
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows

TRAIN_ROWS = 1_000
"""On so many train rows at most an arm's train score is measured."""


@dataclass(frozen=True)
class Base:
    """What the arms start from: the data and split of a run, and its recipe with nothing left open."""

    data: Dataset
    passport: Passport
    recipe: Recipe


def pieces(base: Base, recipe: Recipe) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to train on, rows to score) of each training of an arm; scored together are all rows that the base is.

    With folds, one training for each. Where part of dev moves into training, two: the second trains with another part
    of dev and scores the first, so that no example is scored by a network that saw it (cross-fitting).
    """
    passport, split = base.passport, recipe.split
    if passport.folds:
        return [(parts["train"], parts["dev"]) for parts in map(passport.fold, range(len(passport.folds)))]
    sizes = {part: getattr(split, key) for part, key in SOURCES.items()
             if getattr(split, key) != getattr(base.recipe.split, key)}
    for part in sizes:
        if getattr(base.recipe.split, SOURCES[part]):
            raise RecipeError(f"part of {part} is in training already", where=f"split.{SOURCES[part]}")
    chooser = Chooser.of(base.data, passport.seed, split.by, passport.method["time_column"], split.stratify)
    parts, _ = move_into_training(chooser, passport.parts, sizes, passport.seed)
    train, kept = np.sort(parts["train"]), np.sort(parts["dev"])
    moved = np.setdiff1d(passport.rows("dev"), kept)
    if not len(moved):
        return [(train, kept)]
    others = choose_to_move(chooser, kept, min(len(moved), len(kept)), passport.seed)
    return [(train, kept), (np.union1d(np.setdiff1d(train, moved), others), moved)]


class ArmTraining:
    """Trains one arm after another from one base.

    side_by_side: whether arms are trained in several processes; each then has one thread, and the results are the same
                  however many processes there are.
    """

    def __init__(self, base: Base, side_by_side: bool) -> None:
        self.base, self.side_by_side = base, side_by_side

    def __call__(self, arm: Arm) -> Measured:
        """What the arm gave; what went wrong in it is its result too. Interrupted is passed on."""
        started = time.monotonic()
        try:
            return self._measured(arm)
        except Interrupted:
            raise
        except (OrthogonError, torch.OutOfMemoryError) as error:
            nothing = Rows("dev", np.array([], dtype=str), {name: np.array([]) for name in ("target", "prediction",
                                                                                         "loss")})
            return Measured(nothing, time.monotonic() - started, failure=str(error).splitlines()[0])

    def _measured(self, arm: Arm) -> Measured:
        recipe = changed(self.base.recipe, arm.remedy.changes if arm.remedy else {})
        recipe = recipe.with_values({"train.seed": arm.seed, "train.health": False, **self._length(recipe)})
        if self.side_by_side:
            recipe = recipe.with_values({"train.threads": 1})
        trainings = pieces(self.base, recipe)
        found = [self._trained(recipe, arm.budget, train, scored) for train, scored in trainings]
        rows = Rows.join([rows for rows, _, _ in found])
        as_base = np.concatenate([scored for _, scored in pieces(self.base, self.base.recipe)])
        place = np.argsort(np.concatenate([scored for _, scored in trainings]))
        rows = rows.take(place[np.argsort(np.argsort(as_base))])
        return Measured(rows, sum(seconds for _, seconds, _ in found), float(np.mean([train for *_, train in found])))

    def _length(self, recipe: Recipe) -> dict[str, Any]:
        """The steps of an arm whose recipe counts in minutes: those of the base, in proportion; nothing is timed."""
        given, base = recipe.train, self.base.recipe.train
        if given.minutes is None or given.steps is not None:
            return {}
        if base.minutes is None:
            raise RecipeError("the base counts in epochs, and minutes cannot be compared with them",
                              where="train.minutes", remedy="Try train.epochs instead.")
        return {"train.steps": max(1, round((base.steps or 1) * given.minutes / base.minutes))}

    def _trained(
        self, recipe: Recipe, budget: float, train: np.ndarray, scored: np.ndarray
    ) -> tuple[Rows, float, float]:
        """Rows of the scored examples, seconds of training (of the CPU's time: others may use it too), and the main
        metric on train rows."""
        data = self.base.data
        task = build_task(recipe)
        task.fit(data, train)
        attach(task, data, recipe)
        chosen = shortened(plan(recipe, task, train, scored), budget)
        clock = time.process_time if chosen.recipe.train.device == "cpu" else time.monotonic
        started = clock()
        fitted = fit(chosen, task, data, train, scored if _follows_dev(chosen.recipe) else None)
        seconds = clock() - started
        some = train if len(train) <= TRAIN_ROWS else np.random.default_rng(0).choice(train, TRAIN_ROWS, replace=False)
        on_train = evaluate(task, fitted.model, data, np.sort(some), "train", fitted.compute)
        rows = evaluate(task, fitted.model, data, scored, "dev", fitted.compute)
        return rows, seconds, task.metrics[0].value(on_train)


def _follows_dev(recipe: Recipe) -> bool:
    """Whether training depends on looks at dev."""
    settings = recipe.train
    return settings.early_stopping is not None or settings.keep_best or settings.schedule == "plateau"


def open_training(opening: Callable[[], Base], side_by_side: bool) -> ArmTraining:
    """What each process begins with: the data read, ready to train arms."""
    return ArmTraining(opening(), side_by_side)
