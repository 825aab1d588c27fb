"""Held-out probabilities of every example: folds of a run's recipe, each kept as it ends, so that a stop loses one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.strategy.labels import check_held_out
from orthogon.train.evaluate import evaluate
from orthogon.train.fit import fit, plan
from orthogon.train.observers import Observer
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.verbs.console import Console
from orthogon.verbs.prepare import Prepared

FOLDS = 5

LENGTH = 0.5
"""Of the run's epochs: what is learnt last are labels that nothing else speaks for, the wrong ones among them."""


@dataclass(frozen=True)
class OutOfFold:
    """What is held out in turn.

    data:    the examples, without parts. recipe: the run's, resolved. trained: how many examples the run learnt from.
    store:   a folder where the rows of each fold are kept; a fold that is there is read, not trained again.
    """

    data: Dataset
    recipe: Recipe
    trained: int
    store: Run

    def rows(self, repeat: int, console: Console, watching: Sequence[Observer] = ()) -> Rows:
        """Rows of all examples, each from a network that has not seen it; other folds and seed in each repeat."""
        chosen = self.recipe.split
        passport = split(self.data, seed=chosen.seed + repeat, test=0, stratify=chosen.stratify, folds=FOLDS)
        pieces = []
        for k in range(FOLDS):
            name, parts = f"{len(self.data)}-{repeat + 1}-{k + 1}", passport.fold(k)
            if name not in self.store.evaluations():
                console.line("fold", f"{k + 1} of {FOLDS}, round {repeat + 1}: {len(parts['train']):,} to train on, "
                             f"{len(parts['dev']):,} held out")
                rows = self._fold(Prepared(self.data, passport, self._recipe(repeat, len(parts["train"]))), parts,
                                  watching)
                self.store.write_evaluation(name, rows, {"model": "fold"})
            pieces.append(self.store.rows(name))
        return Rows.join(pieces)

    def _fold(self, prepared: Prepared, parts: dict[str, np.ndarray], watching: Sequence[Observer]) -> Rows:
        task = prepared.task(parts["train"])
        fitted = fit(plan(prepared.recipe, task, parts["train"]), task, self.data, parts["train"], observers=watching)
        rows = evaluate(task, fitted.model, self.data, parts["dev"], "out-of-fold", fitted.compute)
        check_held_out(rows, self.data.ids[parts["train"]].tolist())
        return rows

    def _recipe(self, repeat: int, rows: int) -> Recipe:
        """The run's, shorter, without a dev set to look at; moved pictures are not so soon known by heart, where what
        learns does not do it on stored features."""
        settings = self.recipe.train
        steps = max(1, round(LENGTH * (settings.steps or 1) * rows / self.trained))
        pictures = self.recipe.model.name not in ("linear", "mlp") and not settings.augment
        pictures = pictures and settings.transfer != "features"
        return self.recipe.with_values({
            "train.steps": steps, "train.seed": settings.seed + repeat, "train.early_stopping": None,
            "train.keep_best": False, "train.refit": False, "train.health": False, "train.preflight": False,
            **({"train.augment": ["shift"]} if pictures else {}),
        }, where="labels")
