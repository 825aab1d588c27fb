"""`learning-curve`: train on ever more of the examples, and say what twice as many would buy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orthogon.errors import RecipeError, RunError
from orthogon.files import write_atomically
from orthogon.train.run import Run
from orthogon.verbs.compose import IN_MEMORY

if TYPE_CHECKING:
    from orthogon.strategy.learning_curve import LearningCurve
    from orthogon.train.rows import Rows
    from orthogon.verbs.prepare import Prepared

FOLDER = "learning-curve"
LEARNT = 2_000
"""The error on the examples learnt is measured on so many of them at most."""


class Job(NamedTuple):
    """One training: on how many examples, in which draw."""

    size: int
    draw: int

    def path(self, run: Run) -> Path:
        """The file of its dev rows; beside it a .json with the rest, written last."""
        return run.path / FOLDER / f"{self.size}-{self.draw}.parquet"


def learning_curve(
    run: str | Path | Run = "last", *, points: int = 4, repeats: int = 3, processes: int | None = None,
    root: str | Path = "runs", quiet: bool = True,
) -> LearningCurve:
    """The error on dev after training on m/8, m/4, m/2 and m examples, and a forecast for 2m.

    points:  sizes, each half the next. repeats: draws of nested, stratified subsets, each with a seed of its own.
    processes: side by side; default: one per core, on a GPU one.
    Every training takes as many steps as the run's own, so that a small set is not merely trained for a shorter time;
    all are scored on the same dev examples (of folds: on one fold for each draw). What is trained is kept in
    RUN/learning-curve, so that a stopped one goes on. Writes the evidence "learning-curve" and the report.
    """
    if points < 3 or repeats < 2:
        raise RecipeError(f"{points} points and {repeats} repeats are too few to see a curve", where="learning-curve",
                          remedy="Give at least 3 points and 2 repeats.")
    found = Run.open(run, root)
    recipe = found.recipe()
    found.refuse_foreign("There is no network to train anew")
    if recipe.data.source == IN_MEMORY or str(recipe.model.name).startswith(IN_MEMORY):
        raise RunError("its data or model was given in memory and cannot be read again", where=str(found.path),
                       remedy="Train from a file, with a model of a name or file.py:Class.")
    from orthogon.verbs.task_of import metric_of

    judge = metric_of(found)
    if not judge.bounded:
        raise RunError(f"a curve says how an error falls towards 0, and {judge.name} has no best value",
                       where=str(found.path), remedy="Train with another one: --set task.metric=…, of "
                       "`orthogon list metrics`.")
    from orthogon.report.report import write as write_report
    from orthogon.strategy.learning_curve import curve_sizes
    from orthogon.strategy.learning_curve import learning_curve as fitted
    from orthogon.train.launch import Workers, cores

    prepared = _prepared(found)
    rows = _part(prepared, 0)[0]
    sizes = curve_sizes(len(rows), points)
    jobs = [Job(size, draw) for size in sizes for draw in range(repeats)]
    (found.path / FOLDER).mkdir(exist_ok=True)
    open_jobs = [job for job in jobs if not job.path(found).with_suffix(".json").exists()]
    on_gpu = recipe.train.device not in ("cpu", "auto")
    processes = processes or (1 if on_gpu else min(cores(), len(open_jobs) or 1))
    started = time.monotonic()
    with Workers(partial(_opening, found.path), processes) as workers:
        for done, _ in enumerate(workers.results(open_jobs), 1):
            if not quiet:
                left = (time.monotonic() - started) / done * (len(open_jobs) - done)
                print(f"training {done} of {len(open_jobs)}, about {left:.0f} s left", flush=True)
    task = prepared.task(rows)
    measured = {size: [_read(found, Job(size, draw), task.classes) for draw in range(repeats)] for size in sizes}
    curve = fitted(measured, task.metrics[0])
    found.write_evidence(FOLDER, curve.to_dict())
    write_report(found)
    return curve


def _prepared(run: Run) -> Prepared:
    from orthogon.verbs.prepare import prepare

    return prepare(run.recipe(), None, run.path / "passport.json")


def _part(prepared: Prepared, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Train and dev rows of a draw; of folds one fold after another."""
    passport = prepared.passport
    parts = passport.fold(draw % len(passport.folds)) if passport.folds else passport.parts
    if not len(parts.get("dev", ())):
        raise RunError("there is no dev set to score on", where="learning-curve", remedy="Train with dev, or --folds.")
    return parts["train"], parts["dev"]


def _opening(path: Path) -> Callable[[Job], None]:
    """What a process does first: read the data once. Then it does one job after another."""
    run = Run(path)
    return partial(_train, run, _prepared(run))


def _train(run: Run, prepared: Prepared, job: Job) -> None:
    """One job, kept in its files."""
    scored, train = train_on_subset(prepared, *_part(prepared, job.draw), job)
    scored.write(job.path(run))
    write_atomically(job.path(run).with_suffix(".json"), json.dumps({"train": train}))


def train_on_subset(prepared: Prepared, rows: np.ndarray, dev: np.ndarray, job: Job) -> tuple[Rows, float]:
    """Train on so many of the rows by the recipe, in as many steps: the dev rows, and the metric on those learnt."""
    from orthogon.data.assign import strata
    from orthogon.strategy.learning_curve import nested_subsets
    from orthogon.train.evaluate import evaluate
    from orthogon.train.fit import fit, plan

    data, own = prepared.data, prepared.recipe.train
    stratum = strata(data.target_column())
    subset = nested_subsets(rows, [min(job.size, len(rows))], None if stratum is None else stratum[rows],
                            None if data.group is None else data.group[rows], job.draw)[0]
    longer = max(1, round(len(rows) / len(subset)))
    recipe = prepared.recipe.with_values({
        "train.seed": own.seed + 1 + job.draw, "train.evaluate_every": own.evaluate_every * longer,
        "train.schedule_epochs": own.schedule_epochs * longer, "train.health": False,
    })
    task = prepared.task(subset)
    fitted = fit(plan(recipe, task, subset, dev), task, data, subset, dev)
    learnt = evaluate(task, fitted.model, data, subset[:LEARNT], "train", fitted.compute)
    return evaluate(task, fitted.model, data, dev, "dev", fitted.compute), task.metrics[0].value(learnt)


def _read(run: Run, job: Job, classes: tuple[str, ...]) -> tuple[Rows, float]:
    from orthogon.train.rows import Rows

    path = job.path(run)
    return Rows.read(path, classes), float(json.loads(path.with_suffix(".json").read_text())["train"])
