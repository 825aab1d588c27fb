"""What the verbs that need no data set share: a run that is made or gone on with, its training, and what is told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from orthogon.errors import Interrupted, RunError
from orthogon.files import write_atomically
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from orthogon.train.observers import Observer
    from orthogon.vision.one_picture import OnePicture

VERBS = ("stylize", "restore")

PICTURE = "picture.png"
"""In the run: what has come out."""


class Made(NamedTuple):
    """A task that is ready, the model to begin with, the resolved recipe, and a line about each for people."""

    task: OnePicture
    model: nn.Module
    recipe: Recipe
    lines: tuple[tuple[str, str], ...]


def resumed(reference: str | Path | Run, verb: str, root: str | Path) -> Run:
    """The run that is to go on; RunError where it is of another verb, or has ended."""
    run = Run.open(reference, root)
    task = run.recipe().task.name
    if task != verb:
        raise RunError(f"this is no run of {verb} (its task is {task})", where=str(run.path),
                       remedy=f"Continue it with: orthogon {task if task in VERBS else 'train'} --resume {run.path}")
    if (run.path / "result.json").exists():
        raise RunError("this run has ended already", where=str(run.path), remedy=f"Look: {run.path / PICTURE}")
    return run


def carry_out(
    run: Run, verb: str, make: Callable[[Recipe], Made], console: Console, observers: Sequence[Observer], quiet: bool
) -> Run:
    """Train by the run's recipe, from its last checkpoint on, and write picture, result and report."""
    from orthogon.verbs.progress import progress
    from orthogon.verbs.train import environment
    from orthogon.vision.one_picture import optimize, to_pixels

    started = time.monotonic()
    with run.lock():
        run.write_json("environment.json", environment())
        task, model, recipe, lines = make(run.recipe())
        run.save_recipe(recipe)
        for label, text in lines:
            console.line(label, text)
        before = task.figures(model)
        try:
            model = optimize(task, model, recipe, run, [*progress(quiet, "steps", judged=""), *observers])
        except Interrupted as error:
            raise Interrupted(error.what, remedy=f"Continue with: orthogon {verb} --resume {run.path}") from None
        seconds = time.monotonic() - started
        write_atomically(run.path / PICTURE, _png(to_pixels(task.picture(model))))
        figures = task.figures(model)
        said = task.verdict(before, figures)
        _tell(run, task, model, recipe, {"figures": figures, "verdict": said, "seconds": round(seconds, 3)})
    console.line("verdict", said)
    console.line("picture", str(run.path / PICTURE))
    console.line("report", str(run.path / "report.html"))
    return run


def _tell(run: Run, task: OnePicture, model: nn.Module, recipe: Recipe, found: dict[str, Any]) -> None:
    from orthogon.report.report import write
    from orthogon.report.sheets import store_sheets
    from orthogon.train.compute import compute_of, sentence

    settings, compute = recipe.train, compute_of(recipe.train)
    store_sheets(run, task, model, compute, np.empty(0, dtype=np.int64))
    parameters = sum(each.numel() for each in model.parameters())
    run.write_json("result.json", {
        "run": str(run.path), "name": run.name, "task": task.name, **found,
        "model": {"name": recipe.model.name, "parameters": parameters},
        "data": {"title": task.title, "sentence": task.about, "noun": "pictures"}, "splits": {},
        "speed": {"steps": settings.steps, "step_ms": 1000 * found["seconds"] / max(1, settings.steps or 1),
                  "sentence": sentence(settings, [])},
        "verb": task.name,
    })
    write(run)


def _png(pixels: np.ndarray) -> bytes:
    from orthogon.draw.images import to_image

    stream = BytesIO()
    to_image(pixels).save(stream, "png", optimize=True)
    return stream.getvalue()
