"""`features`: what the representation of a run is worth, by how many labels a classifier needs that starts from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from orthogon.data.columns import CategoryColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RunError
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.compose import IN_MEMORY, compose

if TYPE_CHECKING:
    from torch import Tensor, nn

    from orthogon.strategy.representation import Start, Worth
    from orthogon.tasks.classify import Classify
    from orthogon.train.rows import Rows

SHARES = (0.01, 0.1, 1.0)

SHOWN = 150_000
"""Examples that a whole network is shown, each at most a hundred times and at least four, so that few labels are learnt
as thoroughly as many."""

MEASURED = 512
"""Train examples that the batch norms of random first weights are given their statistics by."""


class Job(NamedTuple):
    """A training of the whole network with so many labels."""

    labels: int
    start: Start


@dataclass(frozen=True)
class Setting:
    """The classifier to be, on data that the run's trunk takes.

    task:    fitted on all labelled examples to learn from (`rows`), with the data attached. asked: those to answer for.
    recipes: how the network is built and trained, from what was learnt and from random first weights.
    """

    data: Dataset
    part: str
    task: Classify
    rows: np.ndarray
    asked: np.ndarray
    recipes: dict[Start, Recipe]

    def subset(self, count: int) -> np.ndarray:
        """So many of the labelled examples, of every class its share; a part of any larger subset."""
        from orthogon.strategy.learning_curve import nested_subsets

        group = self.data.group if self.part == "dev" else None  # halves of dev have their groups in common
        return nested_subsets(self.rows, [count], self.task.targets(self.rows),
                              None if group is None else group[self.rows], seed=0)[0]


def features(
    run: str | Path | Run = "last", *, labels: Sequence[float] = SHARES, data: Any = None, target: str | None = None,
    processes: int | None = None, root: str | Path = "runs", quiet: bool = True,
) -> Worth:
    """The k nearest neighbors and a linear probe on what enters the head, and training of the whole network from it,
    each against the same with random first weights, on the very same labelled examples (rows 21.13, 23.01, 23.09).

    run:    of any task, with a network that is known by name: a path, a name under `root`, "last" or "last~1".
    labels: how many: shares (to 1) or numbers. They are of train, and dev is asked; where dev holds other classes, as
            of `verify`, half of dev has the labels and the other half is asked.
    data:   another data set; or the run's own, where it was trained on an object. target: its column of labels.
    processes: trainings side by side; default: one per core, on a GPU one.

    Keeps the evidence "features", and writes the report anew, where it is the run's own data. DataError where there are
    no labels; RunError for a run without a network; RecipeError for numbers of labels that there are not.
    """
    from orthogon.report.report import write as write_report
    from orthogon.strategy.representation import label_counts, worth
    from orthogon.train.launch import Workers, cores

    found = Run.open(run, root)
    found.refuse_foreign("There is no network")
    own = data is None or found.recipe().data.source == IN_MEMORY
    setting = _setting(found, data, target)
    counts = label_counts(labels, len(setting.rows), len(setting.task.classes))
    answers, chosen = _read_off(setting, counts)
    jobs = [Job(count, start) for count in counts for start in setting.recipes]
    source = data if data is None or isinstance(data, str | Path) else None
    readable = (data is None or source is not None) and found.recipe().data.source != IN_MEMORY
    if not readable or found.recipe().train.device not in ("cpu", "auto"):
        processes = 1
    processes = processes or min(cores(), len(jobs))
    opening = partial(_opening, found.path, source, target) if processes > 1 else partial(_worker, setting)
    started = time.monotonic()
    with Workers(opening, processes) as workers:
        for done, (place, rows) in enumerate(workers.results(jobs), 1):
            answers[jobs[place].labels, "whole", jobs[place].start] = rows
            if not quiet:
                left = (time.monotonic() - started) / done * (len(jobs) - done)
                print(f"training {done} of {len(jobs)}, about {left:.0f} s left", flush=True)
    result = worth(found.name, setting.data.name, len(setting.rows), answers, chosen)
    if own:
        found.write_evidence("features", result.to_dict())
        write_report(found)
    return result


# --- what is asked ---------------------------------------------------------------------------------------------------


def _setting(run: Run, data: Any, target: str | None) -> Setting:
    from orthogon.tasks.classify import Classify
    from orthogon.tasks.infer import as_target
    from orthogon.train.build import build_task
    from orthogon.train.fit import attach
    from orthogon.verbs.prepare import prepare

    own = run.recipe()
    if data is None or own.data.source == IN_MEMORY:
        prepared = prepare(own, data, run.path / "passport.json")
    else:
        other = own.data.model_copy(update={"target": None, "types": {}, "group": None, "weight": None,
                                            "source_column": None, "corrections": None})
        recipe = Recipe(data=other).with_values({"task.name": "classify"})
        prepared = prepare(compose(data, recipe=recipe, target=target)[0], data)
    asked_of = prepared.data if target is None else prepared.data.with_target(target)
    labelled = as_target(asked_of, "classify")
    column = labelled.target_column()
    if not isinstance(column, CategoryColumn):
        raise DataError(f"the labels are of kind {column.kind}, not categories", where=labelled.name,
                        remedy="Name a column of classes: --target COLUMN.")
    if prepared.passport.folds:
        raise RunError("this run has folds, and no dev set that all are asked on", where=str(run.path),
                       remedy="Train without --folds.")
    parts = {name: _known(column, prepared.passport.rows(name)) for name in ("train", "dev")}
    part, rows, asked = _divided(column, parts["train"], parts["dev"])
    recipes = _recipes(run, own, prepared.recipe)
    task = build_task(recipes["learnt"])
    assert isinstance(task, Classify)  # noqa: S101 - `_recipes` ask for no other
    task.fit(labelled, rows)
    attach(task, labelled, recipes["learnt"])
    return Setting(labelled, part, task, rows, asked, recipes)


def _known(column: CategoryColumn, rows: np.ndarray) -> np.ndarray:
    return rows[~column.missing()[rows]]


def _divided(column: CategoryColumn, train: np.ndarray, dev: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """What is asked, the labelled examples and the others: train and dev, or the halves of a dev of other classes."""
    if not len(dev) or not len(train):
        raise DataError(f"{len(train):,} examples of train and {len(dev):,} of dev have labels", where="features",
                        remedy="Name data that has them: --data DATA --target COLUMN.")
    codes = column.codes
    if np.isin(codes[dev], codes[train]).any():
        return "dev", train, dev[np.isin(codes[dev], codes[train])]
    order = dev[np.argsort(codes[dev], kind="stable")]
    return "half of dev", np.sort(order[::2]), np.sort(order[1::2])


def _recipes(run: Run, own: Recipe, other: Recipe) -> dict[Start, Recipe]:
    """Of a classifier with the run's trunk, and of one with random first weights: alike in all else. Pictures are
    changed in training as they were in the run."""
    settings = own.train
    start = Recipe().with_values({
        "task.name": "classify", "train.seed": settings.seed,
        "train.device": settings.device, "train.precision": settings.precision, "train.threads": 1,
        "train.augment": [way for way in settings.augment if way not in ("mixup", "cutmix")],
        "train.augment_strength": settings.augment_strength, "train.augment_border": settings.augment_border,
        "train.health": False, "train.preflight": False,
    })
    start = start.model_copy(update={"data": other.data})
    learnt, _ = compose(recipe=start, weights=str(run.path.resolve()), options={"train.transfer": "all"})
    random = learnt.with_values({"model.weights": None, "model.weights_hash": None, "train.transfer": "auto"})
    return {"learnt": learnt, "random": random}


# --- what is answered ------------------------------------------------------------------------------------------------


def _read_off(setting: Setting, counts: Sequence[int]) -> tuple[dict[Any, Rows], dict[Any, str]]:
    """The rows of neighbors and linear probe for each number of labels, and what was chosen for them."""
    from orthogon.strategy.representation import by_linear_probe, by_neighbors

    task, answers, chosen = setting.task, {}, {}
    for start in setting.recipes:
        model = _first_model(setting, start)
        of_rows, of_asked = (_features(setting, model, rows) for rows in (setting.rows, setting.asked))
        for count in counts:
            some = setting.subset(count)
            given, codes = of_rows[np.searchsorted(setting.rows, some)], task.targets(some)
            near, k = by_neighbors(given, codes, of_asked, len(task.classes))
            said, penalty = by_linear_probe(given, codes, of_asked)
            answers[count, "neighbors", start] = _rows(setting, near)
            answers[count, "linear", start] = _rows(setting, said)
            if start == "learnt":
                chosen |= {(count, "neighbors"): f"k = {k}", (count, "linear"): f"penalty {penalty:g}"}
    return answers, chosen


def _first_model(setting: Setting, start: Start) -> nn.Module:
    """The network before it learns labels. Batch norms of random weights get the statistics of train examples, as they
    would in training: without them deep random features are worse than they need be."""
    import torch

    from orthogon.nn.norm_statistics import renew_norms
    from orthogon.train.build import starting_model

    model = starting_model(setting.task, setting.recipes[start], setting.rows).to(setting.task.inputs.device)
    if start == "random":
        some = setting.rows[np.linspace(0, len(setting.rows) - 1, min(MEASURED, len(setting.rows))).astype(int)]
        renew_norms(model, [setting.task.batch(part).inputs for part in torch.as_tensor(some).split(128)])
    return model


def _features(setting: Setting, model: nn.Module, rows: np.ndarray) -> Tensor:
    """Float32 (n, D): what enters the head."""
    import torch

    from orthogon.nn.heads import encoding
    from orthogon.train.compute import compute_of
    from orthogon.train.evaluate import examples_at_once

    compute = compute_of(setting.recipes["learnt"].train).exact()
    model = compute.place(model)
    with compute.in_force():
        return torch.cat([encoding(model, compute.lay_out(setting.task.batch(part.to(compute.device)).inputs)).cpu()
                          for part in torch.as_tensor(rows).split(examples_at_once(setting.task.spec))])


def _rows(setting: Setting, prediction: np.ndarray) -> Rows:
    from orthogon.train.evaluate import as_rows

    right = prediction == setting.task.targets(setting.asked)
    return as_rows(setting.task, setting.data, setting.asked, setting.part,
                   {"prediction": prediction, "score": right.astype(np.float64)})


def _opening(path: Path, source: Any, target: str | None) -> Callable[[Job], Rows]:
    """What a process does first: read the data once. Then it does one job after another."""
    return _worker(_setting(Run(path), source, target))


def _worker(setting: Setting) -> Callable[[Job], Rows]:
    return partial(_trained, setting)


def _trained(setting: Setting, job: Job) -> Rows:
    """The whole network trained on the labels, from either start by the settings that suit training from scratch: the
    low rates for early stages that published trunks are given in transfer cost 4 points of digits here."""
    from orthogon.train.evaluate import evaluate
    from orthogon.train.fit import fit, plan

    subset = setting.subset(job.labels)
    epochs = int(np.clip(SHOWN // len(subset), 4, 100))
    usual = {**setting.task.default_settings(len(subset)), "layer_decay": 1.0, "trunk_rate": 1.0, "epochs": epochs}
    recipe = setting.recipes[job.start].with_values({f"train.{name}": value for name, value in usual.items()})
    fitted = fit(plan(recipe, setting.task, subset), setting.task, setting.data, subset)
    rows = evaluate(setting.task, fitted.model, setting.data, setting.asked, setting.part, fitted.compute)
    return replace(rows, values={name: rows[name] for name in ("target", "prediction", "score")})
