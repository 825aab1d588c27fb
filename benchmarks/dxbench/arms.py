"""The arms of a world: trained in this process by Orthogon, each once, scored on dev and on fresh examples."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from dxbench.worlds import World
from orthogon.strategy.arm_recipe import changed, shortened
from orthogon.strategy.arms import Arm, Measured
from orthogon.tasks.classify import Classify
from orthogon.train.evaluate import as_rows, predict
from orthogon.train.fit import fit, plan
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows

FOLDS = 5
CHUNK = 8192
Changes = Mapping[str, Any]


class Outcome(NamedTuple):
    """Of an arm: results on the scored rows, error on fresh examples (NaN for short arms), CPU seconds of training."""

    rows: Rows
    fresh_error: float
    seconds: float


class Lab:
    """Trains what is asked for and keeps it: the levels of n_dev share their arms."""

    def __init__(self, world: World) -> None:
        self.world, self.recipe = world, world.recipe
        self.kept: dict[str, Outcome] = {}
        self.bases: dict[bool, list[float]] = {}
        if world.tried:
            self.recipe = self._best_of(world.tried)

    def _best_of(self, tried: Sequence[dict[str, Any]]) -> Recipe:
        """The recipe that got most of the first 300 of dev right: their dev error is then too good."""
        few = self.world.parts["dev"][:300]
        right = [self.train(self.world.parts["train"], few, changes, changes["train.seed"]).rows["score"].mean()
                 for changes in tried]
        return self.recipe.with_values(tried[int(np.argmax(right))])

    def outcome(self, changes: Changes, budget: float, seed: int, n_dev: int, folds: bool) -> Outcome:
        """One arm on the first `n_dev` of dev; with folds on every train row, by the network that did not see it.

        Where half of dev moves into training, the halves change places, so that all of dev is scored.
        """
        moves_dev = "split.move_dev" in changes
        key = json.dumps([sorted(changes.items()), budget, seed, folds, n_dev if moves_dev else 0])
        if key not in self.kept:
            pieces = self._pieces(changes, n_dev, folds)
            self.kept[key] = _joined([self.train(rows, scored, changes, seed, budget) for rows, scored in pieces])
            if not changes and budget == 1:
                self.bases.setdefault(folds, []).append(self.kept[key].seconds)
        found = self.kept[key]
        return found if folds or moves_dev else found._replace(rows=found.rows.take(np.arange(n_dev)))

    def base_seconds(self, folds: bool) -> float:
        """CPU seconds of the base's arm in full, the mean over its seeds."""
        return float(np.mean(self.bases[folds]))

    def _pieces(self, changes: Changes, n_dev: int, folds: bool) -> list[tuple[np.ndarray, np.ndarray]]:
        train, dev = self.world.parts["train"], self.world.parts["dev"]
        if "split.move_reserve" in changes:
            train = np.concatenate([train, self.world.parts["reserve"]])
        if folds:
            held_out = [train[k::FOLDS] for k in range(FOLDS)]
            return [(np.setdiff1d(train, fold), fold) for fold in held_out]
        if "split.move_dev" in changes:
            halves = dev[:n_dev:2], dev[1:n_dev:2]
            return [(np.concatenate([train, moved]), other) for moved, other in (halves, halves[::-1])]
        return [(train, dev)]

    def train(self, rows: np.ndarray, scored: np.ndarray, changes: Changes, seed: int, budget: float = 1.0) -> Outcome:
        """One network."""
        data, fresh = self.world.data, self.world.parts["test"]
        recipe = changed(self.recipe, {key: value for key, value in changes.items() if key != "train.seed"})
        recipe = recipe.with_values({"train.seed": seed, "train.threads": 1})
        task = Classify(recipe.task, recipe.data)
        task.fit(data, rows)
        task.attach(data, torch.device("cpu"))
        planned = shortened(plan(recipe, task, rows), budget)
        started = time.process_time()
        fitted = fit(planned, task, data, rows)
        seconds = time.process_time() - started
        looked_at = np.concatenate([scored, fresh]) if budget == 1 else scored
        results = predict(task, fitted.model, looked_at, fitted.compute, CHUNK)
        ours = as_rows(task, data, scored, "dev", {name: values[: len(scored)] for name, values in results.items()})
        fresh_error = 1 - float(results["score"][len(scored):].mean()) if budget == 1 else float("nan")
        return Outcome(ours, fresh_error, seconds)


def _joined(pieces: Sequence[Outcome]) -> Outcome:
    """Of several networks that scored different rows: all rows in the order of the data, the mean fresh error."""
    rows = Rows.join([piece.rows for piece in pieces])
    return Outcome(rows.take(np.argsort(rows.ids.astype(np.int64))),
                   float(np.mean([piece.fresh_error for piece in pieces])), sum(piece.seconds for piece in pieces))


class Bench:
    """The `Measure` of a world at one level; `seconds` of CPU that each arm took, in the order of asking.

    What it says to the procedure of time is the expected cost, so that results do not hang on how busy a machine is.
    """

    def __init__(self, lab: Lab, n_dev: int, folds: bool) -> None:
        self.lab, self.n_dev, self.folds = lab, n_dev, folds
        self.seconds: list[float] = []

    def __call__(self, arms: Sequence[Arm]) -> list[Measured]:
        found = [self.lab.outcome(arm.remedy.changes if arm.remedy else {}, arm.budget, arm.seed, self.n_dev,
                                  self.folds) for arm in arms]
        self.seconds += [each.seconds for each in found]
        return [Measured(each.rows, arm.budget * (arm.remedy.cost if arm.remedy else 1.0))
                for arm, each in zip(arms, found)]
