"""`find_rate`: the learning rates that work for this data, model and optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import RecipeError
from orthogon.train.recipe import Recipe
from orthogon.verbs.compose import compose

if TYPE_CHECKING:
    from torch import nn

    from orthogon.train.rate_finder import RateRange


def find_rate(
    data: Any = None, *, task: str | None = None, target: str | list[str] | None = None,
    model: str | nn.Module | None = None, recipe: Recipe | str | Path | Mapping[str, Any] | None = None,
    weights: str | None = None, options: Mapping[str, Any] | None = None, batch_size: int | None = None,
    seed: int | None = None, device: str | None = None, seeds: int = 3,
) -> RateRange:
    """Sweep the learning rate from 1e-6 to 10 in short trainings on copies; a range and a rate, or why there is none.

    data, task, target, model, recipe, options, batch_size, seed, device: as `og.train` takes them.
    seeds: sweeps, each with initial weights and an order of its own; the range is where all agree.

    >>> found = og.find_rate("photos/")
    >>> run = og.train("photos/", lr=found.value)

    The result prints itself, draws itself in a notebook, and is false where there is no clear range (row 6.01).
    It changes nothing: training afterwards is bit-identical to training without it. Raises DataError, RecipeError.
    """
    if seeds < 1:
        raise RecipeError(f"seeds is {seeds}; at least one sweep is needed", where="seeds", remedy="3 is the default.")
    composed, _ = compose(data, task=task, target=target, model=model, weights=weights, recipe=recipe, options=options,
                          batch_size=batch_size, seed=seed, device=device)
    from orthogon.train.fit import plan
    from orthogon.train.rate_finder import STEPS
    from orthogon.train.rate_finder import find_rate as sweep
    from orthogon.verbs.prepare import prepare

    prepared = prepare(composed, data)
    rows = prepared.passport.rows("train")
    fitted = prepared.task(rows)
    module = None if isinstance(model, str) else model
    planned = plan(prepared.recipe.with_values({"train.minutes": None, "train.steps": STEPS}), fitted, rows,
                   model=module)
    return sweep(planned, fitted, rows, model=module, seeds=seeds)
