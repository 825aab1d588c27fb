"""The main verb: from data to a trained, measured, explained network in one run folder.

The folder with its recipe is made before torch is imported, so that nothing is lost however early a run is killed.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import OrthogonError, RunError
from orthogon.train.launch import cores
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.compose import compose
from orthogon.verbs.console import Console
from orthogon.verbs.one_picture import VERBS

if TYPE_CHECKING:
    from torch import nn

    from orthogon.train.observers import Observer


def train(
    data: Any = None, *, task: str | None = None, target: str | list[str] | None = None,
    model: str | nn.Module | None = None, recipe: Recipe | str | Path | Mapping[str, Any] | None = None,
    weights: str | None = None, options: Mapping[str, Any] | None = None, epochs: int | None = None,
    minutes: float | None = None, lr: float | None = None, batch_size: int | None = None, seed: int | None = None,
    device: str | None = None, folds: int | None = None, tune: bool = False, out: str | Path = "runs",
    name: str | None = None, resume: str | Path | Run | None = None, test: bool = False, refit: bool = False,
    quiet: bool = False, observers: Sequence[Observer] = (),
) -> Run:
    """Train a network on data, measure it beside cheap baselines, and write a report.

    data:    a path, a public name, or an object (`og.read` says which); default: the bundled digits.
    task, target, model: left out: from the target column, and the model that suits the columns.
    weights: what it starts from: published weights (`orthogon list weights`), a run, or a file; they bring their
             preprocessing, and are fetched if need be. Left out: drawn at random.
    recipe:  a recipe, its file, the name of one that comes with the software (`orthogon list recipes`), or nested
             values; options: flat keys (`train.optimizer`) that beat it.
    epochs, minutes: how long. lr, batch_size, seed, device, folds: as in `orthogon train --help`.
    tune:    choose precision, layout and threads by timing a few steps.
    out, name: the folder of the runs, and the name of this one.
    resume:  a run that was stopped: it goes on, bit for bit, as if it had not been.
    test:    look at a sealed test set again. refit: ship a network trained on all parts but test.

    Returns the Run; `run.result` holds the numbers. Raises DataError, RecipeError, RunError, Diverged, Interrupted.
    """
    first = is_first_rank()
    console = Console(quiet or not first)
    if resume is not None:
        run = Run.open(resume, out)
        run.refuse_foreign("There is no training to resume")
        composed = run.recipe()
        if (verb := composed.task.name) in VERBS:
            raise RunError("this run makes one picture", where=str(run.path),
                           remedy=f"Continue it with: orthogon {verb} --resume {run.path}")
        if (run.path / "result.json").exists():
            raise RunError("this run has ended already", where=str(run.path),
                           remedy="Train again from its recipe: orthogon train --recipe "
                                  f"{run.path / 'recipe.yaml'}")
    else:
        composed, _ = compose(
            data, task=task, target=target, model=model, weights=weights, recipe=recipe, options=options,
            epochs=epochs, minutes=minutes, lr=lr, batch_size=batch_size, seed=seed, device=device, folds=folds,
            refit=refit,
        )
        run = Run.create(composed, out, name) if first else Run(Path(out))
    module = None if isinstance(model, str) or model is None else model
    from orthogon.train.compute import denormals_flushed
    from orthogon.verbs.session import Session

    with ExitStack() as stack:
        stack.enter_context(denormals_flushed())
        if first:
            stack.enter_context(run.lock())
            run.write_json("environment.json", environment())
        session = Session(run, composed, console, source=data, module=module, tune=tune, test=test,
                          observers=observers, quiet=quiet)
        try:
            return session.work()
        except OrthogonError:
            if first and resume is None:
                run.discard_unbegun()  # a start that was refused leaves no folder behind
            raise


def explain(
    data: Any = None, *, model: Any = None, recipe: Any = None, options: Mapping[str, Any] | None = None,
    tune: bool = False, refit: bool = False, out: str | Path = "runs", name: str | None = None,
    resume: Any = None, test: bool = False, quiet: bool = False, **named: Any,
) -> list[tuple[str, Any, str]]:
    """(flat key, value, where it comes from) of every value that `train` with these arguments would use.

    The data is read and split and the hardware looked at, but nothing is trained and no folder is made.
    """
    composed, origins = compose(data, model=model, recipe=recipe, options=options, refit=refit, **named)
    from orthogon.train.fit import plan, with_defaults
    from orthogon.verbs.prepare import prepare

    prepared = prepare(composed, data)
    rows = prepared.passport.rows("train")
    task = prepared.task(rows)
    stages = [(prepared.recipe, "from the data"), (with_defaults(prepared.recipe, task, len(rows)), "task default"),
              (plan(prepared.recipe, task, rows, prepared.passport.rows("dev"), tune=tune).recipe,
               "resolved by timing" if tune else "resolved from hardware")]
    known = composed.flat()
    for stage, origin in stages:
        changed = {key: value for key, value in stage.flat().items() if value != known[key]}
        origins |= {key: "resolved by timing" if key == "train.steps" and composed.train.minutes else origin
                    for key in changed}
        known |= changed
    return [(key, value, origins.get(key, "default")) for key, value in known.items()]


def is_first_rank() -> bool:
    """Whether this process is the only one, or the first of those that torchrun started; without loading torch."""
    return int(os.environ.get("RANK", "0")) == 0


def environment() -> dict[str, Any]:
    """Versions and hardware; torch's are added when it is loaded."""
    from importlib.metadata import version

    names = ("orthogon", "torch", "numpy", "scipy", "scikit-learn", "polars", "safetensors", "pydantic")
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cores": cores(),
        "versions": {name: version(name) for name in names},
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
